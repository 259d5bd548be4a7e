"""The self-test before every extraction: the real path against the model's own plain forward.

Documents of the run itself are read twice: alone, uncut, by the model's own forward with
`output_hidden_states` (`teachers/reference.py`), and together in one batch as the run will read
them (cut, padded or packed, compiled, by another engine). Whatever makes the two differ, the run
is refused before anything is stored. Bounds are in `agreement.py`, what it costs in docs/models.md.
"""

import gc
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import torch

from ..common.errors import TeacherError
from ..models.blocks import cut_blocks, find_blocks, no_blocks
from ..models.context import switch_lengths, telling_lengths
from ..models.files import ModelFiles, identify_model, read_config
from ..models.loading import DTYPES, load_weights
from ..store.format.schema import LayerRecord, ModelIdentity
from .agreement import Expected, Read, agree, has_experts, not_finite, sees_ahead
from .sample import LEAST_TOKENS, Sample, choose_sample, shortened
from .self_test_record import LayerAgreement, SelfTest
from .teachers.loading import LoadedTeacher, blocks_needed
from .teachers.protocol import Teacher
from .teachers.readable import refuse_bidirectional
from .teachers.reading_mode import PADDED, ReadingMode, restore_blocks
from .teachers.reference import in_float32, keep, plain_failures, reference_states
from .teachers.transformers_teacher import TransformersTeacher

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_ANOTHER: Final = "give another teacher"
_SPARE: Final = 0.9
"""Share of the free memory that the whole model may take for the sake of the reference."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be tested: a model and how it will be read."""

    files: ModelFiles
    layers: tuple[LayerRecord, ...]
    compute_dtype: str
    device: torch.device
    mode: ReadingMode = PADDED

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the run."""
        return DTYPES[self.compute_dtype]


@dataclass(frozen=True, eq=False, slots=True)
class Prepared:
    """The reference of a sample."""

    identity: ModelIdentity
    sample: Sample
    expected: tuple[Expected, ...]
    whole: bool
    flips: bool
    seconds: float


def load_tested(
    subject: Subject, documents: Sequence[Sequence[int]], lengths: Sequence[int]
) -> tuple[TransformersTeacher, SelfTest]:
    """Load a teacher that reads these layers, tested on its own first documents.

    The weights are read once: the whole model gives the reference, then loses its last blocks.

    Raises:
        TeacherError: the model cannot be loaded, or its states are not those that they should be;
            names the first layer that differs.
    """
    base, prepared = prepare_reference(subject, documents, lengths)
    begun, identity = time.perf_counter(), prepared.identity
    kept = blocks_needed(subject.layers, identity.blocks)
    if kept is not None:
        cut_blocks(base, identity.blocks, kept)
        free_memory()
    lm = LoadedTeacher(identity, base)
    try:
        with plain_failures(identity, f"in a batch, {subject.mode}"):
            teacher, read = _read_twice(lm, prepared, subject)
        figures, fault = _judge(prepared, subject, read)
    except TeacherError as error:
        if not subject.mode.packed or not _padded_agrees(lm, prepared, subject):
            raise
        raise TeacherError(str(error).replace(_ANOTHER, "give --reading padded")) from error
    if fault is not None:
        raise TeacherError(f"{fault}; {_advice(fault, lm, prepared, subject)}")
    seconds = prepared.seconds + time.perf_counter() - begun
    return teacher, _record(prepared, subject, str(subject.mode), figures, seconds)


def prepare_reference(
    subject: Subject, documents: Sequence[Sequence[int]], lengths: Sequence[int]
) -> tuple["PreTrainedModel", Prepared]:
    """Load a model, whole where it fits, and read a sample with its own forward.

    Returns:
        The model without its head and not yet cut, and the reference.

    Raises:
        TeacherError: it cannot be loaded or read, or its tokens see later ones.
    """
    identity, config = identify_model(subject.files), read_config(subject.files)
    refuse_bidirectional(config, identity)
    kept = blocks_needed(subject.layers, identity.blocks)
    whole = kept is None or kept + 1 >= identity.blocks or _fits(subject)
    present = identity.blocks if whole or kept is None else kept + 1
    model = load_weights(subject.files, subject.dtype, subject.device, None if whole else present)
    base, text = cast("PreTrainedModel", model.base_model), config.get_text_config()
    del model
    begun = time.perf_counter()
    switches = switch_lengths(text)
    sample = choose_sample(documents, lengths, telling_lengths(text), switches)
    while True:
        try:
            expected = _expect(base, identity, sample, subject, present)
            break
        except torch.OutOfMemoryError as error:
            free_memory()
            most = len(sample.long) // 2
            if most < LEAST_TOKENS:
                raise TeacherError(
                    f"model {identity.name!r}: {len(sample.long)} tokens do not fit into the "
                    f"memory of {subject.device} beside it; free some or give another --device"
                ) from error
            sample = shortened(sample, most, switches)
    prepared = Prepared(
        identity, sample, expected, whole, has_experts(text), time.perf_counter() - begun
    )
    if fault := not_finite(expected, subject.layers):
        raise TeacherError(f"{_named(identity, fault)}; check its weights, or {_ANOTHER}")
    fault = sees_ahead(expected, subject.layers, subject.compute_dtype, flips=prepared.flips)
    if fault is not None:
        raise TeacherError(_named(identity, fault) + "; give a causal language model")
    return base, prepared


def check_engine(prepared: Prepared, subject: Subject, teacher: Teacher, engine: str) -> SelfTest:
    """Test another engine, which has weights of its own, on the same sample.

    Raises:
        TeacherError: its states are not those of the model's own forward.
    """
    begun = time.perf_counter()
    narrow = teacher.states(prepared.sample.documents, subject.layers)
    figures, fault = _judge(prepared, subject, [Read(None, states) for states in narrow])
    if fault is not None:
        raise TeacherError(fault + "; give --backend transformers")
    seconds = prepared.seconds + time.perf_counter() - begun
    return _record(prepared, subject, engine, figures, seconds)


def _expect(
    base: "PreTrainedModel",
    identity: ModelIdentity,
    sample: Sample,
    subject: Subject,
    present: int,
) -> tuple[Expected, ...]:
    """The reference of every document, in float32 and in the run's precision."""
    blocks = _blocks(base, identity)
    places = _places(subject.layers, present, identity.blocks)

    def read_all() -> list[dict[int, torch.Tensor]]:
        return [
            keep(reference_states(base, identity, one, present), places) for one in sample.documents
        ]

    narrow = read_all()
    if subject.dtype == torch.float32:
        return tuple(Expected(one, one) for one in narrow)
    try:
        with in_float32(base, blocks):
            wide = read_all()
    except TeacherError:  # it could be read a moment ago: a kernel that knows no float32
        return tuple(Expected(one, one) for one in narrow)
    return tuple(Expected(a, b) for a, b in zip(wide, narrow, strict=True))


def _read_twice(
    lm: LoadedTeacher, prepared: Prepared, subject: Subject
) -> tuple[TransformersTeacher, list[Read]]:
    """The teacher of the run, and what it reads of the sample: in float32 and as the run will."""
    sample, wide = prepared.sample, None
    if not prepared.expected[0].coarse:  # before the blocks are compiled
        wide = _read_wide(lm, sample, subject.layers, subject.mode)
    teacher = TransformersTeacher(lm, subject.mode)
    narrow = teacher.states(sample.documents, subject.layers)
    if subject.dtype == torch.float32:
        wide = narrow
    if wide is None:
        return teacher, [Read(None, states) for states in narrow]
    return teacher, [Read(a, b) for a, b in zip(wide, narrow, strict=True)]


def _read_wide(
    lm: LoadedTeacher, sample: Sample, layers: Sequence[LayerRecord], mode: ReadingMode
) -> list[torch.Tensor]:
    """The sample as one batch in float32; the kernel is the one that knows float32."""
    plain = TransformersTeacher(lm, ReadingMode(packed=mode.packed))
    with in_float32(lm.model, _blocks(lm.model, lm.identity)):
        return plain.states(sample.documents, layers)


def _judge(
    prepared: Prepared, subject: Subject, read: Sequence[Read]
) -> tuple[tuple[LayerAgreement, ...], str | None]:
    """Figures of every layer, and the message of the first fault."""
    figures, fault = agree(
        prepared.expected, read, subject.layers, subject.compute_dtype, flips=prepared.flips
    )
    return figures, None if fault is None else _named(prepared.identity, fault)


def _advice(fault: str, lm: LoadedTeacher, prepared: Prepared, subject: Subject) -> str:
    """The next step, which is tried before it is named."""
    if "NaN" in fault:
        return "give --compute-dtype float32"
    if subject.mode.packed and _padded_agrees(lm, prepared, subject):
        return "give --reading padded"
    return _ANOTHER


def _padded_agrees(lm: LoadedTeacher, prepared: Prepared, subject: Subject) -> bool:
    """Whether the sample is read right where documents are padded, whatever failed before."""
    restore_blocks(_blocks(lm.model, lm.identity))
    try:
        wide = _read_wide(lm, prepared.sample, subject.layers, PADDED)
    except Exception:  # the code of several hundred classes; only a yes or no is wanted
        return False
    padded = [Read(states, states) for states in wide]
    _, fault = agree(prepared.expected, padded, subject.layers, "float32", flips=prepared.flips)
    return fault is None


def _record(
    prepared: Prepared,
    subject: Subject,
    reading: str,
    figures: tuple[LayerAgreement, ...],
    seconds: float,
) -> SelfTest:
    return SelfTest(
        documents=tuple(len(one) for one in prepared.sample.documents),
        reference="whole" if prepared.whole else "cut",
        compute_dtype=subject.compute_dtype,
        reading=reading,
        layers=figures,
        seconds=round(seconds, 3),
    )


def _named(identity: ModelIdentity, fault: str) -> str:
    return f"model {identity.name!r} ({identity.architecture}): {fault}"


def _blocks(base: "PreTrainedModel", identity: ModelIdentity) -> torch.nn.ModuleList:
    blocks = find_blocks(base, identity.blocks)
    if blocks is None:
        raise TeacherError(no_blocks(f"{identity.name} ({identity.architecture})", identity.blocks))
    return blocks


def _places(layers: Sequence[LayerRecord], present: int, blocks: int) -> tuple[int, ...]:
    """Entries of the model's own list for these layers and their neighbours: to name a mix-up."""
    last = present if present == blocks else present - 1  # a cut model's last one has a norm
    wanted = {layer.blocks_completed + step for layer in layers for step in (-1, 0, 1)}
    return tuple(sorted(place for place in wanted if 0 <= place <= last))


def _fits(subject: Subject) -> bool:
    """Whether the whole model leaves some of the free memory of its device."""
    stored = getattr(read_config(subject.files), "dtype", None) or torch.bfloat16
    size = sum(file.stat().st_size for file in subject.files.weights)
    needed = size * subject.dtype.itemsize / stored.itemsize
    if subject.device.type == "cuda":
        return needed <= _SPARE * float(torch.cuda.mem_get_info(subject.device)[0])
    try:
        room = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return True
    return needed <= _SPARE * room


def free_memory() -> None:
    """Give memory that is no longer used back to the device; on a CPU it goes by itself."""
    if torch.cuda.is_available():  # looking for circles takes longer than to read a small model
        gc.collect()
        torch.cuda.empty_cache()
