"""Which of the tokens that a teacher reads are the prompt's head, and not the document."""

import torch
from torch import Tensor

from ...models.loading import TextSide


def head_tokens(lm: TextSide, token_ids: Tensor) -> int:
    """How many tokens of a document, as its teacher reads it, are the head of the prompt.

    Args:
        lm: the reasoner.
        token_ids: int64 [T], of the teacher.

    Returns:
        0 where the teacher begins with other tokens than the reasoner.
    """
    head = torch.tensor(lm.encode(lm.prompt.head), dtype=token_ids.dtype)
    return len(head) if torch.equal(token_ids[: len(head)], head) else 0


def text_tokens(lm: TextSide, token_ids: Tensor) -> int:
    """Tokens of a document that count as compressed: all but the prompt's head, whose first token
    begins every text. With all of a long head each ratio would look larger than it is.

    Args:
        lm: the reasoner.
        token_ids: int64 [T], of the teacher.
    """
    return len(token_ids) - max(0, head_tokens(lm, token_ids) - 1)
