"""Append-only log of every evaluation on held-out documents: in the run, and for this machine.

A figure that was seen can be selected for, whether or not a verdict was asked for. So thin
evaluations, given corpora and given checkpoints are logged too. The second log, under the user's
state folder, is what a copy of a run folder cannot leave behind.
"""

import json
import os
import sys
import uuid
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path

from ..common import atomic
from ..common.errors import LatentcompError
from ..common.journal import append_line, read_lines
from ..common.record import Record
from ..train.recipe import Recipe
from .run_folder import RunFolder
from .sizes import SIZES

STATE = "LATENTCOMP_STATE"
"""Environment variable: folder of the machine's log, instead of ~/.local/state/latentcomp."""


class Look(Record):
    """One evaluation on held-out documents."""

    made: str
    """When, UTC."""
    run: str
    """Random name of the run folder, which its copies share."""
    trial: str
    """`phase-2/seed-0`, or the path of a given checkpoint."""
    recipe: str
    """Name of the trial's recipe, which a user may choose."""
    recipe_sha256: str = ""
    """Of what it decides, which no name changes."""
    checkpoint_sha256: str
    """Of the weights."""
    corpus_sha256: str
    """Of the documents."""
    seed: int | None
    """Of generated documents; None for given ones."""
    documents: int
    """How many."""
    ratio: float
    """Nominal tokens per latent."""
    argv: tuple[str, ...]
    """The command."""


def run_identity(run: RunFolder) -> str:
    """The random name of a run, made when its first trial begins, or at the first look."""
    if run.identity.is_file():
        try:
            return str(json.loads(run.identity.read_bytes())["run"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LatentcompError(
                f"{run.identity}: not the name of a run ({error!r}); restore it from a copy, or "
                "remove it: earlier looks of this run then count as those of another"
            ) from error
    name = uuid.uuid4().hex
    atomic.write_json(run.identity, {"run": name})
    return name


def log_look(
    run: RunFolder,
    *,
    trial: str,
    recipe: Recipe,
    checkpoint_sha256: str,
    corpus_sha256: str,
    seed: int | None,
    documents: int,
    ratio: float,
) -> None:
    """Append a look, before its figures are shown to anyone.

    Raises:
        LatentcompError: the run folder cannot be written. The machine's log may be missing.
    """
    look = Look(
        # So fine that the looks of a run and of its copies keep their order.
        made=datetime.now(UTC).isoformat(timespec="microseconds"),
        run=run_identity(run),
        trial=trial,
        recipe=recipe.name,
        recipe_sha256=recipe.sha256,
        checkpoint_sha256=checkpoint_sha256,
        corpus_sha256=corpus_sha256,
        seed=seed,
        documents=documents,
        ratio=ratio,
        argv=tuple(sys.argv),
    )
    append_line(run.looks, look)
    try:
        append_line(machine_log(), look)
    except LatentcompError:
        return  # a machine without a home: the run's own log holds it


def read_looks(run: RunFolder, weights: Collection[str] = ()) -> tuple[Look, ...]:
    """Looks of this run and of its copies on this machine, each once, the oldest first.

    Args:
        run: the run folder.
        weights: SHA-256 of weights that were trained in it. Looks with these count whichever run
            was named: `--checkpoint` takes weights anywhere.

    Raises:
        LatentcompError: a line of a log is damaged; names it.
    """
    own = read_lines(Look, run.looks)
    name = run_identity(run) if own or run.identity.is_file() else None
    every = read_lines(Look, machine_log())
    elsewhere = (look for look in every if look.run == name or look.checkpoint_sha256 in weights)
    unique = {look.model_dump_json(): look for look in (*own, *elsewhere)}
    return tuple(sorted(unique.values(), key=lambda look: look.made))


def seeds_seen(
    looks: Iterable[Look], recipe: Recipe, checkpoints: Iterable[str]
) -> dict[int, Look]:
    """Seeds of held-out documents that other weights of a recipe were measured on.

    A recipe counts under whatever name its trial was given, and given documents count where they
    are generated ones of a known seed.
    """
    own = set(checkpoints)
    same = {recipe.name, *(size.of(recipe).sha256 for size in SIZES.values())}
    return {
        look.seed: look
        for look in looks
        if look.seed is not None and not same.isdisjoint({look.recipe, look.recipe_sha256})
        if look.checkpoint_sha256 not in own
    }


def machine_log() -> Path:
    """The log of every look made by this user on this machine."""
    given = os.environ.get(STATE)
    home = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return (Path(given) if given else Path(home) / "latentcomp") / "looks.jsonl"
