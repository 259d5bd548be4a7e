"""Check of a corpus with the independent solver, with answer balances and the guessing floor."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...common.errors import CorpusError
from ..records import Document, Question
from .solver import Interpretations, Solution, interpret, solve_interpreted
from .statements import NAME


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One difference between a corpus and the solver."""

    document_id: str
    question_id: str | None
    """None where the document as a whole is at fault."""
    family: str | None
    """Family that the corpus gives the question; None where the document is at fault."""
    what: str
    """`text`, `day`, `question`, `family`, `answer`, `answer_in_hindsight`, `stale_answers`,
    `evidence` or `bucket`."""
    claimed: str
    """Value in the corpus."""
    solved: str
    """Value that the solver derives from the text."""


@dataclass(frozen=True, slots=True)
class Balance:
    """How often one of two possible answers is the right one."""

    hits: int
    total: int

    @property
    def share(self) -> float:
        """Share of the hits in [0, 1]; 0 of nothing is 0."""
        return self.hits / self.total if self.total else 0.0

    def __str__(self) -> str:
        return f"{self.hits} of {self.total} ({self.share:.3f})"


@dataclass(frozen=True, slots=True)
class CorpusCheck:
    """Result of checking a corpus."""

    documents: int
    questions: int
    by_family: Mapping[str, int]
    """Number of questions of each family."""
    disagreements: tuple[Disagreement, ...]
    """Empty when every question has exactly one answer under either reading of a correction, and
    it is the one that the corpus claims."""
    duplicates: tuple[str, ...]
    """Ids of questions that repeat another's id, or its text within a document."""
    changed_yes: Balance
    """How many questions of the family `changed` have the answer yes."""
    order_first_named: Balance
    """How many questions of the family `order` name the right answer first."""
    floor: Mapping[str, Balance]
    """By family: how often the best guess that sees only the question is right. The guesses are
    learned on every other document and counted on the rest."""

    @property
    def ok(self) -> bool:
        """Whether there was something to check and there are no errors."""
        return self.questions > 0 and not self.disagreements and not self.duplicates


def check_corpus(documents: Iterable[Document]) -> CorpusCheck:
    """Answer every question of a corpus of chronicles from the text alone and compare.

    A document whose text cannot be read counts as a disagreement, not as an exception.
    """
    tally = _Tally()
    for document in documents:
        tally.add(document)
    return CorpusCheck(
        documents=tally.documents,
        questions=tally.by_family.total(),
        by_family=dict(tally.by_family),
        disagreements=tuple(tally.disagreements),
        duplicates=tuple(tally.duplicates),
        changed_yes=Balance(tally.yes, tally.by_family["changed"]),
        order_first_named=Balance(tally.first_named, tally.by_family["order"]),
        floor=tally.floor(),
    )


@dataclass(slots=True)
class _Tally:
    documents: int = 0
    by_family: Counter[str] = field(default_factory=Counter)
    disagreements: list[Disagreement] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    yes: int = 0
    first_named: int = 0
    learned: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By kind of question, how often each kind of answer was right: even documents."""
    tested: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(family, kind of question, kind of answer) of the odd documents."""

    def add(self, document: Document) -> None:
        self._disagree(document)
        texts: set[str] = set()
        for question in document.questions:
            if question.question_id in self.ids or question.text in texts:
                self.duplicates.append(question.question_id)
            self.ids.add(question.question_id)
            texts.add(question.text)
            self._count(question)
        self.documents += 1

    def _count(self, question: Question) -> None:
        self.by_family[question.family] += 1
        self.yes += question.family == "changed" and question.answer == "yes"
        kind, answer = _kinds(question)
        self.first_named += question.family == "order" and answer == "name 0"
        if self.documents % 2 == 0:
            self.learned[kind][answer] += 1
        else:
            self.tested[question.family, kind, answer] += 1

    def _disagree(self, document: Document) -> None:
        try:
            interpretations = interpret([chunk.text for chunk in document.chunks])
        except CorpusError as problem:
            what = Disagreement(document.document_id, None, None, "text", "readable", str(problem))
            self.disagreements.append(what)
            return
        for chunk, day in zip(document.chunks, interpretations.as_written.days, strict=True):
            if chunk.day != day:
                self.disagreements.append(
                    Disagreement(document.document_id, None, None, "day", str(chunk.day), str(day))
                )
        for question in document.questions:
            self.disagreements.extend(
                disagreements(document.document_id, question, interpretations)
            )

    def floor(self) -> dict[str, Balance]:
        hits: Counter[str] = Counter()
        total: Counter[str] = Counter()
        for (family, kind, answer), count in self.tested.items():
            total[family] += count
            guesses = self.learned[kind].most_common(1)
            hits[family] += count if guesses and guesses[0][0] == answer else 0
        return {family: Balance(hits[family], total[family]) for family in total}


def disagreements(
    document_id: str, question: Question, interpretations: Interpretations
) -> list[Disagreement]:
    """Everything in which a question's claims differ from what the text says."""

    def differ(what: str, claimed: object, solved: object) -> Disagreement:
        return Disagreement(
            document_id, question.question_id, question.family, what, str(claimed), str(solved)
        )

    try:
        solution: Solution = solve_interpreted(interpretations, question.text)
    except CorpusError as problem:
        return [differ("question", question.text, problem)]
    compared = (
        ("family", question.family, solution.family),
        ("answer", [question.answer], sorted(solution.answers)),
        ("answer_in_hindsight", [question.answer], sorted(solution.answers_in_hindsight)),
        ("stale_answers", question.stale_answers, solution.stale_answers),
        ("evidence", question.evidence, solution.evidence),
        ("bucket", question.bucket, solution.bucket),
    )
    return [differ(what, ours, solved) for what, ours, solved in compared if ours != solved]


def render_check(check: CorpusCheck, shown: int = 5) -> str:
    """A check as text: questions and floor by family, balances, and the first `shown` errors."""
    lines = [f"{check.documents} documents, {check.questions} questions, solved from the text"]
    width = max((len(family) for family in check.by_family), default=0)
    for family, count in check.by_family.items():
        floor = check.floor.get(family, Balance(0, 0))
        guessed = f"{floor.share:.3f} of {floor.total}" if floor.total else "not measured"
        lines.append(f"  {family:<{width}}  {count:>8} questions   guessed without text {guessed}")
    lines.append(f"changed, answer yes: {check.changed_yes}")
    lines.append(f"order, answer named first: {check.order_first_named}")
    for one in check.disagreements[:shown]:
        where = one.question_id or one.document_id
        lines.append(f"{where}: {one.what} is {one.claimed}, the text says {one.solved}")
    lines += [f"{question_id}: asked twice" for question_id in check.duplicates[:shown]]
    verdict = "every question has exactly one answer under either reading of a correction"
    wrong = f"{len(check.disagreements)} disagreements, {len(check.duplicates)} duplicates"
    lines.append(f"ok: {verdict}" if check.ok else f"not ok: {wrong}")
    return "\n".join(lines)


def _kinds(question: Question) -> tuple[str, str]:
    """The question without its names, days and order; the answer, by place if it is named."""
    named = re.findall(f"(?<!^){NAME}", question.text)
    kind = re.sub("[0-9]+", "0", re.sub(f"(?<!^){NAME}", "X", question.text))
    answer = f"name {named.index(question.answer)}" if question.answer in named else question.answer
    return kind, answer
