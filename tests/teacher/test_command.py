"""`latentcomp teacher summaries | answers` as a user runs it, killed ones too."""

import json

import pyarrow.parquet as pq
import pytest

from latentcomp.common.atomic import file_sha256
from latentcomp.corpus.files import read_corpus
from latentcomp.extract.teachers.text import results
from latentcomp.models.files import locate_model
from latentcomp.models.loading import load_tokenizer

from ..extract.command_line import contents, run_command
from ..processes import command as run_process
from ..processes import start
from .fake_server import MODEL, Answer, completion


def command(kind, server, corpus, out, *more):
    options = ["teacher", kind, "--corpus", corpus, "--out", out, "--teacher-url", server.url]
    return [str(part) for part in (*options, *more)]


def test_summaries(capsys, server, corpus, tmp_path):
    ran = run_command(capsys, *command("summaries", server, corpus, tmp_path, "--ratio", 4))
    assert ran.code == 0, ran.err
    documents = read_corpus(corpus).documents
    rows = results.read_summaries(tmp_path / "summaries.parquet")
    assert [row.document_id for row in rows] == [one.document_id for one in documents]
    assert all(row.summary.startswith("about ") and row.complete for row in rows)
    tokenizer = load_tokenizer(locate_model("lab"))
    tokens = [
        1 + len(tokenizer(one.text, add_special_tokens=False)["input_ids"]) for one in documents
    ]
    assert [row.budget for row in rows] == [-(-count // 4) for count in tokens]
    asked = {body["messages"][1]["content"]: body for body in server.requests}
    for document, row in zip(documents, rows, strict=True):
        (text,) = [text for text in asked if text.startswith(document.dated_text)]
        assert f"at most {row.budget} tokens" in text
        assert asked[text]["max_tokens"] == row.budget
        assert asked[text]["chat_template_kwargs"] == {"enable_thinking": False}


def test_the_record_says_how(capsys, server, corpus, tmp_path):
    server.behave = lambda number, body: Answer(
        body=completion("cut", "length" if number == 1 else "stop")
    )
    run_command(capsys, *command("summaries", server, corpus, tmp_path, "--budget", 20))
    record = results.TextRecord.model_validate_json((tmp_path / "summaries.json").read_bytes())
    assert record.file == "summaries.parquet"
    assert record.sha256 == file_sha256(tmp_path / "summaries.parquet")
    assert (record.rows, record.calls_made, record.from_cache, record.incomplete) == (6, 6, 0, 1)
    assert json.loads((tmp_path / "summaries.json").read_text())["asked"] == 6
    assert (record.prompt_tokens, record.completion_tokens) == (600, 42)
    assert record.model.id == MODEL and record.url == server.url
    assert "{budget}" in record.prompt["task"]
    assert record.sampling["temperature"] == 0.0 and record.sampling["model"] == MODEL
    assert record.corpus_sha256 == read_corpus(corpus).sha256
    assert record.provenance.inputs == {"corpus": record.corpus_sha256}


def test_answers_are_scored(capsys, server, corpus, tmp_path):
    questions = [q for one in read_corpus(corpus).documents for q in one.questions]
    right = {q.question_id: q.answer for q in questions[::2]}
    stale = {q.question_id: q.stale_answers[0] for q in questions[1::2] if q.stale_answers}
    assert right and stale

    def behave(number, body):
        text = body["messages"][1]["content"]
        said = [
            (right | stale).get(q.question_id, "nonsense")
            for one in read_corpus(corpus).documents
            for q in one.questions
            if text.startswith(one.dated_text) and f"\n{q.text}\n" in text
        ]
        return Answer(body=completion(said[0].upper() + "."))

    server.behave = behave
    ran = run_command(capsys, *command("answers", server, corpus, tmp_path))
    assert f"{len(right):,} are right" in ran.out
    rows = pq.read_table(tmp_path / "answers.parquet").to_pylist()
    assert [row["question_id"] for row in rows] == [q.question_id for q in questions]
    for row in rows:
        assert row["correct"] == (row["question_id"] in right)
        assert row["stale"] == (row["question_id"] in stale)
    assert json.loads((tmp_path / "answers.json").read_bytes())["correct"] == len(right)


@pytest.mark.parametrize("kind", ["summaries", "answers"])
def test_a_rerun_makes_no_request(capsys, server, corpus, tmp_path, kind):
    line = command(kind, server, corpus, tmp_path)
    assert run_command(capsys, *line).code == 0
    table, record = ((tmp_path / f"{kind}.{end}").read_bytes() for end in ("parquet", "json"))
    server.close()  # a request would now be an error
    ran = run_command(capsys, *line)
    assert ran.code == 0, ran.err
    assert "0 calls to make" in ran.out and MODEL in ran.out
    assert (tmp_path / f"{kind}.parquet").read_bytes() == table
    assert (tmp_path / f"{kind}.json").read_bytes() == record
    assert run_command(capsys, *line, "--model", MODEL).code == 0
    assert run_command(capsys, *line, "--temperature", 0.5).code == 2


def test_more_documents_ask_only_for_the_new_ones(capsys, server, tmp_path):
    line = ["teacher", "summaries", "--out", tmp_path, "--teacher-url", server.url, "--seed", 3]
    assert run_command(capsys, *line, "--documents", 2).code == 0
    assert run_command(capsys, *line, "--documents", 5).code == 0
    assert len(server.requests) == 5 and len(set(server.asked)) == 5


def test_killed_and_started_again(capsys, server, corpus, tmp_path):
    """SIGKILL while some calls are answered and others under way: only the latter come again."""
    server.behave = lambda number, body: Answer(wait=60.0 if number > 20 else 0.0)
    line = command("answers", server, corpus, tmp_path, "--concurrency", 4)
    process = start(run_process, *line)
    server.wait_for(24)  # 20 were answered, 4 hang
    process.kill()
    process.join()
    kept = [path for path in contents(tmp_path / "cache") if path != "served.json"]
    assert len(kept) == 20
    assert not (tmp_path / "answers.parquet").exists()
    before = server.asked
    server.behave = lambda number, body: Answer()
    again = run_command(capsys, *command("answers", server, corpus, tmp_path))
    assert again.code == 0, again.err
    everything = pq.read_table(tmp_path / "answers.parquet").num_rows
    assert len(server.asked) == len(before) + everything - 20
    assert set(server.asked[:20]).isdisjoint(server.asked[24:])


def test_what_failed_is_asked_again_and_nothing_else(capsys, server, corpus, tmp_path):
    server.behave = lambda number, body: Answer(400 if number == 3 else 200)
    line = command("summaries", server, corpus, tmp_path)
    error = run_command(capsys, *line).error
    assert "1 of 6 requests failed" in error and "document 'test-7-" in error
    assert "the 5 replies that came are kept" in error
    assert not (tmp_path / "summaries.parquet").exists()
    server.behave = lambda number, body: Answer()
    assert "1 calls to make, 5 answered before" in run_command(capsys, *line).out
    assert len(server.requests) == 7


def test_the_server_is_down(capsys, server, corpus, tmp_path):
    server.close()
    error = run_command(capsys, *command("summaries", server, corpus, tmp_path)).error
    assert f"no server answers at {server.url}" in error and "latentcomp teacher serve" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--model", "gpt-9"], f"serves {MODEL}, not 'gpt-9'"),
        (["--body", "{"], "--body '{' is no JSON object"),
        (["--body", "[]"], "--body '[]' is no JSON object"),
        (["--concurrency", "0"], "'--concurrency'"),
        (["--documents", "3"], "--documents 3 is for generated documents"),
        (["--tokenizer", "./nowhere"], "'./nowhere' is no folder"),
        (["--ratio", "0.5"], "'--ratio'"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_wrong_options(capsys, server, corpus, tmp_path, more, says):
    error = run_command(capsys, *command("summaries", server, corpus, tmp_path, *more)).error
    assert says in error
    assert server.requests == []


def test_a_corpus_without_questions(capsys, server, tmp_path):
    source = tmp_path / "mine.jsonl"
    source.write_text('{"document_id": "a", "chunks": [{"text": "Rain."}]}')
    assert (
        "no document has a question"
        in run_command(capsys, *command("answers", server, source, tmp_path / "out")).error
    )
    assert run_command(capsys, *command("summaries", server, source, tmp_path / "out")).code == 0


@pytest.mark.parametrize("damage", ["missing", "cut", "another table"])
def test_summaries_that_cannot_be_read(tmp_path, corpus, damage):
    from latentcomp.common.errors import CorpusError

    path = tmp_path / "summaries.parquet"
    if damage == "another table":
        path = corpus / "chunks.parquet"
    elif damage == "cut":
        path.write_bytes((corpus / "chunks.parquet").read_bytes()[:100])
    with pytest.raises(CorpusError, match="latentcomp teacher summaries"):
        results.read_summaries(path)
