"""Where the optimisation of latents begins: a row of the table, or what a checkpoint writes."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..common.errors import CheckpointError, UsageError
from ..evaluate.interface.measure import ReadStates
from ..evaluate.interface.starts import STARTS, Start, of_model
from ..extract.read_documents import read_documents
from ..models.layers import parse_layers, resolve_layers
from ..models.loading import CausalLM
from ..models.names import shown_name
from ..train import checkpoint
from .ceiling_options import CeilingOptions


@dataclass(frozen=True, slots=True)
class Origin:
    """A start, and the states that it needs."""

    start: Start
    read: ReadStates | None
    """None for a start that needs no states."""
    layers: tuple[int, ...]
    sha256: str | None
    """Of the weights of a checkpoint."""


def origin_of(options: CeilingOptions, lm: CausalLM) -> Origin:
    """The start that the options name.

    Raises:
        UsageError: there is no such start and no such checkpoint.
        TeacherError: a layer does not exist.
        CheckpointError: the checkpoint is damaged, or of another teacher or reasoner.
    """
    numbers = parse_layers(options.layers)
    if options.start in STARTS:
        read: ReadStates | None = None
        if options.start == "states":
            layers = resolve_layers(numbers, lm.identity.blocks)
            read = partial(read_documents, lm, layers=layers, batch_size=options.batch_size)
        return Origin(STARTS[options.start], read, numbers, None)
    path = Path(options.start)
    if not path.exists():
        raise UsageError(
            f"--start {options.start}: there is no such start and no such folder; give "
            f"{', '.join(STARTS)}, or the folder of a checkpoint"
        )
    opened = checkpoint.open_checkpoint(path)
    spec = opened.state.spec
    for role, identity in (("teacher", spec.teacher), ("reasoner", spec.reasoner)):
        if identity.weights_sha256 != lm.identity.weights_sha256:
            raise CheckpointError(
                f"--start {path}: its {role} is {shown_name(identity)!r} (weights "
                f"{identity.weights_sha256[:12]}...), and the reasoner here is "
                f"{lm.identity.name!r} ({lm.identity.weights_sha256[:12]}...); give a checkpoint "
                "of a control of this reasoner"
            )
    read = partial(read_documents, lm, layers=spec.layers, batch_size=options.batch_size)
    start = of_model(opened.model().to(lm.device).eval())
    return Origin(start, read, numbers, opened.state.sha256[checkpoint.MODEL])
