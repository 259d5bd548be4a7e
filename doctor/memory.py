"""Check 3: extraction, training and evaluation fit on the GPU with 10 % to spare."""

from dataclasses import replace
from typing import Any

import torch

from ..common.errors import TeacherError
from ..compressor.config import ModelConfig
from ..models.architecture import PRESETS, Architecture, load_architecture
from ..models.footprint import SPARE, ControlStep, MemoryPlan, control, evaluation, extraction
from ..models.precision import computes_again, resolved_dtype
from .compressor import compressor_needs
from .findings import Finding
from .settings import DEFAULT_CARD_GB, Settings


def check_memory(settings: Settings) -> Finding:
    """Plan all jobs for the card of this machine, or for one of the size that was given."""
    try:
        model = load_architecture(settings.architecture)
    except TeacherError as error:
        return Finding(
            status="failed", observed=str(error), next_step="give another --architecture"
        )
    if model is None:
        return Finding(
            status="unknown",
            observed=f"the config of {settings.architecture} is not on this machine",
            next_step=f"`hf download {settings.architecture} config.json`, or give --architecture "
            f"{' or '.join(PRESETS)} or a folder",
        )
    card = card_bytes(settings.card_gb)
    return judge(model, plans(model, settings), card, settings)


def card_bytes(card_gb: float | None) -> float:
    """Bytes of the card: the given size, that of this machine's GPU, or 96 GB."""
    if card_gb is None and torch.cuda.is_available():
        return float(torch.cuda.get_device_properties(0).total_memory)
    return (card_gb or DEFAULT_CARD_GB) * 1e9


def plans(model: Architecture, settings: Settings) -> tuple[MemoryPlan, ...]:
    """Memory plans of extraction, training and evaluation for these settings."""
    dtype = resolved_dtype(settings.dtype, settings.architecture, "cuda")
    return (
        extraction(model, batch_tokens=settings.batch_tokens, layers=settings.layers, dtype=dtype),
        control(model, training_step(model, settings, settings.documents_at_once)),
        evaluation(model, evaluated_batch(model, settings, settings.documents_at_once)),
    )


def judge(
    model: Architecture, planned: tuple[MemoryPlan, ...], card: float, settings: Settings
) -> Finding:
    """Whether all plans leave a tenth of the card free."""
    dtype = resolved_dtype(settings.dtype, settings.architecture, "cuda")
    parts = [
        f"{plan.name} {plan.bytes / 1e9:.1f} GB ({1 - plan.bytes / card:.0%} spare)"
        for plan in planned
    ]
    details: dict[str, Any] = {
        "architecture": model.name,
        "parameters": model.parameters,
        "card_gb": card / 1e9,
        "spare_share": SPARE,
        "formula": "counted for the Qwen3 family"
        if model.family.startswith("qwen3")
        else "an estimate for this family",
        "plans": {
            plan.name: {line.name: line.bytes / 1e9 for line in plan.lines}
            | {"total": plan.bytes / 1e9, "fits": plan.fits(card)}
            for plan in planned
        },
        "largest_batch_tokens": most_batch_tokens(model, card, settings),
        "largest_batch_size": most_documents(model, card, settings),
        "largest_evaluated": most_evaluated(model, card, settings),
        "dtype": dtype,
        "checkpointing": training_step(model, settings, 1).checkpointing,
    }
    summary = f"{model.name} in {dtype} on {card / 1e9:.0f} GB: {', '.join(parts)}"
    if all(plan.fits(card) for plan in planned):
        return Finding(status="ok", observed=summary, details=details)
    smaller = not settings.sizes_given and all(_largest(details).values())
    return Finding(
        status="ok" if smaller else "failed",
        observed=f"{summary}; {SPARE:.0%} must stay free"
        + (", and does with smaller batches than the default ones" if smaller else ""),
        next_step=_step_down(details),
        details=details,
    )


def most_batch_tokens(model: Architecture, card: float, settings: Settings) -> int:
    """Most tokens that extraction may read at once; 0 if not even one fits."""
    dtype = resolved_dtype(settings.dtype, settings.architecture, "cuda")
    one, two = (
        extraction(model, batch_tokens=n, layers=settings.layers, dtype=dtype).bytes for n in (1, 2)
    )
    return _most(card, one, two - one)


def most_documents(model: Architecture, card: float, settings: Settings) -> int:
    """Most documents in a step of a training; 0 if not even one fits."""
    one, two = (control(model, training_step(model, settings, n)).bytes for n in (1, 2))
    return _most(card, one, two - one)


def most_evaluated(model: Architecture, card: float, settings: Settings) -> int:
    """Most documents in a batch of an evaluation; 0 if not even one fits."""
    one, two = (evaluation(model, evaluated_batch(model, settings, n)).bytes for n in (1, 2))
    return _most(card, one, two - one)


def _most(card: float, first: float, each: float) -> int:
    """How many fit, where the first costs `first` and every further one `each`."""
    return max(0, 1 + int(((1 - SPARE) * card - first) // each))


def training_step(model: Architecture, settings: Settings, documents: int) -> ControlStep:
    """One step of `train`, with what that command does where nothing is said."""
    tokens = int(settings.latents * settings.ratio)
    made = settings.compressor or ModelConfig(
        time=True, projection="learned", scale="free", positions="tokens"
    )
    needs = compressor_needs(
        made.model_dump_json(), model.hidden, settings.layers, tokens, settings.ratio
    )
    again = settings.checkpointing
    return ControlStep(
        documents=documents,
        latents=settings.latents,
        question_tokens=settings.question_tokens,
        context_tokens=tokens,
        layers=settings.layers,
        trainable=needs.parameters,
        compressing=needs.copied_bytes + documents * needs.kept_bytes,
        checkpointing=computes_again(model.parameters) if again is None else again,
        dtype=resolved_dtype(settings.dtype, settings.architecture, "cuda"),
    )


def evaluated_batch(model: Architecture, settings: Settings, documents: int) -> ControlStep:
    """One batch of `evaluate`: all questions about each document at once."""
    step = training_step(model, settings, documents)
    return replace(step, question_tokens=settings.asked_tokens)


def _largest(details: dict[str, Any]) -> dict[str, int]:
    return {
        "extract --batch-tokens": details["largest_batch_tokens"],
        "train --batch-size": details["largest_batch_size"],
        "evaluate --batch-size": details["largest_evaluated"],
    }


def _step_down(details: dict[str, Any]) -> str:
    most = _largest(details)
    if not all(most.values()):
        return "take a larger card, more cards, or a smaller teacher"
    return f"at most {', '.join(f'`{name} {number}`' for name, number in most.items())} fit"
