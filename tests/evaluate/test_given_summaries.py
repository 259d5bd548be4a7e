"""The text baseline with summaries that another model wrote."""

from dataclasses import replace

import pytest
import torch

from latentcomp.commands.evaluation import EvaluationRequest, evaluate_trials
from latentcomp.common.errors import CorpusError
from latentcomp.evaluate import suite
from latentcomp.evaluate.arms import summary
from latentcomp.evaluate.arms.text import embed_text
from latentcomp.extract.teachers.text.results import Summary, write_summaries

from ..train import tiny
from .tiny_suite import bench


@pytest.fixture(scope="module")
def documents():
    made = [tiny.story(i, 2, split="test").document for i in range(2)]
    return [replace(document, questions=document.questions[:2]) for document in made]


@pytest.fixture(scope="module")
def lm():
    return tiny.lm(4)


def row(document_id, text):
    return Summary(document_id, text, budget=9, tokens=3, complete=True, call="0")


def test_each_document_has_its_own_summary_cut_to_its_budget(lm):
    got = summary.summary_prefixes(lm, ["On day 3 Ana.", "Bel."], [4, 50])
    cut = lm.decode(lm.encode("On day 3 Ana.")[:4])
    assert cut != "On day 3 Ana."
    for prefix, text in zip(got, (cut, "Bel."), strict=True):
        assert torch.equal(prefix.x_PD, embed_text(lm, lm.prompt.instead(text)))


def test_the_arm_reads_them_and_the_reasoner_writes_none(lm, documents, monkeypatch):
    monkeypatch.setattr(summary, "write_summaries", lambda *_: pytest.fail("the reasoner wrote"))
    texts = {document.document_id: "Nothing." for document in documents}
    made = bench(lm, arms=("summary",), summaries=texts)
    rows = suite.run_arms(made, documents, 0, lambda arm, count: None).rows
    assert sum(one.arm == "summary" for one in rows) == 4


def test_documents_without_a_summary_are_named_before_anything_is_loaded(tmp_path):
    path = tmp_path / "summaries.parquet"
    write_summaries(path, [row("test-7-000000", "x")])
    run = tmp_path / "run"
    run.mkdir()
    request = EvaluationRequest(run, "phase-4", documents=3, seed=7, summaries=path)
    with pytest.raises(CorpusError, match="no summary of 2 of 3 .*'test-7-000001'") as caught:
        evaluate_trials(request)
    command = "latentcomp teacher summaries --preset lab --split test --documents 3 --seed 7"
    assert f"`{command} --out {tmp_path}`" in str(caught.value), "the same documents, and here"
    with pytest.raises(CorpusError, match="no readable file of summaries"):
        evaluate_trials(replace(request, summaries=tmp_path / "gone.parquet"))
