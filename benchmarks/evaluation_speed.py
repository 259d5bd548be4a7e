"""CPU seconds of an evaluation, by arm: packed rows beside padded ones, in alternation.

`python benchmarks/evaluation_speed.py` asks the questions of the same held-out documents once for
every arm that `latentcomp evaluate --phase 4` measures of the shipped checkpoint. Every batch is
answered in both ways, padded (as everything was until 2026-11-29, `reasoner/padded_reading.py`) and
packed (`reasoner/packed_reading.py`), one right after the other and in changing order, so other
work of the machine slows both alike. CPU seconds are those of the process, on one thread.
`positions` counts what passes through the blocks of the reasoner, padding included.

`matrix_products` is how long the products of weights and these positions alone would take at the
rate that this machine reached in between: no way of reading the same positions in the same
precision is faster. Then the whole command runs once, as a process of its own and on one thread by
default: on a machine that is busy with other work, threads that wait for each other burn seconds
that are no work.

Writes to `docs/results/evaluation_speed.json`.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import torch
from rich.console import Console

from latentcomp.commands.evaluate_options import EvaluateOptions
from latentcomp.commands.evaluation_models import load_models, name_teacher
from latentcomp.commands.measuring import bench_of
from latentcomp.commands.subjects import subjects_of
from latentcomp.common.atomic import write_json
from latentcomp.common.provenance import collect
from latentcomp.corpus.records import Document
from latentcomp.evaluate.answer_limit import answer_limit
from latentcomp.evaluate.arms.latents import compress_documents
from latentcomp.evaluate.arms.table import select_arms
from latentcomp.evaluate.bench import ArmInputs, Bench
from latentcomp.evaluate.held_out import held_out
from latentcomp.models.loading import CausalLM
from latentcomp.models.world import generator_for
from latentcomp.reasoner import generate
from latentcomp.reasoner.body import blocks_of
from latentcomp.reasoner.generate import Prefix, greedy_answers
from latentcomp.reasoner.packed_reading import PackedReading

WAYS: Final = ("padded", "packed")


@dataclass
class Measured:
    """What one way took of one arm."""

    cpu: float = 0.0
    wall: float = 0.0
    positions: int = 0
    answers: list[list[str]] = field(default_factory=list)


@contextmanager
def way_of_reading(way: str) -> Iterator[None]:
    """Context in which batches are read in one of `WAYS`."""
    real = PackedReading.can
    if way == "padded":
        PackedReading.can = staticmethod(lambda *given: False)  # type: ignore[method-assign]
    try:
        yield
    finally:
        PackedReading.can = staticmethod(real)  # type: ignore[method-assign]


def measure_arm(
    bench: Bench, documents: tuple[Document, ...], prefixes: list[Prefix], limit: int
) -> dict[str, Measured]:
    """Answer every question in both ways, batch by batch in turn."""
    lm, size = bench.reasoner, bench.batch_size
    found = {way: Measured() for way in WAYS}
    for number, start in enumerate(range(0, len(documents), size)):
        batch = slice(start, start + size)
        texts = [[one.text for one in document.questions] for document in documents[batch]]
        for way in WAYS if number % 2 else reversed(WAYS):
            with way_of_reading(way), counted(lm, found[way]):
                found[way].answers += greedy_answers(
                    lm, prefixes[batch], texts, most_tokens=limit, batch_size=size
                )
    return found


@contextmanager
def counted(lm: CausalLM, into: Measured) -> Iterator[None]:
    """Add the seconds and positions of what happens within."""

    def hook(_block: torch.nn.Module, args: tuple[Any, ...]) -> None:
        into.positions += args[0].shape[0] * args[0].shape[1]

    handle = blocks_of(lm)[0].register_forward_pre_hook(hook)
    cpu, wall = time.process_time(), time.monotonic()
    try:
        yield
    finally:
        into.cpu += time.process_time() - cpu
        into.wall += time.monotonic() - wall
        handle.remove()


def flop_rate(width: int = 128, inner: int = 384, rows: int = 3000) -> float:
    """Floating-point operations per CPU second of a product as large as those of the reasoner."""
    x, weight = torch.randn(rows, width), torch.randn(inner, width)
    times = []
    for _ in range(30):
        before = time.process_time()
        torch.nn.functional.linear(x, weight)
        times.append(time.process_time() - before)
    return 2 * width * inner * rows / median(times)


def run_command(documents: int, seed: int, threads: int) -> dict[str, Any]:
    """The whole command in a process of its own: CPU and wall seconds, imports included."""
    with tempfile.TemporaryDirectory(prefix="latentcomp-speed-") as folder:
        line = ["-m", "latentcomp", "evaluate", "--phase", "4", "--documents", str(documents)]
        before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run(
            [sys.executable, *line, "--seed", str(seed)],
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        wall = time.monotonic() - wall
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    load = os.getloadavg()[0]
    return {
        "documents": documents,
        "threads": threads,
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "load_average": load,
    }


def rows_of(bench: Bench, documents: tuple[Document, ...], seed: int) -> dict[str, Any]:
    """Every arm in both ways, and making the latents."""
    limit = answer_limit(bench.reasoner, documents)
    before = time.process_time()
    latents = compress_documents(bench, documents, lambda done: None).prefixes
    rows: dict[str, Any] = {"states": {"cpu_seconds": time.process_time() - before}}
    weights = sum(
        module.weight.numel()
        for module in blocks_of(bench.reasoner).modules()
        if isinstance(module, torch.nn.Linear)
    )
    with torch.inference_mode():
        inputs = ArmInputs(bench, documents, latents, seed)
        for arm in select_arms(bench.arms, documents):
            found = measure_arm(bench, documents, arm.make(inputs), limit)
            padded, packed = (found[way] for way in WAYS)
            pairs = zip(padded.answers, packed.answers, strict=True)
            rows[arm.name] = {
                "cpu_seconds": {way: found[way].cpu for way in WAYS},
                "positions": {way: found[way].positions for way in WAYS},
                "ratio": padded.cpu / packed.cpu,
                "answers": sum(map(len, padded.answers)),
                "answers_that_differ": sum(
                    a != b for one, other in pairs for a, b in zip(one, other, strict=True)
                ),
                "matrix_products": 2 * weights * packed.positions / flop_rate(),
            }
            Console().print(arm.name, rows[arm.name])
    return rows


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=16)
    parser.add_argument("--command-documents", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1, help="of the command")
    parser.add_argument("--seed", type=int, default=771)
    parser.add_argument("--json", type=Path, default=Path("docs/results/evaluation_speed.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="latentcomp-speed-") as folder:
        run = Path(folder)
        request = EvaluateOptions(run=run, documents=options.documents, device="cpu").request()
        subject = subjects_of(request)[0]
        name = name_teacher(request, subject.state.spec.teacher)[0]
        teacher, reasoner = load_models(request, [subject])
        documents = held_out(
            None, "lab", options.documents, options.seed, generator_for(name, None)
        ).documents
        bench = bench_of(request, subject, teacher, reasoner)
        greedy_answers(reasoner, [Prefix.counted(torch.zeros(1, 128))], [["What?"]])
        rows = rows_of(bench, documents, options.seed)
    write_json(
        options.json,
        {
            "documents": len(documents),
            "questions": sum(len(one.questions) for one in documents),
            "batch_size": bench.batch_size,
            "way_now": type(generate.reading(reasoner, *_one(reasoner))).__name__,
            "arms": rows,
            "command": run_command(options.command_documents, options.seed, options.threads),
            "provenance": collect(
                {"documents": options.seed}, {"checkpoint": subject.sha256}
            ).model_dump(mode="json"),
        },
    )


def _one(lm: CausalLM) -> tuple[list[Prefix], list[list[list[int]]]]:
    prefix = Prefix.counted(torch.zeros(1, lm.identity.hidden_size))
    return [prefix], [[lm.encode_question("What?")]]


if __name__ == "__main__":
    main()
