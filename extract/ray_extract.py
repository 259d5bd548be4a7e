"""Extraction on a Ray cluster: one actor a GPU, each fills parts of the one store.

Ray Data hands out the numbers of the parts; what is read goes from the actors straight to the
store, never through Ray. So Ray may lose an actor or a node at any moment: it gives the part to
another one, which goes on behind the last committed shard. The nodes share a file system.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ..common.errors import LatentcompError
from ..models.files import one_line
from .job import prepare
from .ranks import Rank
from .request import ExtractionOutcome, ExtractionRequest
from .runner import fill_ranges_of_job, load_job_teacher, nothing_to_do
from .shard_ranges import ShardRange, shard_ranges_of

if TYPE_CHECKING:
    import numpy as np

LOCAL = "local"
"""Instead of an address: a cluster on this machine alone."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What the driver has to know of a job."""

    shards: int
    windows: int
    pending: int
    """Documents to write."""


class ShardRangeActor:
    """An actor: loads the teacher once and fills one part after another."""

    def __init__(self, request: ExtractionRequest) -> None:
        """Get ready for parts of this request. Raises: LatentcompError."""
        self._job = prepare(request)
        self._teacher = load_job_teacher(self._job)

    def __call__(self, batch: "dict[str, np.ndarray[Any, Any]]") -> "dict[str, Any]":
        """Fill the parts `number` of `count`; returns their numbers and the seconds."""
        seconds = [
            fill_ranges_of_job(
                self._job, self._teacher, [ShardRange(int(number), int(count))], None, _QUIET
            )
            for number, count in zip(batch["number"], batch["count"], strict=True)
        ]
        return {"number": batch["number"], "seconds": seconds}


_QUIET = Console(quiet=True)


def extract_with_ray(
    request: ExtractionRequest, console: Console, address: str = LOCAL
) -> ExtractionOutcome:
    """Extract what is missing with every GPU of a cluster, or one CPU of every node without.

    Args:
        request: as for `runner.extract`; the run folder must be the same place on every node.
        console: told what is done.
        address: of a running cluster, `auto` for the one this machine belongs to, or `local`.

    Raises:
        LatentcompError: Ray is not there or has no such cluster; or what a worker said.
    """
    ray = _ray()
    request = _absolute(request)
    try:
        if not ray.is_initialized():
            ray.init(address=None if address == LOCAL else address, log_to_driver=False)
        gpus = int(ray.cluster_resources().get("GPU", 0))
        workers = gpus or sum(node["Alive"] for node in ray.nodes())
        each = {"num_gpus": 1} if gpus else {"num_cpus": 1}
        survey: Survey = ray.get(ray.remote(_survey).options(**each).remote(request))
        if survey.pending:
            parts = shard_ranges_of(Rank(0, workers), survey.shards, survey.windows)
            console.print(f"{survey.pending:,} documents in {len(parts)} parts, {workers} workers")
            _read_parts(request, parts, workers, each, console)
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise _told(error) from error
    return nothing_to_do(prepare(request), console)


def _read_parts(
    request: ExtractionRequest,
    parts: Sequence[ShardRange],
    workers: int,
    each: dict[str, int],
    console: Console,
) -> None:
    import ray

    numbers = [{"number": part.number, "count": part.count} for part in parts]
    done = ray.data.from_items(numbers, override_num_blocks=len(numbers)).map_batches(
        ShardRangeActor,
        fn_constructor_args=(request,),
        batch_size=1,
        # Ray Data starts lost actors again and repeats what they were doing, however often.
        compute=ray.data.ActorPoolStrategy(
            size=min(workers, len(parts)), max_tasks_in_flight_per_actor=1
        ),
        **each,
    )
    for count, row in enumerate(done.iter_rows(), start=1):
        console.print(f"part {row['number']}: {row['seconds']:.1f} s, {count} of {len(parts)}")


def _survey(request: ExtractionRequest) -> Survey:
    """Runs on a worker: the driver may have no GPU, and what `auto` means depends on that."""
    job = prepare(request)
    return Survey(job.shards, len(job.windows), len(job.pending))


def _absolute(request: ExtractionRequest) -> ExtractionRequest:
    """Paths that mean the same in every process of the cluster."""
    from dataclasses import replace
    from pathlib import Path

    corpus, teacher = request.corpus, Path(request.teacher)
    return replace(
        request,
        run=request.run.resolve(),
        corpus=corpus.resolve() if isinstance(corpus, Path) else corpus,
        teacher=str(teacher.resolve()) if teacher.is_dir() else request.teacher,
    )


def _ray() -> Any:  # noqa: ANN401 - a module
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError as error:
        raise LatentcompError(
            f"Ray is not installed ({one_line(error)}); pip install 'latentcomp[ray]'"
        ) from error
    return ray


def _told(error: BaseException) -> LatentcompError:
    """What a worker said to the user, out of what Ray wraps around it."""
    seen: BaseException | None = error
    while seen is not None:
        cause = getattr(seen, "cause", None)
        for found in (seen, cause):
            if isinstance(found, LatentcompError):
                return found
        seen = seen.__cause__
    return LatentcompError(f"the Ray cluster failed ({one_line(error)}); see `ray status`")
