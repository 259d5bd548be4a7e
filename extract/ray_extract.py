"""Extraction on a Ray cluster: one actor per GPU, each fills ranges of shards of one store.

Ray Data schedules the numbers of the ranges; states go from the actors directly to the store,
never through Ray. When an actor or a node is lost, Ray reschedules its range on another one,
which continues after the last committed shard. The nodes share a file system.
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
    """Size of a job, for the driver."""

    shards: int
    windows: int
    pending: int
    """Documents to write."""


class ShardRangeActor:
    """Ray actor: loads the teacher once and fills one range of shards after another."""

    def __init__(self, request: ExtractionRequest) -> None:
        """Load the teacher of this request. Raises: LatentcompError."""
        self._job = prepare(request)
        self._teacher, self._tested = load_job_teacher(self._job)

    def __call__(self, batch: "dict[str, np.ndarray[Any, Any]]") -> "dict[str, Any]":
        """Fill the ranges `number` of `count`; returns their numbers and the seconds."""
        seconds = [
            fill_ranges_of_job(
                self._job,
                self._teacher,
                self._tested,
                [ShardRange(int(number), int(count))],
                None,
                _QUIET,
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
        console: shows the progress.
        address: of a running cluster, `auto` for the one this machine belongs to, or `local`.

    Raises:
        LatentcompError: Ray is not installed or has no such cluster; or the error of a worker.
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
            ranges = shard_ranges_of(Rank(0, workers), survey.shards, survey.windows)
            console.print(f"{survey.pending:,} documents in {len(ranges)} parts, {workers} workers")
            _fill_ranges(request, ranges, workers, each, console)
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise _user_error(error) from error
    return nothing_to_do(prepare(request), console)


def _fill_ranges(
    request: ExtractionRequest,
    ranges: Sequence[ShardRange],
    workers: int,
    each: dict[str, int],
    console: Console,
) -> None:
    import ray

    numbers = [{"number": shards.number, "count": shards.count} for shards in ranges]
    done = ray.data.from_items(numbers, override_num_blocks=len(numbers)).map_batches(
        ShardRangeActor,
        fn_constructor_args=(request,),
        batch_size=1,
        # Ray Data restarts lost actors and repeats their work, without a limit on the retries.
        compute=ray.data.ActorPoolStrategy(
            size=min(workers, len(ranges)), max_tasks_in_flight_per_actor=1
        ),
        **each,
    )
    for count, row in enumerate(done.iter_rows(), start=1):
        console.print(f"part {row['number']}: {row['seconds']:.1f} s, {count} of {len(ranges)}")


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


def _user_error(error: BaseException) -> LatentcompError:
    """The worker's LatentcompError inside the exceptions that Ray wraps around it."""
    wrapper: BaseException | None = error
    while wrapper is not None:
        for candidate in (wrapper, getattr(wrapper, "cause", None)):
            if isinstance(candidate, LatentcompError):
                return candidate
        wrapper = wrapper.__cause__
    return LatentcompError(f"the Ray cluster failed ({one_line(error)}); see `ray status`")
