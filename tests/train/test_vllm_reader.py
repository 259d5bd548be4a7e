"""What is handed to vLLM and taken from it; vLLM itself is in tests/vllm."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from latentcomp.common.errors import LatentcompError, TeacherError
from latentcomp.evaluate.arms.text import ceiling, floor
from latentcomp.models import vllm_versions
from latentcomp.reasoner import vllm_reader
from latentcomp.reasoner.context import longest_prompt
from latentcomp.reasoner.generate import Prefix, greedy_answers
from latentcomp.reasoner.vllm_reader import VllmReader, reader_arguments

from . import tiny

LIMIT = 6


class Engine:
    """Stands for `vllm.LLM`: the same weights, one prompt after the other, without a cache."""

    lm = tiny.lm(4)
    caching = False

    def __init__(self, **arguments):
        self.arguments, self.calls, self.closed = arguments, [], False
        caches = SimpleNamespace(enable_prefix_caching=self.caching)
        core = SimpleNamespace(shutdown=lambda: setattr(self, "closed", True))
        config = SimpleNamespace(cache_config=caches)
        self.llm_engine = SimpleNamespace(vllm_config=config, engine_core=core)
        made.append(self)

    def logits(self, x_SD):
        return self.lm.model(inputs_embeds=x_SD[None]).logits[0, -1].float()

    def generate(self, inputs, params, use_tqdm):
        assert use_tqdm is False and params.temperature == 0 and params.ignore_eos
        self.calls.append(len(inputs))
        return [
            SimpleNamespace(outputs=[self._one(one["prompt_embeds"], params)]) for one in inputs
        ]

    @torch.inference_mode()
    def _one(self, x_SD, params):
        assert x_SD.dtype == self.lm.model.dtype and x_SD.device.type == "cpu"
        tokens: list[int] = []
        logprobs: list[Any] = []
        while len(tokens) < params.max_tokens:
            likely = self.logits(x_SD).log_softmax(-1)
            best = likely.topk(getattr(params, "logprobs", 1))
            pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
            logprobs.append({i: SimpleNamespace(logprob=value) for i, value in pairs})
            tokens.append(int(likely.argmax()))
            if tokens[-1] in params.stop_token_ids:
                break
            table = self.lm.model.get_input_embeddings()
            x_SD = torch.cat([x_SD, table(torch.tensor(tokens[-1:]))])
        return SimpleNamespace(token_ids=tokens, logprobs=logprobs)


made: list[Engine] = []


@pytest.fixture(autouse=True)
def vllm(monkeypatch):
    """A module of this name with an `LLM` of the class that a test gives."""
    made.clear()
    monkeypatch.setattr(vllm_versions, "CPU_HEAD_SIZES", (8,))
    monkeypatch.setattr(vllm_reader, "why_absent", lambda: None)

    def install(engine=Engine):
        module = SimpleNamespace(LLM=engine, SamplingParams=SimpleNamespace)
        monkeypatch.setitem(sys.modules, "vllm", module)

    install()
    return install


@pytest.fixture(scope="module")
def lm():
    return Engine.lm


@pytest.fixture(scope="module")
def documents():
    return (*tiny.documents(2, chunks=2), *tiny.documents(1, chunks=4))


@pytest.fixture
def reader(lm, documents):
    return VllmReader(lm, longest_prompt(lm, documents) + LIMIT)


def asked(documents):
    return [[question.text for question in one.questions[:3]] for one in documents]


def test_the_engine_is_told_what_answers_rest_on(lm, reader):
    (engine,) = made
    assert engine.arguments == reader_arguments(lm, reader._longest)
    wanted = {"enable_prefix_caching": False, "enable_prompt_embeds": True}
    assert wanted.items() <= engine.arguments.items()
    # What a checkpoint recommends to sample with would not be greedy.
    assert engine.arguments["generation_config"] == "vllm"
    assert engine.arguments["dtype"] == "float32"


@pytest.mark.parametrize("arm", [ceiling, floor])
@pytest.mark.parametrize("held", [1, 1 << 29])
def test_answers_are_those_of_the_own_loop(lm, reader, documents, arm, held, monkeypatch):
    monkeypatch.setattr(vllm_reader, "_HELD_NUMBERS", held)
    prefixes, questions = arm(lm, documents), asked(documents)
    counts: list[int] = []
    # One document without questions, one with fewer.
    questions = [questions[0][:1], [], questions[2]]
    answers = [
        answerer(lm, prefixes, questions, most_tokens=LIMIT, on_cut=counts.append)
        for answerer in (greedy_answers, reader)
    ]
    assert answers[0] == answers[1] and counts[0] == counts[1]
    assert any(text for row in answers[1] for text in row)
    assert made[0].calls == ([1, 1, 1, 1] if held == 1 else [4])


def test_vectors_are_handed_over_as_they_are(lm, reader, documents):
    (prefix, *_) = ceiling(lm, documents)
    noise = Prefix.counted(torch.randn(prefix.x_PD.shape, generator=torch.manual_seed(0)))
    questions = asked(documents)[:1]
    theirs = reader(lm, [noise], questions, most_tokens=LIMIT)
    assert theirs == greedy_answers(lm, [noise], questions, most_tokens=LIMIT)
    assert theirs != reader(lm, [prefix], questions, most_tokens=LIMIT)


@pytest.mark.parametrize(
    ("position", "after"),
    [((0, 1, 2), 4), ((0, 4, 8), 3), ((1, 2, 3), 3), ((0, 1, 1), 3), ((0, 4, 8), 12)],
)
def test_other_positions_are_refused(lm, reader, position, after):
    prefix = Prefix(torch.ones(3, tiny.HIDDEN), torch.tensor(position), after)
    with pytest.raises(LatentcompError, match="vLLM numbers the positions") as caught:
        reader(lm, [prefix], [["Who?"]])
    assert "--backend transformers" in str(caught.value) and "\n" not in str(caught.value)
    assert made[0].calls == []


def test_too_long_a_prefix_is_refused_before_vllm_sees_it(lm, reader):
    prefix = Prefix.counted(torch.ones(reader._longest, tiny.HIDDEN))
    with pytest.raises(LatentcompError, match="places, and vLLM was started for"):
        reader(lm, [prefix], [["Who?"]])
    assert made[0].calls == []


def test_the_self_test_holds_where_both_compute_the_same(reader, documents):
    assert 0 <= reader.check(documents) < 1e-4
    assert made[0].calls == [2, 2]  # the longest and the shortest, two questions each
    assert reader.check([]) == 0


class Shifted(Engine):
    """Reads every vector one place behind where it stands."""

    def logits(self, x_SD):
        return super().logits(torch.cat([x_SD[:1], x_SD]))


class Scaled(Engine):
    """Scales vectors as some models scale what they embed."""

    def logits(self, x_SD):
        first, rest = x_SD[:1], x_SD[1:]
        return super().logits(torch.cat([first * 4, rest]))


class Blind(Engine):
    def logits(self, x_SD):
        return super().logits(x_SD) * torch.nan


@pytest.mark.parametrize("engine", [Shifted, Scaled, Blind])
def test_the_self_test_refuses_another_reading(vllm, lm, documents, engine):
    vllm(engine)
    reader = VllmReader(lm, longest_prompt(lm, documents) + LIMIT)
    with pytest.raises(TeacherError, match="answers otherwise in vLLM") as caught:
        reader.check(documents)
    assert "--backend transformers" in str(caught.value) and "\n" not in str(caught.value)


class Caching(Engine):
    caching = True


def test_a_cache_that_is_on_all_the_same_is_refused(vllm, lm):
    vllm(Caching)
    with pytest.raises(TeacherError, match="caches prefixes"):
        VllmReader(lm, 100)
    assert made[0].closed


class Broken(Engine):
    def generate(self, inputs, params, use_tqdm):
        raise RuntimeError("no\nroom")


class Unstarted(Engine):
    def __init__(self, **arguments):
        raise ValueError("no such\nmodel") from OSError("the\ndisk")


def test_failures_of_vllm_are_one_line(vllm, lm, documents):
    vllm(Broken)
    reader = VllmReader(lm, longest_prompt(lm, documents) + LIMIT)
    with pytest.raises(TeacherError, match=r"vLLM failed \(no room\); give --backend") as caught:
        reader(lm, floor(lm, documents), asked(documents))
    assert "\n" not in str(caught.value)
    vllm(Unstarted)
    with pytest.raises(TeacherError, match=r"vLLM cannot start \(the disk\); give --backend"):
        VllmReader(lm, 100)


def test_another_model_is_refused(reader, documents):
    other = tiny.lm(4, seed=1)
    with pytest.raises(ValueError, match="another model"):
        reader(other, floor(other, documents), asked(documents))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("why_absent", lambda: "vLLM is not installed: pip", "vLLM is not installed"),
        ("why_not_on", lambda kind: f"built for cuda, not {kind}", "built for cuda, not cpu"),
        ("why_not_heads", lambda config, kind: "no attention", "no attention"),
    ],
)
def test_what_does_not_fit_is_refused_before_vllm_is_started(monkeypatch, lm, name, value, reason):
    monkeypatch.setattr(vllm_reader, name, value)
    with pytest.raises(TeacherError, match=reason) as caught:
        VllmReader(lm, 100)
    assert "--backend transformers" in str(caught.value)
    assert made == []
