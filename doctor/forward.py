"""Check 4: hidden states can be extracted and belong to the named layers."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open

from ..common.errors import TeacherError
from ..corpus.generators import LAB_GENERATOR, generator
from ..extract.self_test import Subject, free_memory, load_tested
from ..extract.teachers.reading_mode import choose_reading_mode, reading_mode
from ..extract.teachers.transformers_teacher import TransformersTeacher
from ..models.cached import how_to_get
from ..models.context import telling_lengths
from ..models.files import ModelFiles, read_config
from ..models.layers import layer_name, resolve_layer
from ..models.loading import CausalLM, TextSide, load_causal_lm, resolve_device
from ..models.local import find_local
from ..models.precision import usual_dtype
from ..store.format.schema import LayerRecord, ModelIdentity
from .findings import Finding
from .settings import Settings

TEXT: Final = "On day 12, Ana Bel moved to room 417. On day 15 she left it for room 803."
MOST_TOKENS: Final = 24

SAME: Final = {torch.float32: 1e-5, torch.bfloat16: 1e-3, torch.float16: 1e-3}
"""Distance up to which a state is the library's own: the same kernels on the same shapes."""

CLOSE: Final = {torch.float32: 1e-4, torch.bfloat16: 0.1, torch.float16: 0.05}
"""The same for a document read alone and in a batch, whose kernels sum in another order and
where a router may choose another expert on a near tie."""


@dataclass(frozen=True, slots=True)
class ForwardStates:
    """States of one document from the extraction code and from the model's own output."""

    alone: torch.Tensor
    """[tokens, layers, hidden], read as a batch of one."""
    batch: tuple[torch.Tensor, torch.Tensor]
    """The same, read in one batch with its own first half, and that half."""
    own: torch.Tensor
    """[blocks + 1, tokens, hidden]: `hidden_states` of transformers; the last is after the norm."""
    layers: tuple[LayerRecord, ...]
    """Result of `every_layer`."""
    tokens: int
    """Of the document."""


def check_forward(settings: Settings) -> Finding:
    """Read a few tokens with the extraction code and compare with `hidden_states`."""
    name = settings.teacher
    files = find_local(name, "config.json")
    if files is None:
        return Finding(
            status="unknown",
            observed=f"the model {name} is not on this machine",
            next_step=f"{how_to_get(name)}, or give --teacher a folder",
        )
    try:
        device = resolve_device(settings.device)
        needed, room = _weight_bytes(name, files.weights, device), _room(device)
        if needed > room:
            return Finding(
                status="unknown",
                observed=f"the weights of {name} take {needed / 1e9:.1f} GB here, {device} has "
                f"{room / 1e9:.1f} GB free",
                next_step="run the doctor on the machine with the card",
            )
        lm = load_causal_lm(name, device=settings.device, dtype=usual_dtype(name, device.type))
        finding = read_and_judge(lm)
        if finding.status != "ok":
            return finding
        side = TextSide(lm.tokenizer, lm.identity, lm.prompt, lm.context_tokens)
        del lm
        free_memory()
        return self_tested(finding, files, side, device)
    except TeacherError as error:
        return Finding(status="failed", observed=str(error), next_step="see `latentcomp extract`")


def read_and_judge(lm: CausalLM) -> Finding:
    """Compare the states of every layer of a loaded model with its own output."""
    token_ids = lm.encode(lm.prompt.head + TEXT)[:MOST_TOKENS]
    layers = every_layer(lm.identity.blocks)
    teacher = TransformersTeacher(lm)
    (alone,) = teacher.states([token_ids], layers)
    half = token_ids[: len(token_ids) // 2]
    long, short = teacher.states([token_ids, half], layers)
    states = ForwardStates(alone, (long, short), own_states(lm, token_ids), layers, len(token_ids))
    return judge(lm.identity, states, lm.model.dtype)


def self_tested(
    finding: Finding, files: ModelFiles, side: TextSide, device: torch.device
) -> Finding:
    """The finding with the self-test of an extraction: cut, as a run on this device would read.

    Raises:
        TeacherError: a run would be refused; says why.
    """
    blocks, dtype = side.identity.blocks, usual_dtype(files.name, device.type)
    mode = choose_reading_mode("auto", files, device, dtype, 0)
    layers = sorted({max(0, blocks - 1), blocks // 2})
    subject = Subject(
        files,
        tuple(LayerRecord(blocks_completed=depth, post_norm=False) for depth in layers),
        dtype,
        device,
        reading_mode(mode, device, dtype),
    )
    documents = _documents(files, side)
    _, tested = load_tested(subject, documents, [len(one) for one in documents])
    noise = max(layer.error for layer in tested.layers)
    return finding.model_copy(
        update={
            "observed": f"{finding.observed}; a batch of {len(tested.documents)} documents, "
            f"{mode} and cut, within {noise:.1e}",
            "details": {**finding.details, "self_test": tested.model_dump(mode="json")},
        }
    )


def _documents(files: ModelFiles, side: TextSide) -> list[list[int]]:
    """Token ids of a short chronicle and of a text as long as the model's code distinguishes."""
    generate = generator(LAB_GENERATOR).generate
    text = read_config(files).get_text_config()
    wanted = max((MOST_TOKENS, *telling_lengths(text)))
    wanted = min(wanted + MOST_TOKENS, side.context_tokens)
    first, *others = (side.encode_text(one.text) for one in generate("lab", "train", 20, 0))
    long = [token for one in (first, *others) for token in one]
    long = (long * (1 + wanted // len(long)))[:wanted]
    return [first[: min(MOST_TOKENS, side.context_tokens)], long]


def every_layer(blocks: int) -> tuple[LayerRecord, ...]:
    """All layers from the embeddings to the last block, before and after the final norm."""
    after_norm = resolve_layer(-1, blocks)
    before = LayerRecord(blocks_completed=blocks, post_norm=False)
    deeper = [resolve_layer(-k, blocks) for k in range(blocks + 1, 1, -1)]
    return (*deeper, before, after_norm)


@torch.inference_mode()
def own_states(lm: CausalLM, token_ids: Sequence[int]) -> torch.Tensor:
    """`hidden_states` of transformers, [blocks + 1, tokens, hidden], on the CPU."""
    ids = torch.tensor([list(token_ids)], device=lm.device)
    given = lm.model.base_model(input_ids=ids, use_cache=False, output_hidden_states=True)
    return torch.stack([state[0].cpu() for state in given.hidden_states])


def judge(teacher: ModelIdentity, states: ForwardStates, dtype: torch.dtype) -> Finding:
    """The finding for states that were computed in `dtype`."""
    problem = (
        _wrong_shape(states, teacher.hidden_size)
        or _not_finite(states)
        or _wrong_layer(states, SAME[dtype])
        or _batch_matters(states, CLOSE[dtype])
    )
    details = {
        "model": teacher.name,
        "blocks": teacher.blocks,
        "tokens": states.tokens,
        "dtype": str(dtype).removeprefix("torch."),
    }
    if problem:
        return Finding(
            status="failed",
            observed=f"{teacher.name}: {problem}",
            next_step="do not extract with this model and these versions; report it with --json",
            details=details,
        )
    if blurred := _blurred(states.own, SAME[dtype]):
        return Finding(
            status="unknown",
            observed=f"{teacher.name}: the states are finite, but {blurred}",
            next_step="try --device cpu, which computes in float32",
            details=details,
        )
    return Finding(
        status="ok",
        observed=f"{teacher.name}: {states.tokens} tokens x {len(states.layers)} layers x "
        f"{teacher.hidden_size}, finite, each the layer that it is called",
        details=details,
    )


def _wrong_shape(states: ForwardStates, hidden: int) -> str | None:
    long, half = states.tokens, states.tokens // 2
    for state, tokens in zip((states.alone, *states.batch), (long, long, half), strict=True):
        expected = (tokens, len(states.layers), hidden)
        if state.shape != expected:
            return f"states of shape {tuple(state.shape)} where {expected} was expected"
    return None


def _not_finite(states: ForwardStates) -> str | None:
    for slot, layer in enumerate(states.layers):
        for state in (states.alone, *states.batch):
            if not torch.isfinite(state[:, slot]).all():
                return f"a state {layer_name(layer)} is NaN or infinite"
    return None


def _wrong_layer(states: ForwardStates, same: float) -> str | None:
    """Each state must equal the entry of `hidden_states` that its layer names."""
    last = len(states.own) - 1
    for slot, layer in enumerate(states.layers):
        distances = [_distance(states.alone[:, slot], one) for one in states.own]
        nearest = min(range(len(distances)), key=distances.__getitem__)
        if layer.blocks_completed == last and not layer.post_norm:
            # The one state that the list does not have: before the norm.
            if distances[nearest] <= same:
                return f"{layer_name(layer)}: is entry {nearest} of the model's own list"
        elif distances[layer.blocks_completed] > same:
            return (
                f"{layer_name(layer)}: is not entry {layer.blocks_completed} of the model's own "
                f"list (distance {distances[layer.blocks_completed]:.1e}); nearest is {nearest}"
            )
    return None


def _blurred(own: torch.Tensor, same: float) -> str | None:
    """Adjacent layers too similar for the check to notice a mix-up."""
    for depth, (before, after) in enumerate(pairwise(own)):
        if _distance(after, before) <= same:
            return f"those after {depth} and {depth + 1} blocks are too similar to be distinguished"
    return None


def _batch_matters(states: ForwardStates, close: float) -> str | None:
    """States of a causal model do not depend on later tokens or other documents."""
    for slot, layer in enumerate(states.layers):
        for state in states.batch:
            distance = _distance(state[:, slot], states.alone[: len(state), slot])
            if distance > close:
                return f"{layer_name(layer)}: a batch reads differently (distance {distance:.1e})"
    return None


def _distance(a_TD: torch.Tensor, b_TD: torch.Tensor) -> float:
    """Median over tokens of the relative L2 distance.

    The median, because the first token of large models has a state hundreds of times as long as
    the others, which would hide them.
    """
    a_TD, b_TD = a_TD.float(), b_TD.float()
    lengths_T = b_TD.norm(dim=-1).clamp(min=1e-30)
    return float(((a_TD - b_TD).norm(dim=-1) / lengths_T).median())


def _weight_bytes(name: str, weights: Sequence[Path], device: torch.device) -> float:
    """Of the loaded weights, whatever the precision of the files."""
    size = 4 if usual_dtype(name, device.type) == "float32" else 2
    return float(sum(map(_numbers, weights))) * size


def _numbers(file: Path) -> int:
    """How many a file of weights has; none of a damaged one, of which loading says more."""
    try:
        with safe_open(file, framework="pt") as opened:
            names = opened.keys()
            return sum(prod(opened.get_slice(name).get_shape()) for name in names)
    except SafetensorError:
        return 0


def _room(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError):
        return float("inf")
