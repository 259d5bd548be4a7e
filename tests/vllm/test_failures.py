"""What goes wrong in vLLM reaches the user as one line, and the store keeps what it has."""

import json
import threading

import pytest
from safetensors.torch import load_file, save_file

from latentcomp.common.errors import TeacherError
from latentcomp.extract.backends import choose_backend
from latentcomp.extract.teachers.vllm import teacher as teacher_module
from latentcomp.extract.teachers.vllm.channel import StateChannel
from latentcomp.models.layers import resolve_layers
from latentcomp.store.write.commit import stage_shard

from ..extract.command_line import run_command
from . import checkpoints
from .conftest import Bench, need
from .parity import documents_of
from .test_store import PATIENT, SmallStore, options

pytestmark = pytest.mark.vllm


def test_the_state_after_the_norm_is_left_to_transformers(models, tmp_path, capsys):
    ran = run_command(capsys, *options(tmp_path / "a", "vllm", layers="-1"))
    assert "vLLM does not show the state after 48 blocks and the final norm" in ran.error
    assert "--backend transformers" in ran.error
    assert not (tmp_path / "a").exists()
    ran = run_command(capsys, *options(tmp_path / "b", "auto", layers="-1"), "--dry-run")
    assert ran.code == 0
    assert "backend: transformers (vLLM does not show the state" in ran.out


def test_auto_takes_vllm_where_it_fits(models):
    bench = Bench(models["moe"])
    chosen = choose_backend("auto", need(bench.name, bench.every_layer), None)
    assert chosen.backend == "vllm"
    assert "is installed and fits" in chosen.why


def test_heads_that_the_cpu_kernels_lack(tmp_path):
    folder = checkpoints.save(checkpoints.qwen3(head_dim=16), tmp_path / "narrow")
    bench = Bench(str(folder))
    chosen = choose_backend("auto", need(bench.name, bench.every_layer), None)
    assert (chosen.backend, chosen.why) == (
        "transformers",
        "vLLM on a CPU has no attention for heads of 16",
    )
    # vLLM itself finds out when it computes; that is one line too.
    with (
        bench.vllm([[1, 2]], bench.every_layer) as teacher,
        pytest.raises(TeacherError, match="head_dim=16") as caught,
    ):
        teacher.states([[1, 2]], bench.every_layer)
    assert "\n" not in str(caught.value)


def test_weights_that_lack_a_tensor(tmp_path):
    folder = checkpoints.save(checkpoints.qwen3(), tmp_path / "holes")
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.self_attn.q_proj.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    bench = Bench(str(folder))
    with (
        pytest.raises(
            TeacherError, match="lacks a part of model.layers.1.self_attn.qkv_proj"
        ) as caught,
        bench.vllm([[1, 2]], bench.every_layer),
    ):
        pass
    assert "\n" not in str(caught.value)
    with Bench(str(folder)).vllm([[1, 2]], resolve_layers((-3,), 3)) as teacher:
        assert len(teacher.states([[1, 2]], resolve_layers((-3,), 3))) == 1  # not of that block


def test_a_model_that_vllm_does_not_know(tmp_path):
    folder = checkpoints.save(checkpoints.qwen3(), tmp_path / "odd")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["Odd"]}))
    bench = Bench(str(folder))
    chosen = choose_backend("auto", need(bench.name, bench.every_layer), None)
    assert chosen.backend == "transformers"
    assert "vLLM's states of Odd were not compared" in chosen.why


def test_a_failing_step_ends_the_run_and_keeps_what_is_committed(tmp_path, capsys, monkeypatch):
    from latentcomp.extract.teachers.vllm.connector import StateConnector

    copy, copied = StateConnector._copy, []

    def failing(self, request):
        copied.append(request.ticket)
        if len(copied) > 10:
            raise RuntimeError("the copy\nfailed")
        return copy(self, request)

    with monkeypatch.context() as patch:
        patch.setattr(StateConnector, "_copy", failing)
        ran = run_command(capsys, *options(tmp_path / "run", "vllm"))
        assert "vLLM failed (the copy failed)" in ran.error
    ran = run_command(capsys, *options(tmp_path / "run", "vllm"))
    assert ran.code == 0


def test_a_disk_that_no_longer_answers(models, tmp_path, monkeypatch):
    small = SmallStore(Bench(models["dense"]), tmp_path / "store")
    let_go = threading.Event()

    wait = StateChannel.wait_for_release

    def stuck(*arguments, **named):
        assert let_go.wait(PATIENT)
        return stage_shard(*arguments, **named)

    def waited(self, seen, seconds):
        came = wait(self, seen, seconds)
        let_go.set()  # or the writer could not be left
        return came

    monkeypatch.setattr(StateChannel, "wait_for_release", waited)
    monkeypatch.setattr("latentcomp.store.write.pipeline.stage_shard", stuck)
    monkeypatch.setattr(teacher_module, "_COMMIT_TIMEOUT", 0.5)
    with small.vllm() as teacher, pytest.raises(TeacherError, match="no shard was committed"):
        small.fill(teacher)


def test_a_batch_that_the_cache_cannot_hold(models):
    bench = Bench(models["dense"])
    documents = documents_of(*[60] * 30)
    layers = bench.every_layer
    with bench.vllm(documents[:2], layers) as teacher:
        with pytest.raises(TeacherError, match="smaller --batch-tokens"):
            teacher.states(documents, layers)
        assert teacher.states(documents[:1], layers)[0].shape[0] == 60
