"""The forecast of a large extraction: arithmetic by hand, no weights, no corpus."""

import json

import pytest
from transformers import Qwen3Config

from latentcomp.common.errors import TeacherError
from latentcomp.extract.forecast import forecast
from latentcomp.models.architecture import PRESETS

from .command_line import run_command

RECORD = {
    "config": {"model_type": "qwen3_moe", "num_hidden_layers": 48, "hidden_size": 2048},
    "blocks_run": 43,
    "chosen": "timed",
    "variants": [
        {
            "name": name,
            "error": None,
            "reading": {"packed": True, "compiled": "dynamic", "steady": steady},
            "tokens_per_second": {"median": rate},
        }
        for name, steady, rate in (("timed", False, 60_000.0), ("plain", True, 45_000.0))
    ],
    "provenance": {"hardware": {"gpus": ["Some Card"]}},
    "extraction": {
        "2k": {"tokens_per_second": {"median": 50_000.0}},
        "mix": {"tokens_per_second": {"median": 20_000.0}},
    },
}
LAYERS = (-6, -18, -30)


@pytest.fixture
def measured(tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps(RECORD))
    return path


def test_a_billion_tokens(measured):
    result = forecast("Qwen/Qwen3-30B-A3B", LAYERS, 10**9, within_hours=4.0, measured=measured)
    assert result.terabytes == pytest.approx(12.288)  # 3 layers x 2,048 x 2 bytes x 10^9
    short, mixed = result.rates
    assert result.hours(short) == pytest.approx(10**9 / 50_000 / 3600)
    assert (result.cards(short), result.cards(mixed)) == (2, 4)  # 5.6 and 13.9 hours in 4
    assert mixed.source == (
        "documents of 2k to 32k tokens, measured on Some Card with --reading tuned; "
        "auto takes compiled, 0.75 as fast"
    )
    assert [layer.blocks_completed for layer in result.layers] == [19, 31, 43]
    assert 61e9 < result.memory.bytes < 96e9


def test_half_the_bytes_of_a_wider_store(measured):
    wide = forecast("qwen3-30b-a3b", LAYERS, 10**9, dtype="float32", measured=measured)
    assert wide.terabytes == pytest.approx(24.576)
    assert wide.cards(wide.rates[0]) == 1


def test_told_on_the_command_line(capsys, tmp_path):
    arguments = ["extract", "--teacher", "Qwen/Qwen3-30B-A3B", "--dry-run", "--tokens", "1e9"]
    arguments += ["--run", tmp_path / "run", "--tokens-per-second", "10000"]
    ran = run_command(capsys, *arguments, "--within-hours", "10")
    assert ran.code == 0
    for fact in (
        "qwen3-30b-a3b (48 blocks x 2048)",
        "after 19 blocks, after 31 blocks, after 43 blocks; kept as bfloat16",
        "1,000,000,000",
        "12.29 TB before compression",
        "27.8 hours on one card at 10,000 tokens/s",
        "3 to be done in 10 hours",
    ):
        assert fact in ran.out
    assert not (tmp_path / "run").exists()


def test_only_with_a_dry_run(capsys, tmp_path):
    ran = run_command(capsys, "extract", "--tokens", "1e9", "--run", tmp_path / "run")
    assert "--tokens 1,000,000,000 only forecasts; give --dry-run" in ran.error


def test_what_was_not_measured(measured, tmp_path):
    with pytest.raises(TeacherError, match=r"no rate was measured for 47 blocks.*--tokens-per-s"):
        forecast("qwen3-30b-a3b", (-2,), 10, measured=measured)
    Qwen3Config(
        num_hidden_layers=12, hidden_size=64, num_attention_heads=2, vocab_size=64
    ).save_pretrained(tmp_path / "small")
    small = str(tmp_path / "small")
    with pytest.raises(TeacherError, match="no rate was measured for 7 blocks of 'small'"):
        forecast(small, (-6,), 10, measured=measured)
    given = forecast(small, (-6,), 10, tokens_per_second=5.0, measured=measured)
    assert given.terabytes == pytest.approx(10 * 64 * 2 / 1e12)
    with pytest.raises(TeacherError, match="cannot be read"):
        forecast("qwen3-30b-a3b", LAYERS, 10, measured=tmp_path / "none.json")
    with pytest.raises(TeacherError, match=f"give --teacher {PRESETS[0]}"):
        forecast("someone/no-such-model", LAYERS, 10, measured=measured)
    with pytest.raises(TeacherError, match="layer -60 does not exist"):
        forecast("qwen3-30b-a3b", (-60,), 10, measured=measured)
