"""What a store would be given is the model's own hidden state, or the run is refused in a line."""

import json
from contextlib import contextmanager

import pytest
import torch
from transformers import AutoModelForCausalLM

from latentcomp.common.errors import TeacherError
from latentcomp.extract.agreement import IN_FLOAT32, token_errors
from latentcomp.extract.sample import MOST_TOKENS, choose_sample
from latentcomp.extract.self_test import Subject, load_tested
from latentcomp.extract.teachers.hooks import blocks_of
from latentcomp.extract.teachers.loading import load_teacher
from latentcomp.extract.teachers.reading_mode import PADDED, ReadingMode
from latentcomp.extract.teachers.reference import in_float32
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.models.files import locate_model
from latentcomp.models.layers import resolve_layers
from latentcomp.tools.tiny_checkpoint import save_tiny
from latentcomp.tools.tiny_models import MODELS
from latentcomp.tools.tiny_parts import BLOCKS

PACKED = ReadingMode(packed=True)
BY_NAME = {model.name: model for model in MODELS}
DOCUMENTS = [[(7 * i + k) % 300 for i in range(length)] for k, length in enumerate((11, 90, 40))]
LENGTHS = [len(document) for document in DOCUMENTS]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Folder of a tiny checkpoint by its name in the table, made once."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = save_tiny(BY_NAME[name], tmp_path_factory.mktemp("tiny") / name)
        return made[name]

    return make


def subject(folder, numbers, mode=PADDED, dtype="float32"):
    layers = resolve_layers(numbers, BLOCKS)
    return Subject(locate_model(str(folder)), layers, dtype, torch.device("cpu"), mode)


def own_states(folder, document):
    """hidden_states of transformers for one document alone."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        given = model(torch.tensor([document]), use_cache=False, output_hidden_states=True)
    return [state[0] for state in given.hidden_states]


def assert_own(folder, numbers, mode=PADDED):
    """The tested teacher reads every document of a batch as the model reads it alone."""
    tested = subject(folder, numbers, mode)
    teacher, record = load_tested(tested, DOCUMENTS, LENGTHS)
    assert record.reference == "whole" and len(record.layers) == len(numbers)
    states = teacher.states(DOCUMENTS, tested.layers)
    for document, read in zip(DOCUMENTS, states, strict=True):
        own = own_states(folder, document)
        for slot, layer in enumerate(tested.layers):
            place = -1 if layer.post_norm else layer.blocks_completed
            assert float(token_errors(read[:, slot], own[place]).max()) < 1e-4


def slow(*names):
    """Models that are checked by `make test-slow` alone, beside others of their kind."""
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("mode", [PADDED, PACKED], ids=str)
@pytest.mark.parametrize("name", ["phi3-longrope", "deepseek-v3", *slow("deepseek-v2", "minicpm3")])
def test_batches_of_short_and_long_are_read_as_alone(tiny, name, mode):
    assert_own(tiny(name), [-2, -4], mode)


@pytest.mark.parametrize(
    "name", ["minicpm3", "bamba", *slow("jamba", "falcon-h1", "nemotron-h", "granite", "smollm3")]
)
@pytest.mark.parametrize("number", [-3])
def test_a_cut_changes_nothing_in_the_blocks_that_stay(tiny, name, number):
    assert_own(tiny(name), [number])
    layers = resolve_layers([number], BLOCKS)
    cut = load_teacher(str(tiny(name)), layers, dtype="float32", device="cpu")
    (states,) = TransformersTeacher(cut).states(DOCUMENTS[1:2], layers)
    own = own_states(tiny(name), DOCUMENTS[1])
    assert float(token_errors(states[:, 0], own[number]).max()) < 1e-4


@pytest.mark.parametrize("name", ["bloom", "mpt", "gemma3", *slow("opt", "gpt2", "xglm")])
def test_models_without_usual_names_are_read(tiny, name):
    assert_own(tiny(name), [-1, -3])


def refusal(folder, numbers=(-2,), mode=PADDED, dtype="float32"):
    with pytest.raises(TeacherError) as caught:
        load_tested(subject(folder, numbers, mode, dtype), DOCUMENTS, LENGTHS)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    "name", ["llama-bidirectional", "qwen2-bidirectional", "gemma3-bidirectional"]
)
def test_a_model_whose_tokens_see_later_ones_is_refused(tiny, name):
    text = refusal(tiny(name))
    assert "behind" in text
    assert text.endswith("give a causal language model")


@pytest.mark.parametrize("name", ["llama-bidirectional", "gemma3-bidirectional"])
def test_so_is_one_whose_config_does_not_say_so(tiny, monkeypatch, name):
    monkeypatch.setattr("latentcomp.extract.self_test.refuse_bidirectional", lambda *_: None)
    text = refusal(tiny(name))
    assert "the state after 3 blocks changes with the text behind it" in text


def test_an_encoder_is_refused(tiny):
    assert "decoder blocks was not found" in refusal(tiny("bert"))


@pytest.mark.parametrize("name", ["llama-bidirectional", "gemma3-bidirectional"])
def test_such_a_model_is_not_read_without_a_store_either(tiny, name):
    layers = resolve_layers([-2], BLOCKS)
    lm = load_teacher(str(tiny(name)), layers, dtype="float32", device="cpu")
    with pytest.raises(TeacherError, match="tokens see those behind them"):
        TransformersTeacher(lm)


@pytest.mark.parametrize("name", ["mamba", *slow("mamba2", "rwkv")])
def test_a_list_of_states_that_does_not_begin_with_the_embeddings_is_refused(tiny, name):
    text = refusal(tiny(name))
    assert "after 3 blocks" in text
    assert "entry 2 of its own hidden_states is this one, not entry 3" in text


def test_several_vectors_a_token_are_refused(tiny):
    assert "not one vector a token" in refusal(tiny("gemma3n-text"))


def test_code_that_fails_is_one_line(tiny):
    assert "its own code fails in a batch" in refusal(tiny("llama4-text"), [-1])


def plant(monkeypatch, fault):
    """A fault of the real path alone: the reference does not go through `_read`."""
    original = TransformersTeacher._read

    def read(self, token_ids_BT, layers, **more):
        return fault(original(self, token_ids_BT, layers, **more))

    monkeypatch.setattr(TransformersTeacher, "_read", read)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("mode", [PADDED, PACKED], ids=str)
def test_a_planted_fault_is_found_and_its_layer_named(tiny, monkeypatch, mode, dtype):
    plant(monkeypatch, lambda states: [states[0], 1.01 * states[1]])
    text = refusal(tiny("qwen3"), (-2, -4), mode, dtype)
    assert "the state after 3 blocks" in text and "bound 0.00098" in text


def test_a_fault_of_half_precision_alone_is_found(tiny, monkeypatch):
    def coarse(states):
        return [x if x.dtype == torch.float32 else x.round() for x in states]

    plant(monkeypatch, coarse)
    assert "in bfloat16, bound" in refusal(tiny("qwen3"), dtype="bfloat16")


def test_infinite_states_are_refused_with_a_way_out(tiny, monkeypatch):
    def overflow(states):
        return [x if x.dtype == torch.float32 else x * 1e5 for x in states]

    plant(monkeypatch, overflow)
    text = refusal(tiny("qwen3"), dtype="float16")
    assert text.endswith("is NaN or infinite in float16; give --compute-dtype float32")


def test_where_padding_helps_it_is_named(tiny, monkeypatch):
    """A packed row that is read as one long document."""
    original = TransformersTeacher.read_packed

    def read_packed(self, packing, layers):
        return [x.roll(1, 0) for x in original(self, packing, layers)]

    monkeypatch.setattr(TransformersTeacher, "read_packed", read_packed)
    assert refusal(tiny("qwen3"), mode=PACKED).endswith("; give --reading padded")
    monkeypatch.setattr(TransformersTeacher, "read_packed", None)
    text = refusal(tiny("qwen3"), mode=PACKED)
    assert "its own code fails in a batch, packed" in text
    assert text.endswith("; give --reading padded")
    monkeypatch.undo()
    load_tested(subject(tiny("qwen3"), (-2,)), DOCUMENTS, LENGTHS)


@pytest.mark.parametrize("name", ["qwen3", "qwen3-moe"])
def test_float32_comes_and_goes_without_a_trace(tiny, name):
    layers = resolve_layers([-2], BLOCKS)
    narrow = load_teacher(str(tiny(name)), layers, dtype="bfloat16", device="cpu")
    wide = load_teacher(str(tiny(name)), layers, dtype="bfloat16", device="cpu")
    wide.model.float()
    before = [weight.clone() for weight in narrow.model.parameters()]
    with in_float32(narrow.model, blocks_of(narrow.model, narrow.identity)):
        (inside,) = TransformersTeacher(narrow).states(DOCUMENTS[:1], layers)
    (expected,) = TransformersTeacher(wide).states(DOCUMENTS[:1], layers)
    assert inside.dtype == torch.float32 and torch.equal(inside, expected)
    after = list(narrow.model.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert {weight.dtype for weight in after} == {torch.bfloat16}


@contextmanager
def no_float32(*_):
    if _:
        raise TeacherError("expected BFloat16")
    yield


@pytest.mark.parametrize("mode", [PADDED, PACKED], ids=str)
def test_kernels_that_know_no_float32_leave_the_runs_precision(tiny, monkeypatch, mode):
    monkeypatch.setattr("latentcomp.extract.self_test.in_float32", no_float32)
    tested = subject(tiny("qwen3-moe"), (-2,), mode, "bfloat16")
    _, record = load_tested(tested, DOCUMENTS, LENGTHS)
    assert [layer.float32 for layer in record.layers] == [None]
    plant(monkeypatch, lambda states: [1.3 * x for x in states])
    assert "in bfloat16, bound 0.12" in refusal(tiny("qwen3"), mode=mode, dtype="bfloat16")
    patched = "latentcomp.extract.self_test.refuse_bidirectional"
    monkeypatch.setattr(patched, lambda *_: None)
    assert "its tokens see later ones" in refusal(tiny("llama-bidirectional"), dtype="bfloat16")


def test_the_sample_reaches_behind_what_tells():
    documents = [[0] * 100, [0] * 90, [0] * 80] + [[0] * 80] * 80 + [[0] * 3000]
    lengths = [len(one) for one in documents]
    plain = choose_sample(documents, lengths, (), ())
    assert [len(one) for one in plain.documents] == [80, 50, 100]
    behind = choose_sample(documents, lengths, (600, 9000), (600,))
    assert [len(one) for one in behind.documents] == [80, 601, 664]
    one = choose_sample(documents[-1:], lengths[-1:], (), ())
    third, half = MOST_TOKENS // 3, MOST_TOKENS // 2
    assert [len(each) for each in one.documents] == [third, half, MOST_TOKENS]


def test_a_model_that_does_not_fit_whole_gives_a_cut_reference(tiny, monkeypatch):
    monkeypatch.setattr("latentcomp.extract.self_test._fits", lambda _: False)
    tested = subject(tiny("minicpm3"), [-4, -3])
    teacher, record = load_tested(tested, DOCUMENTS, LENGTHS)
    assert record.reference == "cut"
    assert all(layer.float32 is not None and layer.float32 < IN_FLOAT32 for layer in record.layers)
    (states,) = teacher.states(DOCUMENTS[1:2], tested.layers)
    own = own_states(tiny("minicpm3"), DOCUMENTS[1])
    assert float(token_errors(states[:, 1], own[-3]).max()) < 1e-4


def test_the_record_of_a_run_holds_it(finished):
    (session,) = json.loads((finished / "extract.json").read_text())["sessions"]
    tested = session["self_test"]
    assert [layer["blocks_completed"] for layer in tested["layers"]] == [2, 4]
    assert all(layer["float32"] <= IN_FLOAT32 for layer in tested["layers"])
    assert tested["reference"] == "whole" and tested["seconds"] > 0
    assert not (finished / "store" / "extract.json").exists()
