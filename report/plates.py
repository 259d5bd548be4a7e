"""The figures of a phase: what each answers, how to read it, and the drawing."""

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from ..evaluate.diagnosis.localization import Localization
from ..evaluate.diagnosis.result import Diagnosis
from ..evaluate.result import EvaluationResult
from ..experiment.verdict import Verdict
from . import figures, insides, trends
from .collect import PhaseStory
from .ratios import AtRatio, at_ratios, drawn


@dataclass(frozen=True, slots=True)
class Plate:
    """One figure of the page."""

    title: str
    """What the figure answers."""
    note: str
    """How to read it."""
    svg: Markup
    """The drawing."""


def ratios_of(story: PhaseStory) -> tuple[AtRatio, ...]:
    """What the phase keeps at each ratio that its weights were measured at."""
    if story.evaluation is None:
        return ()
    return at_ratios(story.evaluation, (each.result for each in story.others))


def plates(story: PhaseStory) -> list[Plate]:
    """The figures of a phase, those that its data allow."""
    by_ratio = Plate(
        "How much survives at each ratio?",
        "The same weights on the same documents, beside text of as many tokens as there are "
        "latents. In bytes, the whole text is the smaller of the two.",
        Markup(drawn(ratios_of(story))),
    )
    learning = Plate(
        "Is it still learning?",
        "Training loss by step: every logged step, and a running median.",
        Markup(figures.curve(story.log)),
    )
    result = story.evaluation
    within = [] if result is None else _evaluation_plates(result, story.verdict)
    inside = () if story.diagnosis is None else _inside_plates(story.diagnosis)
    return [plate for plate in (by_ratio, *within, *inside, learning) if plate.svg]


def _inside_plates(diagnosis: Diagnosis) -> Iterable[Plate]:
    of = f"{diagnosis.documents} documents of the {diagnosis.corpus.split or 'given'} split"
    drawings = {
        "Are facts early, relations in the middle, structure late?": (
            "Accuracy lost where one layer is set to zero, by family: the compressor was not "
            f"trained for that, so it is the most that the layer holds alone. {of.capitalize()}. "
            + insides.shares(diagnosis.layers),
            insides.layers(diagnosis.layers),
        ),
        "Do latents look like text inside the reasoner?": (
            f"Root mean square of a state, in multiples of the reasoner's embeddings. {of}.",
            insides.sizes(diagnosis.depths),
        ),
        "Does the reasoner look where the answer stands?": (
            "Of its attention to latents, the share on those of the chunks that settle the answer, "
            f"mean over heads, few of which look for anything. {of}.",
            insides.looking(diagnosis.localization),
        ),
        "Where did it look for one answer?": (
            _asked(diagnosis.localization),
            insides.example(diagnosis.localization),
        ),
        "What do the latents hold, read or not?": (
            "Share that a linear map gets right; the tick is the best constant guess. What a map "
            f"gets, the reasoner need not read. {of}.",
            insides.probes(diagnosis.probes),
        ),
    }
    return (Plate(title, note, Markup(svg)) for title, (note, svg) in drawings.items())


def _asked(localization: Localization | None) -> str:
    if localization is None or localization.example is None:
        return ""
    shown = localization.example
    return (
        f"“{shown.question}” ({shown.answer}; {shown.document_id}), behind "
        f"{shown.blocks_completed} blocks: the chunks that settle it are coloured. Of all "
        "questions the one in the middle."
    )


def _evaluation_plates(result: EvaluationResult, verdict: Verdict | None) -> list[Plate]:
    compressed = "compressed" in result.overall.retention
    return [
        Plate(
            "What does the reasoner answer from?",
            "Accuracy by what it was given. Dots are figures, lines 95 % intervals clustered by "
            "document. Shuffled latents belong at the floor.",
            Markup(figures.arms(result)),
        ),
        Plate(
            "How much survives, by family?",
            "0 is the floor, 1 the ceiling. Intervals by family are exploratory.",
            Markup(figures.retention(result, verdict) if compressed else ""),
        ),
        Plate(
            "Where does each family stand?",
            "The bar runs from floor to ceiling, the dot is the accuracy reached.",
            Markup(figures.families(result)),
        ),
        Plate(
            "Does it answer with values that were replaced?",
            "Share of answers that a later chunk had made out of date. The tick is the ceiling's.",
            Markup(figures.stale(result)),
        ),
        Plate(
            "Does the place of the evidence matter?",
            "Accuracy by the third of the document that holds the latest evidence.",
            Markup(trends.buckets(result)),
        ),
        Plate(
            "Does it forget what it read long ago?",
            "Accuracy by how many chunks stand behind the one that settles the answer.",
            Markup(trends.ages(result)),
        ),
        Plate(
            "Does it let go of what was replaced?",
            "Accuracy by how many values were replaced before the answer held.",
            Markup(trends.overrides(result)),
        ),
        Plate(
            "Does it hold as the document grows?",
            "Accuracy by how many chunks had been read when it was asked; later steps ask more "
            "questions, and other ones, as the ceiling shows.",
            Markup(trends.steps(result)),
        ),
        Plate(
            "Does the spelling of the answer matter?",
            "Retention by form of the answer: names, numbers, words, a known list, yes or no.",
            Markup(trends.forms(result)),
        ),
        Plate(
            "What does it weigh?",
            "Mean bytes of one document in three forms.",
            Markup(figures.sizes(result)),
        ),
    ]
