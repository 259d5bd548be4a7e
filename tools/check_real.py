"""`make check-real`: is what is stored of a real pretrained model what plain transformers computes?

Real documents go through the real command (`latentcomp extract`), cut behind the deepest layer and
whole, padded and packed, and by vLLM where it is installed; each state is compared with the model's
own `hidden_states` for its document alone, in float32. Every store is then verified and some
documents are read again (`store verify --recompute`).

`python -m latentcomp.tools.check_real --corpus FILE` writes docs/results/real_parity.json.
"""

import argparse
import contextlib
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file
from torch import Tensor

from .. import cli
from ..common import atomic
from ..common.provenance import collect
from ..corpus.files import read_corpus
from ..extract.agreement import token_errors
from ..models.files import identify_model, locate_model
from ..models.layers import negative
from ..models.loading import load_causal_lm
from ..models.vllm_versions import installed_vllm
from ..store.read.reader import FeatureStore

ROOT: Final = Path(__file__).resolve().parents[1]
RESULT: Final = ROOT / "docs" / "results" / "real_parity.json"
MODEL: Final = "smollm2-135m"
LAYERS: Final = "-6,-18,-30"
BOUND: Final = 2.0**-10
"""Relative error of a token in float32 from which on a state is wrong."""
Ways = Mapping[str, tuple[str, tuple[str, ...]]]
WAYS: Final[Ways] = {
    "cut, padded": (LAYERS, ("--backend", "transformers", "--reading", "padded")),
    "whole, padded": (f"{LAYERS},-1", ("--backend", "transformers", "--reading", "padded")),
    "cut, packed": (LAYERS, ("--backend", "transformers", "--reading", "packed")),
}
"""Layers and mode of reading of each extraction."""
VLLM: Final[Ways] = {"cut, vLLM": (LAYERS, ("--backend", "vllm"))}
"""The same where vLLM is installed (`make test-vllm` installs it)."""


def check(model: str, corpus: Path, folder: Path, wanted: Ways = WAYS) -> dict[str, Any]:
    """By way of reading and layer, the errors of tokens.

    Args:
        model: as `--teacher` takes it.
        corpus: folder or JSONL file.
        folder: for the stores.
        wanted: by name, layers and options of each extraction.
    """
    lm, ways = load_causal_lm(model), dict[str, Any]()
    own: dict[str, list[Tensor]] = {}
    for number, (way, (layers, reading)) in enumerate(wanted.items()):
        run = folder / f"run-{number}"
        _command("extract", "--teacher", model, "--run", run, "--corpus", corpus,
                 f"--layers={layers}", *reading, "--dtype", "float32",
                 "--compute-dtype", "float32", "--device", "cpu")  # fmt: skip
        _command("store", "verify", "--run", run, "--recompute", 2, "--teacher", model)
        store = FeatureStore(run / "store")
        errors: dict[int, list[Tensor]] = {}
        for index in range(len(store)):
            features = store.read(index)
            if features.document_id not in own:
                own[features.document_id] = _hidden_states(lm.model, features.token_ids.tolist())
            for slot, layer in enumerate(store.manifest.layers):
                expected = own[features.document_id][negative(layer, lm.identity.blocks)]
                given = token_errors(features.states[:, slot], expected)
                errors.setdefault(negative(layer, lm.identity.blocks), []).append(given)
        ways[way] = {str(layer): _figures(torch.cat(each)) for layer, each in errors.items()}
    return ways


def rounding(weights: Path) -> dict[str, float]:
    """What bfloat16 would lose of a file of float32 weights: why they are kept in float32."""
    changed = count = 0
    error = size = 0.0
    for value in load_file(weights).values():
        rounded = value.bfloat16().float()
        changed += int((rounded != value).sum())
        count += value.numel()
        error += float((rounded - value).double().square().sum())
        size += float(value.double().square().sum())
    return {"numbers": count, "changed": changed / count, "relative_error": (error / size) ** 0.5}


def worst(ways: dict[str, Any]) -> float:
    """The largest error of all."""
    return max(float(one["worst"]) for layers in ways.values() for one in layers.values())


@torch.inference_mode()
def _hidden_states(model: Any, token_ids: Sequence[int]) -> list[Tensor]:  # noqa: ANN401
    """[tokens, hidden] of each entry of transformers' own list, one document alone."""
    ids = torch.tensor([list(token_ids)])
    given = model(input_ids=ids, use_cache=False, output_hidden_states=True)
    return [state[0] for state in given.hidden_states]


def _figures(errors_T: Tensor) -> dict[str, float]:
    return {
        "tokens": len(errors_T),
        "median": float(errors_T.median()),
        "worst": float(errors_T.max()),
        "equal": float((errors_T == 0).float().mean()),
    }


def _command(*arguments: object) -> None:
    err = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        code = cli.run([str(argument) for argument in arguments])
    if code != 0:
        raise SystemExit(f"latentcomp {arguments[0]}: exit code {code}: {err.getvalue()}")


def main() -> None:
    """Compare, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--model", default=MODEL)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wanted = {**WAYS, **(VLLM if installed_vllm() else {})}
        ways = check(given.model, given.corpus, Path(folder), wanted)
    files = locate_model(given.model)
    corpus = read_corpus(given.corpus)
    record = {
        "model": identify_model(files).model_dump(mode="json"),
        "documents": len(corpus.documents),
        "bound": BOUND,
        "verdict": "equal" if worst(ways) <= BOUND else "wrong",
        "ways": ways,
        "bfloat16": rounding(files.weights[0]),
        "provenance": collect({}, {"corpus": corpus.sha256}).model_dump(mode="json"),
    }
    atomic.write_json(RESULT, record)
    print(f"{RESULT}: {record['verdict']}, worst error of a token {worst(ways):.1e}")


if __name__ == "__main__":
    main()
