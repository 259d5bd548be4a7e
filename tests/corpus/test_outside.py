"""Published question sets, in small samples of our own making: read as they say, or one line."""

import gzip
import json
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from latentcomp import cli
from latentcomp.common.errors import CorpusError
from latentcomp.corpus.dates import day_of
from latentcomp.corpus.files import read_corpus
from latentcomp.corpus.outside.formats import FORMATS, read_format
from latentcomp.corpus.outside.names import FormatName
from latentcomp.corpus.outside.texts import sentences
from latentcomp.evaluate.scores import SCORERS

CONTEXT = "The mill burned in 1840. It was built anew by Ada Stone. Nobody paid for it."
SQUAD_ROW = {
    "id": "q1",
    "title": "Mill",
    "context": CONTEXT,
    "question": "Who  built it anew?",
    "answers": {"text": ["Ada Stone", "Stone", "Ada Stone"], "answer_start": [46, 50, 46]},
}
UNANSWERABLE = SQUAD_ROW | {"id": "q2", "answers": {"text": [], "answer_start": []}}
SQUAD_JSON = {
    "version": "1.1",
    "data": [
        {
            "title": "Mill",
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "qas": [
                        {
                            "id": "q1",
                            "question": "Who built it anew?",
                            "answers": [
                                {"text": "Ada Stone", "answer_start": 46},
                                {"text": "Stone", "answer_start": 50},
                            ],
                        },
                        {"id": "q2", "question": "Why?", "answers": [], "is_impossible": True},
                    ],
                }
            ],
        }
    ],
}
TIMEQA = [
    {
        "index": "/wiki/Ada#P39",
        "questions": [
            ["Who led it in 1840?", [{"para": 2, "from": 0, "end": 3, "answer": "Ada"}]],
            ["Who led it in 1700?", [{"para": 0, "from": 0, "end": 0, "answer": ""}]],
        ],
        "paras": ["Ada", "", "Ada led it from 1838 to 1850 .", "Bea came later ."],
    },
    {"index": "x", "questions": [["Who?", [{"para": 0, "answer": ""}]]], "paras": ["Nobody ."]},
]
CHAT = {
    "question_id": "abc1",
    "question_type": "knowledge-update",
    "question": "Where do I live?",
    "answer": "Oslo",
    "question_date": "2023/06/01 (Thu) 10:00",
    "haystack_dates": ["2023/05/30 (Tue) 09:00", "2023/05/20 (Sat) 02:21"],
    "haystack_session_ids": ["late", "early"],
    "haystack_sessions": [
        [{"role": "user", "content": "I moved to\nOslo.", "has_answer": True}],
        [{"role": "user", "content": "I live in Rome."}, {"role": "assistant", "content": "Nice."}],
    ],
    "answer_session_ids": ["late"],
}
FACTS = {
    "context": "Facts:\n1. Ada leads the mill.\n0. The mill is in Rome.\n12. Bea leads it.\n",
    "questions": ["Who leads the mill?", "Where is it?"],
    "answers": [["Bea", "Bea Stone"], "Rome"],
    "metadata": {"source": "factconsolidation_sh_6k"},
}
BABI = {"input": "It rained. Mary went to the hall. John slept.", "question": "Where is Mary?",
        "target": "hall"}  # fmt: skip
RULER = {"index": 0, "input": "A number is 41.\nAnother one is 7.\nWhich numbers are told?",
         "outputs": ["41", "7"], "length": 30}  # fmt: skip


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("layout", ["json", "rows", "lines", "gzip", "parquet"])
def test_squad_in_every_layout(tmp_path, layout):
    file = tmp_path / "squad"
    rows = [SQUAD_ROW, UNANSWERABLE]
    if layout == "json":
        put(file, SQUAD_JSON)
    elif layout == "rows":
        put(file, rows)
    elif layout == "lines":
        file.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    elif layout == "gzip":
        file.write_bytes(gzip.compress(json.dumps(SQUAD_JSON).encode()))
    else:
        pq.write_table(pa.Table.from_pylist(rows), file)
    (document,) = read_format("squad", file).documents
    assert [chunk.text for chunk in document.chunks] == [
        "The mill burned in 1840.", "It was built anew by Ada Stone.", "Nobody paid for it.",
    ]  # fmt: skip
    (question,) = document.questions
    assert question.text == "Who built it anew?"
    assert (question.answers, question.evidence) == (("Ada Stone", "Stone"), (1,))
    assert question.bucket == "middle"


def test_time_sensitive_questions_have_paragraphs_and_evidence(tmp_path):
    read = read_format("timeqa", put(tmp_path / "t.json", TIMEQA))
    (document,) = read.documents
    assert [chunk.text for chunk in document.chunks][1] == "Ada led it from 1838 to 1850 ."
    (question,) = document.questions
    assert (question.answer, question.evidence, read.without) == ("Ada", (1,), 1)


def test_chats_stand_in_the_order_of_their_dates(tmp_path):
    (document,) = read_format("longmemeval", put(tmp_path / "l.json", [CHAT])).documents
    early, late = document.chunks
    assert (early.text, late.text) == (
        "user: I live in Rome. assistant: Nice.", "user: I moved to Oslo.",
    )  # fmt: skip
    assert (early.day, late.day) == (day_of("2023-05-20"), day_of("2023-05-30"))
    assert early.dated_text == "2023/05/20 (Sat) 02:21. user: I live in Rome. assistant: Nice."
    (question,) = document.questions
    assert question.text == "It is 2023/06/01 (Thu) 10:00. Where do I live?"
    assert (question.family, question.evidence) == ("knowledge-update", (1,))
    assert question.answers == ("Oslo",)


def test_questions_without_an_answer_in_the_chats_are_a_family(tmp_path):
    unknown = CHAT | {
        "question_id": "abc1_abs",
        "answer": "You did not say.",
        "answer_session_ids": [],
    }
    (document,) = read_format("longmemeval", put(tmp_path / "l.json", [unknown])).documents
    assert document.questions[0].family == "abstention" and document.questions[0].bucket is None


def test_numbered_facts_are_chunks_in_their_order(tmp_path):
    other = FACTS | {"metadata": {"source": "eventqa"}}
    (document,) = read_format(
        "fact-consolidation", put(tmp_path / "f.json", [other, FACTS])
    ).documents
    assert [(chunk.day, chunk.text) for chunk in document.chunks] == [
        (0, "The mill is in Rome."), (1, "Ada leads the mill."), (12, "Bea leads it."),
    ]  # fmt: skip
    assert [question.answers for question in document.questions] == [
        ("Bea", "Bea Stone"),
        ("Rome",),
    ]
    assert {question.family for question in document.questions} == {"factconsolidation_sh_6k"}


def test_babilong_and_ruler(tmp_path):
    (document,) = read_format("babilong", put(tmp_path / "qa1.4k.json", [BABI])).documents
    assert len(document.chunks) == 3 and document.questions[0].family == "qa1"
    file = put(tmp_path / "niah" / "validation.jsonl", RULER)
    (document,) = read_format("ruler", file).documents
    assert [chunk.text for chunk in document.chunks] == ["A number is 41.", "Another one is 7."]
    (question,) = document.questions
    assert (question.text, question.answer, question.family) == (
        "Which numbers are told?", "41, 7", "niah",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("  \n ", []),
        ("One.", ["One."]),
        ('He said "No." Then he left.\n\nLater! (Perhaps.) 5 came.',
         ['He said "No."', "Then he left.", "Later!", "(Perhaps.)", "5 came."]),
        ("no capital. after it", ["no capital. after it"]),
    ],
)  # fmt: skip
def test_sentences_cover_their_text(text, parts):
    cut = sentences(text)
    assert [part for _, part in cut] == parts
    assert all(text[start:].startswith(part) for start, part in cut)
    assert "".join("".join(parts).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("squad", b"", "no question with an answer in it"),
        ("squad", b"[1, 2]", "record 1: a int and no object"),
        ("squad", b"PAR1 and nothing else", "no Parquet, JSON or JSON lines"),
        ("squad", b"\x1f\x8bnot gzip", "no Parquet, JSON or JSON lines"),
        ("squad", b"\xff\xfe\x00", "no Parquet, JSON or JSON lines"),
        ("squad", b"[]", "no question with an answer in it: is it a file of squad?"),
        (
            "squad",
            json.dumps(TIMEQA).encode(),
            "document 1 is not as squad has it ('context' is missing)",
        ),
        ("timeqa", json.dumps([SQUAD_ROW]).encode(), "('paras' is missing)"),
        (
            "longmemeval",
            json.dumps([CHAT | {"haystack_dates": ["soon", "late"]}]).encode(),
            "document 1",
        ),
        ("longmemeval", json.dumps([CHAT | {"haystack_sessions": 3}]).encode(), "document 1"),
        ("fact-consolidation", json.dumps([FACTS | {"answers": []}]).encode(), "document 1"),
        ("babilong", json.dumps([BABI | {"target": " "}]).encode(), "has no answer"),
        ("ruler", json.dumps(RULER | {"input": "one line"}).encode(), "its prompt is one line"),
        ("narrative", b"{}", "there is no format 'narrative': choose one of squad"),
    ],
)
def test_another_file_is_one_line(tmp_path, capsys, name, content, words):
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(CorpusError) as caught:
        read_format(name, file)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert cli.run(["import", name, str(file), "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()
    assert capsys.readouterr().err.count("\n") == 1


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(CorpusError, match="cannot be read"):
        read_format("squad", tmp_path / "nowhere.json")


def test_what_was_imported_is_a_corpus_with_its_origin(tmp_path, capsys):
    file = put(tmp_path / "dev.json", [SQUAD_ROW, UNANSWERABLE])
    arguments = ["import", "squad", str(file), "--out", str(tmp_path / "out")]
    assert cli.run(arguments) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 documents, 1 questions" in shown and "--scorer squad" in shown
    corpus = read_corpus(tmp_path / "out")
    assert corpus.documents[0].questions[0].answers == ("Ada Stone", "Stone")
    assert (corpus.meta["source"], corpus.meta["file"]) == ("squad", "dev.json")
    assert cli.run(arguments) == 2, "nothing is written over"
    assert "there is something already" in capsys.readouterr().err


def test_documents_without_questions_are_kept_on_request(tmp_path, capsys):
    """For objectives that need none; a corpus without any question can be written and read."""
    file = put(tmp_path / "dev.json", [UNANSWERABLE])
    arguments = ["import", "squad", str(file), "--out", str(tmp_path / "out")]
    assert cli.run(arguments) == 2
    assert "no question with an answer" in capsys.readouterr().err
    assert cli.run([*arguments, "--keep-unasked"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 without an answer kept" in shown and "latentcomp extract" in shown
    (document,) = read_corpus(tmp_path / "out").documents
    assert document.text.startswith("The mill burned") and document.questions == ()
    mixed = put(tmp_path / "both.json", [SQUAD_ROW, UNANSWERABLE | {"context": "Another one."}])
    assert len(read_format("squad", mixed).documents) == 1
    both = read_format("squad", mixed, keep_unasked=True)
    assert [len(one.questions) for one in both.documents] == [1, 0] and both.without == 1


def test_the_command_line_knows_every_format():
    assert get_args(FormatName) == tuple(FORMATS)


def test_every_format_names_a_scorer_that_there_is():
    assert all(each.scorer in SCORERS for each in FORMATS.values())
