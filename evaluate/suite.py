"""Every arm of one checkpoint on the same questions: compressed, ceiling, floor and controls.

Shapes: B = documents, K = latents, R = width of the reasoner.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import torch
from torch import Tensor

from ..compressor.model import Compressed, CompressionModel, compress
from ..compressor.states import States, pad_states
from ..corpus.records import Document
from ..reasoner.frozen import FrozenReasoner
from ..reasoner.generate import Prefix
from . import controls
from .bench import Bench
from .result import Sizes
from .scores import Arm, ScoredAnswer
from .summary import given_summaries, summaries
from .teacher import ask, ceiling, floor

Progress = Callable[[str, int], None]
"""Told an arm and how many more of its documents are done."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    rows: list[ScoredAnswer]
    sizes: Sizes


def run_arms(bench: Bench, documents: Sequence[Document], seed: int, progress: Progress) -> Outcome:
    """Ask every question once an arm.

    Args:
        bench: what is measured.
        documents: held out; at least two, because shuffling borrows from another one.
        seed: of the shuffle and of the random latents.
        progress: told how far it is.
    """
    latents, sizes = _latents(bench, documents, progress)
    x = [one.x_PD for one in latents]
    head = len(bench.reasoner.encode(bench.reasoner.prompt.head))
    bare = [x_PR[head:] for x_PR in x]
    prefixes: dict[Arm, list[Prefix]] = {
        "compressed": latents,
        "shuffled": [latents[other] for other in controls.others(len(latents), seed)],
        "zero": _replaced(latents, controls.zeros(bare), head),
        "gaussian": _replaced(latents, controls.gaussian(bare, seed), head),
        "ceiling": ceiling(bench.reasoner, documents),
        "floor": floor(bench.reasoner, documents),
    }
    if bench.summary:
        budgets = [len(one) for one in bare]
        if bench.summaries is None:
            prefixes["summary"] = summaries(bench.reasoner, documents, budgets)
        else:
            prefixes["summary"] = given_summaries(
                bench.reasoner, documents, budgets, bench.summaries
            )
    rows: list[ScoredAnswer] = []
    for arm, given in prefixes.items():
        rows += ask(
            bench.reasoner,
            documents,
            given,
            arm,
            batch_size=bench.batch_size,
            progress=partial(progress, arm),
        )
    return Outcome(rows, sizes)


def _replaced(latents: Sequence[Prefix], x: Sequence[Tensor], head: int) -> list[Prefix]:
    """The same prefixes with other vectors behind the head."""
    return [
        Prefix(torch.cat([one.x_PD[:head], x_KR]), one.position_P, one.after)
        for one, x_KR in zip(latents, x, strict=True)
    ]


@torch.inference_mode()
def _latents(
    bench: Bench, documents: Sequence[Document], progress: Progress
) -> tuple[list[Prefix], Sizes]:
    """Prefix of every document, in order, and what they amount to."""
    reasoner = FrozenReasoner(bench.reasoner)
    model = bench.model.to(bench.device).eval()
    prefixes: list[Prefix] = []
    latents = tokens = 0
    for states in _batches(bench, documents):
        compressed = _stored(model, compress(model, states.to(bench.device), bench.ratio))
        context = reasoner.latent_context(compressed)
        for x_CR, mask_C, position_C, after in zip(
            context.x_BCR, context.mask_BC, context.position_BC, context.after_B, strict=True
        ):
            prefixes.append(Prefix(x_CR[mask_C], position_C[mask_C], int(after)))
        latents += int(compressed.mask_BK.sum())
        tokens += int(states.tokens_B.sum())
        progress("states", len(states.mask_BT))
    spec = bench.model.spec
    width = spec.teacher.hidden_size
    sizes = Sizes(
        tokens=tokens,
        latents=latents,
        latent_bytes=latents * spec.latent_width * 2,  # bfloat16, as `_stored`
        state_bytes=tokens * len(spec.layers) * width * 2,
        text_bytes=sum(len(document.text.encode()) for document in documents),
    )
    return prefixes, sizes


def _stored(model: CompressionModel, compressed: Compressed) -> Compressed:
    """The same from latents that were rounded to bfloat16: what is counted is what is measured."""
    z_BKE = compressed.z_BKE.to(torch.bfloat16).to(compressed.z_BKE.dtype)
    return replace(compressed, z_BKE=z_BKE, x_BKR=model.projection(z_BKE))


def _batches(bench: Bench, documents: Sequence[Document]) -> Iterator[States]:
    features = iter(bench.read(documents))
    while batch := list(islice(features, bench.batch_size)):
        yield pad_states(batch)
