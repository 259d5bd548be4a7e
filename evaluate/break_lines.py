"""Lines below the table: by form of the answer, balanced, by need of days, near misses."""

from collections.abc import Mapping

from .arms.table import in_order
from .cell import Cell
from .difference import Word, in_words, word
from .numbers import figure, span
from .result import EvaluationResult
from .scores import EXACT


def break_lines(result: EvaluationResult) -> list[str]:
    """What is known of forms and days, a line each; none where the documents do not say."""
    once = (_forms(result), _balanced(result), _near_misses(result), _near_by_form(result))
    more = (_scored(result), *_past(result), *_days(result), _fresh(result), *_ranking(result))
    return [line for line in (*_text(result), *once, *more) if line]


def _arms(result: EvaluationResult) -> tuple[str, ...]:
    """The arm of the headline, and the ceiling that it is held against."""
    return tuple(dict.fromkeys((result.headline, "ceiling")))


def _forms(result: EvaluationResult) -> str:
    if not result.forms:
        return ""
    arms = _arms(result)
    cells = (
        f"{form} {' of '.join(figure(cell.accuracy[arm].point) for arm in arms)}"
        for form, cell in result.forms.items()
    )
    return f"by form ({' of '.join(arms)}): {', '.join(cells)}"


def _balanced(result: EvaluationResult) -> str:
    balanced = result.balanced
    if balanced is None:
        return ""
    arms = in_order({*_arms(result), "floor"} & balanced.accuracy.keys())
    figures = ", ".join(f"{arm} {span(balanced.accuracy[arm])}" for arm in arms)
    kept = balanced.retention.get("compressed")
    return (
        f"balanced over {len(balanced.cells)} kinds of question (family and form): {figures}"
        + (f"; retention {span(kept)}" if kept else "")
        + (f"; {len(balanced.left_out)} kinds too small" if balanced.left_out else "")
    )


def _days(result: EvaluationResult) -> list[str]:
    lines = []
    for needed, cell in reversed(result.needs_days.items()):
        arms = in_order({*_arms(result), "undated"} & cell.accuracy.keys())
        figures = ", ".join(f"{arm} {span(cell.accuracy[arm])}" for arm in arms)
        what = "need" if needed == "yes" else "do not need"
        lines.append(f"{cell.questions} questions {what} days: {figures}")
    if worth := result.above_undated.get("ceiling"):
        lines[0] += f"; knowing them is worth {span(worth)}"
    return lines


def _text(result: EvaluationResult) -> list[str]:
    """Text of as many tokens, first of all where it wins.

    Nothing where the whole document does not help: then all arms are alike, and that is no tie.
    """
    worth = result.contrasts.get("ceiling_minus_floor")
    if worth is not None and worth.defined and worth.low <= 0:
        return []
    arms: dict[Word, list[str]] = {}
    for arm, above in sorted(result.above_text.items(), key=lambda item: item[1].point):
        arms.setdefault(word(above), []).append(f"{arm} {in_words(above)}")
    words: dict[Word, str] = {
        "below": "TEXT WINS at equal tokens (latents minus text)",
        "tied": "latents and text are tied at equal tokens (latents minus text)",
        "open": "latents and text of as many tokens are not told apart (latents minus text)",
        "above": "latents win over text of as many tokens (latents minus text)",
    }
    return [f"{words[each]}: {', '.join(arms[each])}" for each in words if each in arms]


def _scored(result: EvaluationResult) -> str:
    if result.scorer == EXACT:
        return ""
    arms = in_order({*_arms(result), "floor", "shuffled"} & result.f1.keys())
    means = ", ".join(f"{arm} {span(result.f1[arm])}" for arm in arms)
    return f"right by the scorer {result.scorer!r}; mean F1 of the words: {means}"


def _past(result: EvaluationResult) -> list[str]:
    past = result.past
    if past is None:
        return []
    arms = _arms(result)

    def line(what: str, cells: Mapping[str, Cell]) -> str:
        parts = (
            f"{name}: {' of '.join(figure(cell.accuracy[arm].point) for arm in arms)}"
            for name, cell in cells.items()
        )
        return f"{what} ({' of '.join(arms)}): {', '.join(parts)}"

    lines = []
    if len(past.ages) > 1:
        lines.append(line("by chunks behind the answer", past.ages))
        lines.append(line("by values that were replaced", past.overrides))
    if past.steps:
        lines.append(line("by chunks read", past.steps))
    if drifts := [f"{arm} {in_words(past.drift[arm])}" for arm in arms if arm in past.drift]:
        questions = past.drift[arms[0]].n
        lines.append(
            f"{questions} questions asked more than once, last minus first: {', '.join(drifts)}"
        )
    return lines


def _fresh(result: EvaluationResult) -> str:
    above = result.above_stale.get(result.headline)
    if above is None or not above.defined:
        return ""
    seen = "sees" if above.low > 0 else "is NOT seen to see"
    return (
        f"freshness: {result.headline} {seen} the last third of the document: {span(above)} above "
        f"its latents without it, on the {above.n} questions that it settles"
    )


def _near_misses(result: EvaluationResult) -> str:
    counts = result.near_misses.get(result.headline, {})
    if not result.forms or not counts:  # of earlier generators few wrong answers are known
        return ""
    return f"{sum(counts.values())} wrong answers ({result.headline}): {_kinds(counts)}"


def _near_by_form(result: EvaluationResult) -> str:
    by_form = {
        form: counts
        for form, arms in result.near_misses_by_form.items()
        if (counts := arms.get(result.headline))
    }
    if not by_form:
        return ""
    parts = (f"{form} {_kinds(counts)}" for form, counts in by_form.items())
    return f"of them by form of the right answer: {'; '.join(parts)}"


def _kinds(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())


def _ranking(result: EvaluationResult) -> list[str]:
    ranking = result.ranking
    if ranking is None:
        return []
    wins = ranking.by_mean
    arms = in_order({*_arms(result), "floor", "shuffled"} & wins.right.keys())
    right = ", ".join(f"{arm} {span(wins.right[arm])}" for arm in arms)
    total = figure(ranking.by_total.right[result.headline].point)
    return [
        f"ranking candidates of {ranking.questions} questions (guessing: "
        f"{figure(ranking.chance)}), the right one wins: {right}; {result.headline} by whole "
        f"likelihood {total}",
        f"a stale one wins: {', '.join(f'{arm} {span(wins.stale[arm])}' for arm in arms)}",
    ]
