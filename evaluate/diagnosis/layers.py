"""What each teacher layer is worth: its learned share, and the accuracy without it by family.

A layer is left out by setting its states to zero, which is what its norm makes of nothing; the
compressor was not trained for that, so a drop is an upper bound of what the layer alone holds.

Shapes: T = tokens, L = layers, D = teacher width.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from torch import nn

from ...common.record import Record
from ...compressor.residual import MeanPoolResidual
from ...compressor.token_inputs import LayerMix
from ...corpus.records import Document
from ...store.format.schema import LayerRecord
from ...store.read.features import DocumentFeatures
from ..answers import answer_questions
from ..arms.latents import compress_documents
from ..bench import Bench, ReadStates
from ..scores import ScoredAnswer
from ..stats import Bootstrap, Interval, difference, share
from ..tally import QUESTIONS, Answers, Tally

WHOLE: Final = "compressed"
Progress = Callable[[str, int], None]


class LayerFigures(Record):
    """One teacher layer."""

    layer: LayerRecord
    shares: dict[str, float]
    """Module of the compressor -> learned share of this layer there."""
    drop: Interval
    """Accuracy with all layers minus accuracy without this one, all questions."""
    families: dict[str, Interval]
    """The same by question family."""


class LayerReport(Record):
    """All layers of a checkpoint."""

    accuracy: Interval
    """With all layers."""
    families: dict[str, Interval]
    """The same by question family."""
    layers: tuple[LayerFigures, ...]


def leave_one_out(
    bench: Bench,
    documents: Sequence[Document],
    seed: int,
    progress: Progress = lambda arm, documents: None,
) -> LayerReport:
    """Accuracy with all layers, and what is lost without each.

    Args:
        bench: compressor, states and reasoner.
        documents: with questions.
        seed: of the bootstrap, one draw of documents for all figures.
        progress: receives what is measured and the documents just finished.
    """
    layers = bench.model.spec.layers
    names = [f"without {layer.blocks_completed}" for layer in layers]
    rows = _answers(bench, documents, WHOLE, progress)
    for index, name in enumerate(names):
        without = replace(bench, read=_zeroing(bench.read, index))
        rows += _answers(without, documents, name, progress)
    answers = Answers(rows)
    bootstrap = Bootstrap.draw(len(answers.documents), seed=seed)

    def accuracy(tally: Tally) -> Interval:
        return bootstrap.interval(share(WHOLE, QUESTIONS), tally.columns, tally.questions)

    def drop(tally: Tally, name: str) -> Interval:
        lost = difference(WHOLE, name, QUESTIONS)
        return bootstrap.interval(lost, tally.columns, tally.questions)

    families = {family: answers.of_families([family]) for family in answers.families}
    shares = layer_shares(bench.model, len(layers))
    return LayerReport(
        accuracy=accuracy(answers.all()),
        families={family: accuracy(tally) for family, tally in families.items()},
        layers=tuple(
            LayerFigures(
                layer=layer,
                shares={module: values[index] for module, values in shares.items()},
                drop=drop(answers.all(), name),
                families={family: drop(tally, name) for family, tally in families.items()},
            )
            for index, (layer, name) in enumerate(zip(layers, names, strict=True))
        ),
    )


def layer_shares(model: nn.Module, layers: int) -> dict[str, list[float]]:
    """Share of every layer in each module that mixes them by learned weights [L]."""
    mixing = {
        name: module.shares().detach()
        for name, module in model.named_modules()
        if isinstance(module, LayerMix | MeanPoolResidual)
    }
    return {name: shares.tolist() for name, shares in mixing.items() if len(shares) == layers}


def _answers(
    bench: Bench, documents: Sequence[Document], arm: str, progress: Progress
) -> list[ScoredAnswer]:
    made = compress_documents(bench, documents, lambda count: None)
    return answer_questions(
        bench.reasoner,
        documents,
        made.prefixes,
        arm,
        batch_size=bench.batch_size,
        scorer=bench.scorer,
        progress=lambda count: progress(arm, count),
    ).rows


def _zeroing(read: ReadStates, index: int) -> ReadStates:
    """The same states with one layer at zero."""

    def reading(documents: Sequence[Document]) -> Iterable[DocumentFeatures]:
        return _zeroed(read(documents), index)

    return reading


def _zeroed(features: Iterable[DocumentFeatures], index: int) -> Iterator[DocumentFeatures]:
    for one in features:
        h_TLD = one.states.clone()
        h_TLD[:, index] = 0
        yield replace(one, states=h_TLD)
