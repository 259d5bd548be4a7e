"""docs/corpus4.md shows what the generator gives."""

from . import record


def test_the_page_is_up_to_date():
    page = record.PAGE.read_text(encoding="utf-8")
    for name, content in record.blocks().items():
        assert record.with_block(page, name, content) == page, name


def test_the_page_prints_ten_documents():
    page = record.PAGE.read_text(encoding="utf-8")
    assert page.count("\n### test-0-") == 10
