"""Corpora on disk: Parquet folders and bring-your-own JSONL."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latentcomp.common.buckets import BUCKETS
from latentcomp.common.errors import CorpusError
from latentcomp.corpus.chronicle import generate
from latentcomp.corpus.chronicle4 import chronicle as chronicle4
from latentcomp.corpus.files import CORPUS_VERSION, corpus_sha256, read_corpus, write_corpus
from latentcomp.corpus.records import ADDED, Chunk, Document, Question, content

GOLDEN = Path(__file__).parent / "golden" / "corpus-v1"
"""Written once by the code of format version 1."""

CHUNKS = (Chunk(0, "Ann lives in Rome.", 1), Chunk(1, "Ann moved to Oslo.", 9))
QUESTION = Question("q1", "latest", "Where?", "Oslo", ("Rome",), (1,), "middle")
DOCUMENT = Document("d1", CHUNKS, (QUESTION,), "Ann lives in Oslo.")

LINE = {
    "document_id": "d1",
    "chunks": [{"text": "Ann lives in Rome.", "day": 1}, {"text": "Ann moved to Oslo.", "day": 9}],
    "questions": [
        {
            "question_id": "q1",
            "family": "latest",
            "text": "Where?",
            "answer": "Oslo",
            "stale_answers": ["Rome"],
            "evidence": [1],
        }
    ],
    "summary": "Ann lives in Oslo.",
}

FACTS = {
    "form": "name",
    "spans": ((0, 3, 18), (1, 0, 9)),
    "needs_days": False,
    "asked_after": 1,
    "held_out": True,
    "wording": "where/2",
    "statements": ("lives/0", "moved/1"),
    "hops": 0,
    "mistakes": (("stale", "Rome"), ("other_entity", "Bonn")),
    "other_answers": ("Aker", "Oslo town"),
}
"""A value of every field that versions 2 and 3 added to a question, none of them its default."""

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
day = st.none() | st.integers(-(2**40), 2**40)

facts = st.sets(st.sampled_from(sorted(FACTS))).map(lambda used: {n: FACTS[n] for n in used})


@st.composite
def documents(draw):
    ids = draw(st.lists(text, min_size=1, max_size=4, unique=True))
    made = []
    for number, name in enumerate(ids):
        pieces = draw(st.lists(st.tuples(text, day, st.none() | text), min_size=1, max_size=4))
        chunks = tuple(Chunk(i, *piece) for i, piece in enumerate(pieces))
        asked = draw(st.lists(st.tuples(text, text, st.lists(text), st.sampled_from(BUCKETS))))
        questions = tuple(
            Question(f"{number}/{i}", "f", q, a, tuple(stale), (0,), bucket, **draw(facts))
            for i, (q, a, stale, bucket) in enumerate(asked)
        )
        extra = draw(st.tuples(st.none() | text, st.none() | text))
        made.append(Document(name, chunks, questions, *extra))
    return tuple(made)


@given(documents())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_folder_gives_back_what_was_written(tmp_path_factory, made):
    folder = tmp_path_factory.mktemp("corpus") / "corpus"
    meta = {"preset": "lab", "seed": 7}
    assert write_corpus(folder, made, meta) == read_corpus(folder)
    assert read_corpus(folder).documents == made


def test_the_same_documents_give_the_same_bytes_and_hash_whatever_the_file(tmp_path):
    first = write_corpus(tmp_path / "a", [DOCUMENT], {"seed": 1})
    write_corpus(tmp_path / "b", iter([DOCUMENT]), {"seed": 1})
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["chunks.parquet", "corpus.json", "documents.parquet", "questions.parquet"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    (tmp_path / "c.jsonl").write_text(json.dumps(LINE))
    own = read_corpus(tmp_path / "c.jsonl")
    assert own.documents == (DOCUMENT,)
    assert own.sha256 == first.sha256
    assert own.meta == {"source": "jsonl"}


def test_overwriting_a_corpus_leaves_no_moment_with_a_wrong_summary(tmp_path, monkeypatch):
    from latentcomp.corpus import files as corpus_files

    write_corpus(tmp_path, [DOCUMENT], {})

    def fail(path: Path, table: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(corpus_files, "write_parquet", fail)
    with pytest.raises(KeyboardInterrupt):
        write_corpus(tmp_path, [Document("d2", CHUNKS)], {})
    with pytest.raises(CorpusError, match="missing, so this is no complete corpus"):
        read_corpus(tmp_path)


def edited(**changes):
    line = json.loads(json.dumps(LINE))
    for path, value in changes.items():
        at = line
        *parents, last = path.split("__")
        for key in parents:
            at = at[int(key) if key.isdigit() else key]
        at[last] = value
    return json.dumps(line)


BAD_LINES = {
    "{": "not JSON at column 2",
    "[1]": "the line is [1]: it should be an object in braces",
    '{"document_id": "a"}': "chunks is missing",
    '{"document_id": "a", "chunks": []}': "chunks is []: at least one is needed",
    edited(document_id=""): 'document_id is "": a text is needed here',
    edited(document_id=5): "document_id is 5: it should be a text in quotes",
    edited(
        chunks__0__day="Monday"
    ): 'chunks.0.day is "Monday": it should be a whole number or a date such',
    edited(chunks__0__day=1.5): "chunks.0.day is 1.5",
    edited(chunks__0__day=True): "chunks.0.day is true",
    edited(chunks__0__day=2**64): f"chunks.0.day is {2**64}",
    edited(chunks__0__day=10): "chunks are not in time order: chunk 1 has day 9, chunk 0 has day",
    edited(chunks__1__text=""): "chunks.1.text is",
    edited(chunks__1__texts="x"): "chunks.1.texts is not a known key (did you mean text?)",
    edited(title="x"): "title is not a known key (document_id, chunks, questions, summary are)",
    edited(chunks__0__dated_text=""): 'chunks.0.dated_text is "": a text is needed here',
    edited(
        questions__0__form="date"
    ): 'questions.0.form is "date": it should be name, number, word, closed or yes_no',
    edited(questions__0__needs_days=True): "questions.0.needs_days is not a known key",
    edited(questions__0__held_out=True): "questions.0.held_out is not a known key",
    edited(questions__0__answer=None): "questions.0.answer is null",
    edited(questions__0__evidence=[2]): "questions.0.evidence is [",
    edited(questions__0__evidence=[1, 0]): "questions.0.evidence is [",
    edited(
        questions__0__stale_answers=["Oslo"]
    ): "questions.0: the answer 'Oslo' is also a stale answer",
    edited(questions__0__text="x" * 99 + "\ud800"): "questions.0.text",
    '{"document_id": NaN}': "NaN is no JSON number",
    "[" * 100_000: "",
}


@pytest.mark.parametrize(("line", "reason"), BAD_LINES.items(), ids=range(len(BAD_LINES)))
def test_a_bad_line_is_named_with_its_reason(tmp_path, line, reason):
    file = tmp_path / "mine.jsonl"
    good = edited(document_id="first", questions__0__question_id="other")
    file.write_text(f"{good}\n\n{line}\n")
    with pytest.raises(CorpusError) as error:
        read_corpus(file)
    message = str(error.value)
    assert message.startswith(f"{file}, line 3: {reason}" if reason else f"{file}, line 3: ")
    assert "\n" not in message
    assert len(message) < 400


def test_a_line_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(json.dumps(LINE).encode() + b"\n\xff\n")
    with pytest.raises(CorpusError, match="line 2: not UTF-8 at byte 0"):
        read_corpus(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (LINE, "line 2: document_id 'd1' is already used on line 1"),
        (LINE | {"document_id": "d2"}, "line 2: question_id 'q1' is already used on line 1"),
    ],
)
def test_ids_are_unique(tmp_path, second, message):
    (tmp_path / "a.jsonl").write_text(json.dumps(LINE) + "\n" + json.dumps(second))
    with pytest.raises(CorpusError, match=message):
        read_corpus(tmp_path / "a.jsonl")


def test_a_fault_hides_no_other_one(tmp_path):
    """A used id was not told where its line, or the earlier one, had another fault."""
    bad = edited(questions__0__evidence=[2], questions__0__stale_answers=["Oslo"])
    (tmp_path / "a.jsonl").write_text(f"{bad}\n{bad}\n")
    with pytest.raises(CorpusError) as error:
        read_corpus(tmp_path / "a.jsonl")
    assert "(5 faults in 2 lines)" in str(error.value)
    said = "\n".join(error.value.__notes__)
    assert "line 2: document_id 'd1' is already used on line 1" in said
    assert said.count("is also a stale answer") == 2


def test_what_may_be_left_out_gets_its_default(tmp_path):
    lines = {"document_id": "a", "chunks": [{"text": "x\u2028y"}]}
    lines["questions"] = [{"text": "t", "answer": "b"}]
    (tmp_path / "a.jsonl").write_text("\ufeff" + json.dumps(lines, ensure_ascii=False) + "\r\n\n")
    (document,) = read_corpus(tmp_path / "a.jsonl").documents
    assert document == Document(
        "a", (Chunk(0, "x\u2028y", None),), (Question("a/q0", "other", "t", "b"),)
    )


def test_a_user_may_say_the_form_of_an_answer_and_the_dated_text_of_a_chunk(tmp_path):
    dated = edited(questions__0__form="name", chunks__1__dated_text="Day 9. Ann moved to Oslo.")
    (tmp_path / "a.jsonl").write_text(dated)
    (document,) = read_corpus(tmp_path / "a.jsonl").documents
    assert document.questions == (replace(QUESTION, form="name"),)
    assert document.chunks == (CHUNKS[0], replace(CHUNKS[1], dated_text=document.dated_text[19:]))
    assert write_corpus(tmp_path / "c", [document], {}).sha256 == corpus_sha256([document])


def test_an_empty_corpus_is_an_error(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n \n")
    with pytest.raises(CorpusError, match="no documents in it"):
        read_corpus(tmp_path / "a.jsonl")
    with pytest.raises(CorpusError, match="no documents: ask for at least one"):
        write_corpus(tmp_path / "c", [], {})


def test_two_documents_of_one_name_or_without_chunks_are_refused(tmp_path):
    with pytest.raises(CorpusError, match="two documents are called 'd1'"):
        write_corpus(tmp_path, [DOCUMENT, DOCUMENT], {})
    with pytest.raises(CorpusError, match="'d2' has no chunks"):
        write_corpus(tmp_path, [Document("d2", ())], {})


def test_missing_files_say_so(tmp_path):
    with pytest.raises(CorpusError, match="cannot be read .No such file"):
        read_corpus(tmp_path / "none.jsonl")
    with pytest.raises(CorpusError, match="corpus.json: missing, so this is no complete corpus"):
        read_corpus(tmp_path)
    write_corpus(tmp_path, [DOCUMENT], {})
    (tmp_path / "chunks.parquet").unlink()
    with pytest.raises(CorpusError, match="chunks.parquet: missing"):
        read_corpus(tmp_path)


def test_every_flipped_bit_of_a_corpus_is_an_error(tmp_path):
    write_corpus(tmp_path, [DOCUMENT], {"seed": 1})
    whole = read_corpus(tmp_path)
    for file in sorted(tmp_path.iterdir()):
        data = file.read_bytes()
        for place in range(0, len(data), max(1, len(data) // 40)):
            changed = bytearray(data)
            changed[place] ^= 1 << place % 8
            file.write_bytes(changed)
            with pytest.raises(CorpusError, match=file.name):
                read_corpus(tmp_path)
        file.write_bytes(data)
    assert read_corpus(tmp_path) == whole


def test_a_corpus_of_a_later_format_is_refused(tmp_path):
    write_corpus(tmp_path, [DOCUMENT], {})
    file = tmp_path / "corpus.json"
    later = f'"version": {CORPUS_VERSION + 1}'
    file.write_text(file.read_text().replace('"version": 2', later))
    with pytest.raises(CorpusError, match=r"version 5 is not known here: .*write the corpus again"):
        read_corpus(tmp_path)


def test_a_version_1_corpus_is_read_with_the_hash_it_was_given(tmp_path):
    old = read_corpus(GOLDEN)
    assert '"version": 1' in (GOLDEN / "corpus.json").read_text()
    assert old.sha256 == corpus_sha256(old.documents)
    assert [d.document_id for d in old.documents] == ["test-7-000000", "test-7-000001", "d1"]
    assert old.documents[:2] == tuple(generate("lab", "test", 2, 7))
    assert old.documents[2].questions == (
        Question("q1", "latest", "Where?", "Oslo", ("Rome",), (1,), "late"),
        Question("q2", "other", "Who?", "Ann"),
    )
    written = write_corpus(tmp_path, old.documents, old.meta)
    assert written == read_corpus(tmp_path) == old, "as version 2"


def test_a_record_that_uses_nothing_new_says_what_it_said_in_version_1():
    assert corpus_sha256(read_corpus(GOLDEN).documents) == (
        "662aad29d8b088461d5cec065271ac23b5b46753d110e0abbfdd883efa6571b7"
    )
    assert content(QUESTION).keys() == {
        "question_id", "family", "text", "answer", "stale_answers", "evidence", "bucket",
    }  # fmt: skip


def test_every_field_that_came_later_is_tried():
    assert ADDED[Question].keys() == FACTS.keys()
    assert ADDED[Document].keys() == {"beginning_of"}


def test_a_beginning_is_another_document_and_of_a_version_of_its_own(tmp_path):
    part = replace(DOCUMENT, beginning_of="d")
    whole = write_corpus(tmp_path / "whole", [DOCUMENT], {})
    written = write_corpus(tmp_path / "part", [part], {})
    assert (part.original, DOCUMENT.original) == ("d", "d1") and whole.sha256 != written.sha256
    versions = [json.loads((tmp_path / x / "corpus.json").read_text()) for x in ("whole", "part")]
    assert [each["version"] for each in versions] == [2, 4]
    assert read_corpus(tmp_path / "part").documents == (part,)


@pytest.mark.parametrize(("name", "value"), FACTS.items())
def test_every_new_field_is_kept_and_counts_in_the_hash(tmp_path, name, value):
    document = replace(DOCUMENT, questions=(replace(QUESTION, **{name: value}),))
    assert write_corpus(tmp_path, [document], {}).sha256 != corpus_sha256([DOCUMENT])
    assert read_corpus(tmp_path).documents == (document,)


def test_a_dated_text_is_kept_and_read_in_place_of_the_text(tmp_path):
    twin = Chunk(1, "Ann moved to Oslo.", 9, "Day 9. Ann moved to Oslo.")
    document = replace(DOCUMENT, chunks=(CHUNKS[0], twin))
    assert write_corpus(tmp_path, [document], {}).sha256 != corpus_sha256([DOCUMENT])
    assert read_corpus(tmp_path).documents == (document,)
    assert document.text == DOCUMENT.text == DOCUMENT.dated_text
    assert document.dated_text == "Ann lives in Rome.\nDay 9. Ann moved to Oslo."
    assert document.is_dated_apart and not DOCUMENT.is_dated_apart


def test_generator_4_goes_to_disk_and_back_with_all_it_knows(tmp_path):
    made = tuple(chronicle4.generate("lab", "test", 3, 2))
    assert write_corpus(tmp_path, made, {}) == read_corpus(tmp_path)
    assert read_corpus(tmp_path).documents == made


def test_the_documented_example_is_read(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "corpus_format.md").read_text()
    example = page.split("```json\n")[1].split("```")[0]
    (tmp_path / "mine.jsonl").write_text(example)
    (document,) = read_corpus(tmp_path / "mine.jsonl").documents
    assert document.questions[0].stale_answers == ("Rome",)
    assert document.questions[0].bucket == "middle"
