"""`make check-models`: does the instrument read a model right, class by class of transformers?

Tiny random models of the real classes (`tiny_models.py`) go through the real command
(`latentcomp extract`), cut and whole, padded and packed; what is stored is compared with the
model's own `hidden_states` for each document alone, computed here without any code of the
extraction. Each model is *equal* or *refused* in one line; *wrong* and *traceback* are defects.

`python -m latentcomp.tools.check_models` writes docs/results/check_models.json and the table of
docs/models.md; a test compares both.
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from .. import cli
from ..common import atomic
from ..common.provenance import collect
from ..store.read.reader import FeatureStore
from .tiny_checkpoint import save_tiny
from .tiny_models import MODELS, TinyModel
from .tiny_parts import BLOCKS

ROOT: Final = Path(__file__).resolve().parents[1]
RESULT: Final = ROOT / "docs" / "results" / "check_models.json"
PAGE: Final = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- check_models:begin -->", "<!-- check_models:end -->"

BOUND: Final = 2.0**-10
"""Relative error of a token in float32 from which on a state is wrong."""
WAYS: Final = {
    "cut, padded": ("-2,-4", "padded"),
    "whole, padded": ("-1,-3", "padded"),
    "cut, packed": ("-2,-4", "packed"),
}
"""Layers and mode of reading of each extraction."""
EQUAL, REFUSED, WRONG, TRACEBACK = "equal", "refused", "wrong", "traceback"

_WORDS: Final = "On day 3 Ana Bel moved to Corvo; the code of the blue box is 4711, not 0815. "
_LENGTHS: Final = (12, 240, 45, 130, 80)
"""Characters of the documents, about 1.2 a token: shorter and longer than every window, chunk and
length at which a tiny model turns to other angles, and all in one batch."""


def check(model: TinyModel, folder: Path) -> dict[str, Any]:
    """The row of a model: a verdict, a figure or a message for each way of reading it."""
    begun, ways = time.perf_counter(), {}
    row = {"name": model.name, "kind": model.kind, "model_type": model.model_type}
    checkpoint = save_tiny(model, folder / "model")
    row["class"] = json.loads((checkpoint / "config.json").read_text())["architectures"][0]
    corpus = _write_corpus(folder / "corpus.jsonl")
    reference = _Reference(checkpoint)
    for number, (way, (layers, reading)) in enumerate(WAYS.items()):
        run = folder / f"run-{number}"
        ways[way] = _extract_and_compare(checkpoint, corpus, run, layers, reading, reference)
    verdicts = [one["verdict"] for one in ways.values()]
    worst = next(kind for kind in (TRACEBACK, WRONG, EQUAL, REFUSED) if kind in verdicts)
    return {**row, "verdict": worst, "ways": ways, "seconds": round(time.perf_counter() - begun, 1)}


class _Reference:
    """hidden_states of the whole model for one document alone; loaded when it is first needed."""

    def __init__(self, checkpoint: Path) -> None:
        self._checkpoint = checkpoint
        self._model: Any = None

    @torch.inference_mode()
    def states(self, token_ids: Sequence[int]) -> list[torch.Tensor]:
        from transformers import AutoModelForCausalLM

        if self._model is None:
            load: Any = AutoModelForCausalLM.from_pretrained
            self._model = load(self._checkpoint, dtype=torch.float32).eval()
        ids = torch.tensor([list(token_ids)])
        given = self._model(input_ids=ids, use_cache=False, output_hidden_states=True)
        return [state[0] for state in given.hidden_states]


def _extract_and_compare(
    checkpoint: Path, corpus: Path, run: Path, layers: str, reading: str, reference: _Reference
) -> dict[str, Any]:
    arguments = ["extract", "--teacher", checkpoint, "--run", run, "--corpus", corpus]
    arguments += [f"--layers={layers}", "--reading", reading, "--dtype", "float32"]
    arguments += ["--compute-dtype", "float32", "--device", "cpu", "--tokens-per-second", 1000]
    code, message = _run([str(argument) for argument in arguments])
    if code is None:
        return {"verdict": TRACEBACK, "message": message}
    if code != 0:
        refused = code == 2 and len(message.splitlines()) == 1 and message.startswith("error: ")
        message = message.replace(str(checkpoint), "MODEL").replace(str(run), "RUN")
        return {"verdict": REFUSED if refused else TRACEBACK, "message": message.strip()}
    error = _worst_error(run / "store", layers, reference)
    return {"verdict": EQUAL if error <= BOUND else WRONG, "error": float(f"{error:.1e}")}


def _worst_error(store: Path, layers: str, reference: _Reference) -> float:
    """The largest relative error of a token, of all documents and layers."""
    worst, features = 0.0, FeatureStore(store)
    numbers = sorted(int(number) for number in layers.split(","))
    for index in range(len(features)):
        document = features.read(index)
        own = reference.states(document.token_ids.tolist())
        for slot, number in enumerate(numbers):
            expected, stored = own[number], document.states[:, slot].float()
            if expected.shape != stored.shape:
                return float("inf")
            size = expected.norm(dim=-1)
            size = size.clamp_min(1e-3 * float(size.median()) + 1e-30)
            worst = max(worst, float(((stored - expected).norm(dim=-1) / size).max()))
    return worst


def _run(arguments: list[str]) -> tuple[int | None, str]:
    """Exit code and stderr of a command; no code and the last line where it left a traceback."""
    err = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        try:
            code = cli.run(arguments)
        except Exception:  # a defect, which is what is looked for
            return None, traceback.format_exc().strip().splitlines()[-1]
    lines = [line for line in err.getvalue().splitlines() if not line.startswith("[transformers]")]
    return code, "\n".join(lines)


def _write_corpus(file: Path) -> Path:
    text = _WORDS * 8
    lines = [
        json.dumps({"document_id": f"d{i}", "chunks": [{"text": text[i : i + length]}]})
        for i, length in enumerate(_LENGTHS)
    ]
    file.write_text("\n".join(lines) + "\n")
    return file


def table(record: dict[str, Any]) -> str:
    """The table of docs/models.md."""
    rows = record["models"]
    counts = {kind: sum(row["verdict"] == kind for row in rows) for kind in _KINDS}
    lines = [
        f"{len(rows)} models of transformers {record['transformers']}: "
        + ", ".join(f"{counts[kind]} {kind}" for kind in _KINDS)
        + f". Errors are relative L2 of the worst token in float32; {BLOCKS} blocks.",
        "",
        "| model | class | what is special | " + " | ".join(WAYS) + " |",
        "|---|---|---|" + "---|" * len(WAYS),
    ]
    messages: list[str] = []
    for row in rows:
        cells = [_cell(row["ways"][way], messages) for way in WAYS]
        first = f"| {row['name']} | {row['class']} | {row['kind']} | "
        lines.append(first + " | ".join(cells) + " |")
    lines += ["", "Refusals (exit code 2, nothing stored):", ""]
    lines += [f"{number}. {text}" for number, text in enumerate(messages, start=1)]
    return "\n".join(lines)


_KINDS: Final = (EQUAL, REFUSED, WRONG, TRACEBACK)


def _cell(way: dict[str, Any], messages: list[str]) -> str:
    if way["verdict"] in (EQUAL, WRONG):
        word = "equal" if way["verdict"] == EQUAL else "**wrong**"
        return f"{word} ({way['error']:.0e})"
    message = " ".join(way["message"].split())
    if message not in messages:
        messages.append(message)
    return f"{way['verdict']} [{messages.index(message) + 1}]"


def page(record: dict[str, Any], text: str) -> str:
    """docs/models.md with the table of a record between its marks."""
    before, behind = text.split(BEGIN)[0], text.split(END)[1]
    return f"{before}{BEGIN}\n{table(record)}\n{END}{behind}"


def checked(models: Sequence[TinyModel]) -> Iterator[dict[str, Any]]:
    """The row of each model, one after the other."""
    for model in models:
        with tempfile.TemporaryDirectory() as folder:
            yield check(model, Path(folder))


def main() -> None:
    """Check all models, or those named, whose rows are replaced; write record and page."""
    import transformers

    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="models to check again; all if none")
    names = parser.parse_args().names
    rows = []
    for row in checked([model for model in MODELS if not names or model.name in names]):
        rows.append(row)
        ways = "; ".join(
            f"{way}: {one['verdict']} {one.get('error', one.get('message', ''))}"
            for way, one in row["ways"].items()
        )
        print(f"{row['name']} ({row['class']}): {ways}", flush=True)  # noqa: T201
    if names:
        known = {row["name"]: row for row in json.loads(RESULT.read_bytes())["models"]}
        known |= {row["name"]: row for row in rows}
        rows = [known[model.name] for model in MODELS]
    record = {"models": rows, "transformers": transformers.__version__, "bound": BOUND}
    record |= {"provenance": collect({}, {}).model_dump(mode="json")}
    atomic.write_json(RESULT, record)
    atomic.write_text(PAGE, page(record, PAGE.read_text()))
    sys.exit(any(row["verdict"] in (WRONG, TRACEBACK) for row in rows))


if __name__ == "__main__":
    main()
