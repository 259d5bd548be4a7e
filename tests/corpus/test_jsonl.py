"""Documents of one's own: dates, and every fault of a file at once, in plain words."""

import json
from datetime import date

import pytest

from latentcomp.common.errors import CorpusError
from latentcomp.corpus.dates import LAST_DATE, MOST_DAY, date_of, day_of
from latentcomp.corpus.files import corpus_sha256, read_corpus, write_corpus
from latentcomp.corpus.jsonl import SHOWN, check_jsonl
from latentcomp.corpus.records import Chunk, Document
from latentcomp.evaluate.held_out import undated_in_text


def line(name="d", *days, **more):
    chunks = [{"text": f"It is {day}.", "day": day} for day in days] or [{"text": "text"}]
    return json.dumps({"document_id": name, "chunks": chunks, **more})


def written(folder, *lines):
    path = folder / "mine.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def refused(path):
    """The message and its notes."""
    with pytest.raises(CorpusError) as caught:
        read_corpus(path)
    with pytest.raises(CorpusError) as again:
        check_jsonl(path)
    assert str(again.value) == str(caught.value)
    return [str(caught.value), *getattr(caught.value, "__notes__", [])]


def test_dates_become_days(tmp_path):
    path = written(tmp_path, line("d", "1900-01-01", "2026-11-28", "2173-10-15"))
    (document,) = read_corpus(path).documents
    assert [chunk.day for chunk in document.chunks] == [0, 46_352, MOST_DAY]
    folder = write_corpus(tmp_path / "c", [document], {})
    assert read_corpus(tmp_path / "c").sha256 == folder.sha256 == corpus_sha256([document])


def test_days_and_dates_are_inverse():
    for day in (0, 1, 46_352, MOST_DAY):
        assert day_of(str(date_of(day))) == day
    assert date_of(-1) is None and date_of(MOST_DAY + 1) is None
    assert date(2173, 10, 15) == LAST_DATE


@pytest.mark.parametrize(
    ("day", "says"),
    [
        (20261128, 'days go from 0 to 99,999; write a date as "2026-11-28", or count'),
        (1_800_000_000, "days go from 0 to 99,999"),
        (100_000, "days go from 0 to 99,999"),
        (-1, "days go from 0 to 99,999"),
        ("1899-12-31", "dates go from 1900-01-01 to 2173-10-15"),
        ("2173-10-16", "dates go from 1900-01-01 to 2173-10-15"),
        ("2026-02-30", 'it should be a whole number or a date such as "2026-11-28"'),
        ("28.11.2026", "it should be a whole number or a date"),
        ("", "it should be a whole number or a date"),
        ([], "it should be a whole number or a date"),
    ],
)
def test_days_that_would_become_others(tmp_path, day, says):
    """The compressor embeds five digits: what does not fit would be another day, unsaid."""
    (message,) = refused(written(tmp_path, line("d", day)))
    assert "line 1: chunks.0.day is " in message and says in message


def test_dates_out_of_order_are_shown_as_they_were_written(tmp_path):
    (message,) = refused(written(tmp_path, line("d", "2026-11-28", "2025-01-01")))
    assert "chunk 1 has day 2025-01-01, chunk 0 has day 2026-11-28" in message


@pytest.mark.parametrize("kinds", [(3, "2026-11-28"), ("2026-11-28", 50_000)])
@pytest.mark.parametrize("apart", [True, False])
def test_dates_and_numbers_in_one_file(tmp_path, kinds, apart):
    lines = [line("a", kinds[0]), line("b", kinds[1])] if apart else [line("a", *kinds)]
    (message,) = refused(written(tmp_path, *lines))
    assert "and line 1 has" in message and "write all days of a file in one way" in message


def test_the_first_ten_faults_are_told_and_the_others_counted(tmp_path):
    lines = [line("good")] + [line(f"d{i}", questions=[{"text": "?"}]) for i in range(12)]
    message, *notes = refused(written(tmp_path, *lines))
    assert "line 2: questions.0.answer is missing" in message
    assert "(12 faults in 12 lines)" in message and "\n" not in message
    assert notes[0] == "line 3: questions.0.answer is missing"
    assert len(notes) == SHOWN and notes[-1] == "and 2 more"


def test_all_faults_of_one_line(tmp_path):
    bad = line("d", questions=[{"txt": "?", "answer": 3}], summary="")
    message, *notes = refused(written(tmp_path, bad))
    assert "(4 faults in 1 line)" in message
    assert "questions.0.txt is not a known key (did you mean text?)" in " ".join(notes)
    assert 'summary is "": a text is needed here, at least one character' in " ".join(notes)


BAD = [
    "[1]", "3", '"text"', "null", line(5), line("d", "x"), line("d", 1.5), line("d", None, True),
    line("d", chunks={}), line("d", questions=[3]), line("d", questions=3), line(None),
    line("d", questions=[{"text": "a", "answer": "b", "evidence": ["0"]}]),
    line("d", questions=[{"text": "a", "answer": "b", "evidence": [0.5]}]),
    line("d", questions=[{"text": "a", "answer": "b", "form": 3}]),
    line("d", summary=["a"]), line("d", note="x"), '{"chunks": [3]}', '{"chunks": ["text"]}',
    line("d", questions=[{"text": "a\ud800", "answer": "b"}]),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_no_word_of_the_program_is_in_a_message(tmp_path, bad):
    told = " ".join(refused(written(tmp_path, line("first"), bad)))
    for word in ("Line", "Input", "valid", "instance", "NoneType", "dict", "pydantic", "type="):
        assert word not in told, told
    assert "line 2: " in told


def test_a_chunk_may_name_its_date_in_any_usual_way():
    day = day_of("2026-11-28")
    for text in ("On 2026-11-28.", "28 November 2026", "Nov 28th, 2026: rain", f"Day {day}."):
        assert undated_in_text([Document("d", (Chunk(0, text, day),))]) == ""
    for text in ("In 2026.", "28 November", "2026-11-27", "28 December 2026"):
        assert undated_in_text([Document("d", (Chunk(0, text, day),))]) != ""
