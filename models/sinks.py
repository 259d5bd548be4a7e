"""Attention sinks: tokens whose states a model makes many times as large as those of all others.

Most pretrained models have one in the first position (Xiao and others, 2309.17453): a state that
says nothing of the text and that heads attend to when they have nothing to read. A few of its
numbers are huge (Sun and others, 2402.17762). It fills a mean over tokens, so means leave it out.
The lab models have none (docs/results/sink.json).

Shapes: T = tokens of a document, L = layers, D = width of the teacher.
"""

from typing import Final

from torch import Tensor

LARGER: Final = 10.0
"""A sink's state is longer than this many times that of the median token of its document."""
FEW: Final = 4
SHARE: Final = 0.75
"""So much of the squared length of a sink's state is in its `FEW` largest numbers. Long states
without that, such as those of digits in the lab teacher, say something."""


def ordinary_tokens(h_TLD: Tensor) -> Tensor:
    """Which tokens of a document are no sinks: bool [T], true for at least half of them.

    A token that is a sink in one of the layers is one for all, so that means of layers are over
    the same tokens.

    Args:
        h_TLD: states of one document, the prompt's head included.
    """
    squares_TLD = h_TLD.float().square()
    lengths_TL = squares_TLD.sum(-1).sqrt()
    usual_L = lengths_TL.median(dim=0).values
    long_TL = (lengths_TL > LARGER * usual_L) & (usual_L > 0)
    few_TL = squares_TLD.topk(min(FEW, h_TLD.shape[-1]), dim=-1).values.sum(-1)
    ordinary_T: Tensor = ~(long_TL & (few_TL >= SHARE * lengths_TL.square())).any(dim=1)
    return ordinary_T
