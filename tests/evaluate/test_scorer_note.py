"""Answers that are counted otherwise than those who published the questions do."""

import pytest

from latentcomp.corpus.files import write_corpus
from latentcomp.corpus.outside.formats import FORMATS
from latentcomp.evaluate.held_out import explored, held_out, scorer_note

from ..train import tiny


@pytest.mark.parametrize("source", [*FORMATS, "jsonl", None, ["squad"]])
def test_another_scorer_than_the_formats_own_is_noted(tmp_path, source):
    write_corpus(tmp_path / "c", tiny.documents(2, split="test"), {"source": source})
    held = held_out(tmp_path / "c", "", 0, 0)
    own = FORMATS[source].scorer if isinstance(source, str) and source in FORMATS else None
    note = scorer_note(held, "exact")
    assert bool(note) is (own is not None)
    if own is not None:
        assert (
            f"of {source}, whose answers are counted by --scorer {own}" in note
            and "here it is exact" in note
        )
        assert scorer_note(held, own) == ""
        assert explored(tmp_path / "c", "", "test", 2, 0, 3, 1).imported == source


def test_generated_documents_are_counted_exactly():
    assert scorer_note(held_out(None, "lab", 2, 0), "squad") == ""
