"""docs/corpus.md shows what the generator gives."""

from latentcomp.corpus.chronicle4.checking import check
from latentcomp.corpus.chronicle4.chronicle import chronicles
from latentcomp.corpus.chronicle4.presets import preset

from . import record


def test_the_page_is_up_to_date():
    page = record.PAGE.read_text(encoding="utf-8")
    for name, content in record.blocks().items():
        assert record.with_block(page, name, content) == page, name


def test_the_page_prints_ten_documents():
    page = record.PAGE.read_text(encoding="utf-8")
    assert page.count("\n### test-0-") == 10


def test_every_question_that_the_page_prints_has_one_answer():
    """By the independent solver, which reads what is printed."""
    made = list(chronicles("lab", "test", 10, 0))
    page = record.PAGE.read_text(encoding="utf-8")
    for each in made:
        assert all(f"{chunk.text}\n" in page for chunk in each.document.chunks)
        families = {asked.question.family for asked in each.asked}
        (shown,) = [
            part for part in page.split("\n### ") if part.startswith(each.document.document_id)
        ]
        rows = [line for line in shown.splitlines() if line.startswith("| ")]
        assert len(rows) - 1 == len(families)
    checked = check(made, preset("lab").days)
    assert checked.documents == 10 and not checked.disagreements and not checked.duplicates
