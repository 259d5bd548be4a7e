"""Whether a model answers from vectors as it does from the text that they stand for.

Everything that is measured rests on it: several questions stand behind one context, in a mask that
keeps them apart. Models that go without a mask (state space), look at part of it (sliding windows)
or place tokens in another way would answer otherwise, and nothing would say so. So the first
documents of a run are read both ways.

Shapes: N = questions of all documents, V = vocabulary, S = tokens.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import torch
from torch import Tensor

from ..common.errors import LatentcompError, TeacherError
from ..corpus.records import Document
from ..models.files import one_line
from ..models.loading import CausalLM
from .generate import reading
from .prefix import Prefix

BOUNDS: Final = {torch.float32: 5e-3}
"""Largest distance of logits that counts as none, by precision."""
HALF_BOUND: Final = 0.25
"""The same in bfloat16 and float16, where kernels that sum in another order differ by more."""
QUESTIONS: Final = 2
"""Asked together about each document."""

_tested: set[tuple[str, str, str, int]] = set()
"""Weights, precision, place and number of tokens that this process has tested."""


@torch.inference_mode()
def check_reader(lm: CausalLM, documents: Sequence[Document]) -> None:
    """Read the longest and the shortest document as vectors in one batch, and each alone as text.

    The same weights are tested once a process, unless the documents have become longer.

    Args:
        lm: the reasoner.
        documents: some of those that it will be asked about; those without questions are left out.

    Raises:
        TeacherError: the two readings differ, or vectors cannot be read at all.
    """
    chosen = longest_and_shortest(documents)
    if not chosen:
        return
    ids = [lm.encode_after_head(document.text) for document in chosen]
    done = (lm.identity.weights_sha256, str(lm.model.dtype), str(lm.device), len(ids[0]))
    if any(done[:3] == one[:3] and done[3] <= one[3] for one in _tested):
        return
    prompts = [
        [lm.encode_question(one.text) for one in document.questions[:QUESTIONS]]
        for document in chosen
    ]
    try:
        distance = _distance(lm, ids, prompts)
    except LatentcompError:
        raise
    except Exception as error:  # whatever a model raises that was not made to be read like this
        raise TeacherError(
            f"model {lm.identity.name!r} ({lm.identity.architecture}) cannot be given vectors in "
            f"place of a text ({one_line(error)}); give another --reasoner"
        ) from error
    bound = bound_of(lm)
    if not distance <= bound:
        raise TeacherError(
            f"model {lm.identity.name!r} ({lm.identity.architecture}) answers otherwise from "
            f"vectors, several questions at once, than from the text (distance of logits "
            f"{distance:.1e}, at most {bound:.0e}), as models with a state or a sliding window do; "
            "give another --reasoner, or documents shorter than the window"
        )
    _tested.add(done)


def longest_and_shortest(documents: Sequence[Document]) -> tuple[Document, ...]:
    """Of the documents with questions; empty where there are none."""
    usable = sorted((one for one in documents if one.questions), key=lambda one: len(one.text))
    return (usable[-1], usable[0]) if usable else ()


def bound_of(lm: CausalLM) -> float:
    """Largest distance of logits that counts as none, in the precision of a model."""
    return BOUNDS.get(lm.model.dtype, HALF_BOUND)


def _distance(lm: CausalLM, ids: list[list[int]], prompts: list[list[list[int]]]) -> float:
    """Largest relative distance between the logits of the two readings, over two tokens each."""
    table = lm.model.get_input_embeddings()
    prefixes = [Prefix.counted(table(torch.tensor(one, device=lm.device))) for one in ids]
    batch = reading(lm, prefixes, prompts)
    first_NV = batch.first()
    chosen_N = first_NV.argmax(-1)
    second_NV = batch.following(chosen_N, torch.arange(len(chosen_N), device=lm.device))
    questions = [(row, prompt) for row, given in enumerate(prompts) for prompt in given]
    distances = []
    for number, (row, prompt) in enumerate(questions):
        alone = text_logits(lm, [*ids[row], *prompt, int(chosen_N[number])])
        together = torch.stack([first_NV[number], second_NV[number]])
        distances.append(relative_distance(together.float(), alone.float()))
    return largest(distances)


def largest(distances: Iterable[float]) -> float:
    """The largest; NaN if any is, which `max` may pass over; 0 of none."""
    return float(torch.tensor([0.0, *distances]).max())


def text_logits(lm: CausalLM, ids: list[int]) -> Tensor:
    """Logits of the last two places [2, V], as the library has them for plain text."""
    logits: Tensor = lm.model(input_ids=torch.tensor([ids], device=lm.device)).logits
    return logits[0, -2:]


def relative_distance(one: Tensor, other: Tensor) -> float:
    """Distance of two sets of logits; adding a number to all of them changes nothing."""
    one, other = (each - each.mean(-1, keepdim=True) for each in (one, other))
    return float(((one - other).norm(dim=-1) / other.norm(dim=-1).clamp(min=1e-30)).max())
