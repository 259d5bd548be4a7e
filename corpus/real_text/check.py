"""Documents of real text held against the independent reader: every question, every day."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ...common.buckets import bucket_of
from ..records import Document, Question
from .solve import Section, Solution, day_number, sections, solve, written


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing in which a document and its text differ."""

    question_id: str | None
    """None where the document as a whole is at fault."""
    what: str
    claimed: str
    solved: str


def check(document: Document, source: str) -> list[Fault]:
    """Everything in which a document of the format `source` is not what its text says.

    Of a question: understood, family, right answer and only that, other ways to write it, stale
    answers, evidence and bucket; and the answer stands in the chunks that are its evidence.
    """
    read = sections(document, source)
    faults = list(_days(document, read))
    texts = Counter(question.text for question in document.questions)
    for question in document.questions:
        solution = solve(question.text, read)
        if solution is None:
            faults.append(Fault(question.question_id, "question", question.text, ""))
            continue
        faults.extend(
            Fault(question.question_id, what, claimed, solved)
            for what, claimed, solved in _differences(document, question, solution)
            if claimed != solved
        )
        if texts[question.text] > 1:
            faults.append(Fault(question.question_id, "twice", question.text, ""))
    return faults


def _days(document: Document, read: list[Section]) -> Iterator[Fault]:
    days = [chunk.day for chunk in document.chunks]
    known = [day for day in days if day is not None]
    if known != sorted(known):
        yield Fault(None, "order", str(days), str(sorted(known)))
    for section in read:
        if section.day is None and not document.questions:
            continue  # the beginning of an entry that is longer than a document
        for chunk in {chunk for chunk, _ in section.lines}:
            solved = None if section.day is None else day_number(section.day)
            if days[chunk] != solved:
                yield Fault(None, "day", str(days[chunk]), str(solved))


def _differences(
    document: Document, question: Question, solution: Solution
) -> Iterator[tuple[str, str, str]]:
    """(what, as the corpus has it, as the text has it)."""
    evidence = tuple(sorted(set(solution.evidence)))
    same = {_plain(each, solution.family) for each in question.answers}
    yield "family", question.family, solution.family
    yield "answer", str(sorted(same)), str(sorted(solution.answers))
    yield "stale_answers", str(sorted(question.stale_answers)), str(sorted(solution.stale))
    yield "evidence", str(question.evidence), str(evidence)
    yield "bucket", str(question.bucket), bucket_of(evidence[-1], len(document.chunks))
    yield "asked_after", str(question.asked_after), str(evidence[-1])
    yield "needs_days", str(question.needs_days), "False"
    stands = any(question.answer in document.chunks[index].text for index in evidence)
    yield "text", "the answer stands in the evidence", "the answer stands in the evidence" * stands
    wrong = {value for _, value in question.mistakes} | set(question.stale_answers)
    yield "mistakes", str(sorted(wrong & set(question.answers))), "[]"


def _plain(answer: str, family: str) -> str:
    """Ways to write one answer as one."""
    if family == "released":
        return str(written(answer) or answer)
    return answer.lstrip("#") if family == "bug" else answer
