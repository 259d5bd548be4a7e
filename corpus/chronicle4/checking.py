"""Documents held against the independent solver."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .facts import Asked, Chronicle
from .problems import CorpusError
from .solving import Readings, Solution, readings, solve


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One thing in which a document and the solver differ."""

    document_id: str
    question_id: str | None
    """None where the document as a whole is at fault."""
    family: str | None
    what: str
    """`text`, `question`, `family`, `form`, `answer`, `answer_in_hindsight`, `stale_answers`,
    `spans`, `needs_days` or `asked_after`."""
    claimed: str
    found: str


@dataclass(frozen=True, slots=True)
class Check:
    """What an independent reading of documents came to."""

    documents: int
    questions: int
    by_family: Mapping[str, int]
    disagreements: tuple[Disagreement, ...]
    duplicates: tuple[str, ...]
    """Ids of questions that repeat another one's id, or its text within a document."""

    @property
    def ok(self) -> bool:
        """Whether there was something to check and nothing was found wrong."""
        return self.questions > 0 and not self.disagreements and not self.duplicates


def check(chronicles: Iterable[Chronicle], days: tuple[int, int] = (10, 99)) -> Check:
    """Answer every question from the text alone and compare.

    Args:
        chronicles: what to check.
        days: first and last day of their preset.
    """
    found: list[Disagreement] = []
    duplicates: list[str] = []
    ids: set[str] = set()
    by_family: Counter[str] = Counter()
    documents = 0
    for each in chronicles:
        documents += 1
        found += compare(each, days)
        texts: set[str] = set()
        for asked in each.asked:
            question = asked.question
            by_family[question.family] += 1
            if question.question_id in ids or question.text in texts:
                duplicates.append(question.question_id)
            ids.add(question.question_id)
            texts.add(question.text)
    total = sum(by_family.values())
    return Check(documents, total, dict(by_family), tuple(found), tuple(duplicates))


def compare(each: Chronicle, days: tuple[int, int]) -> list[Disagreement]:
    """Everything in which one document's claims differ from what its text says."""
    name = each.document.document_id
    try:
        whole = _read(each, len(each.document.chunks), days)
    except CorpusError as failure:
        return [Disagreement(name, None, None, "text", "readable", str(failure))]
    found: list[Disagreement] = []
    prefixes: dict[int, Readings | None] = {len(each.document.chunks): whole}
    for asked in each.asked:
        question = asked.question
        try:
            solution = solve(whole, question.text)
        except CorpusError as failure:
            rows = [("question", question.text, str(failure))]
        else:
            rows = _rows(asked, solution)
            after = _asked_after(each, asked, days, prefixes)
            rows.append(("asked_after", str(asked.asked_after), str(after)))
        found += [
            Disagreement(name, question.question_id, question.family, *row)
            for row in rows
            if row[1] != row[2]
        ]
    return found


def _rows(asked: Asked, solution: Solution) -> list[tuple[str, str, str]]:
    written, hindsight = solution.as_written, solution.in_hindsight
    question = asked.question
    spans = [(span.chunk, span.start, span.end) for span in asked.spans]
    places = sorted((place.chunk, place.start, place.end) for place in written.places)
    return [
        ("family", question.family, written.family),
        ("form", asked.form, written.form),
        ("answer", str([question.answer]), str(sorted(written.answers))),
        ("answer_in_hindsight", str([question.answer]), str(sorted(hindsight.answers))),
        ("stale_answers", str(question.stale_answers), str(written.stale)),
        ("spans", str(spans), str(places)),
        ("evidence", str(question.evidence), str(tuple(dict.fromkeys(p[0] for p in places)))),
        ("needs_days", str(asked.needs_days), str(len(solution.alone) > 1)),
    ]


def _read(each: Chronicle, chunks: int, days: tuple[int, int]) -> Readings:
    kept = each.document.chunks[:chunks]
    return readings([c.text for c in kept], [c.day or 0 for c in kept], *days)


def _asked_after(
    each: Chronicle, asked: Asked, days: tuple[int, int], prefixes: dict[int, Readings | None]
) -> int:
    """First chunk from which on readers of so many chunks give the answer, in both readings."""
    right = frozenset({asked.question.answer})
    chunks = len(each.document.chunks)
    while chunks > 1:
        if chunks - 1 not in prefixes:
            prefixes[chunks - 1] = _read(each, chunks - 1, days)
        known = prefixes[chunks - 1]
        try:
            solution = solve(known, asked.question.text) if known else None
        except (CorpusError, ValueError):
            solution = None
        if solution is None or {solution.as_written.answers, solution.in_hindsight.answers} != {
            right
        }:
            break
        chunks -= 1
    return chunks - 1
