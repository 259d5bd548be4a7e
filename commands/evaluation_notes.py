"""What a reader of an evaluation's figures has to know of documents, models and settings."""

from ..evaluate.answer_limit import answer_limit, limit_notes
from ..evaluate.bench import Bench
from ..evaluate.held_out import HeldOutSet, known_names, scorer_note, undated_in_text
from ..evaluate.suite import Outcome
from ..evaluate.text_arms import TextAnswers
from ..models.foreign import foreign_note
from ..models.loading import CausalLM
from ..models.quantised import quantised_note
from ..store.format.schema import ModelIdentity
from ..train.checkpoint import CheckpointState
from .answering import backend_note
from .costs import smoke_test
from .subjects import EvaluationRequest


def notes_of(
    request: EvaluationRequest,
    held: HeldOutSet,
    state: CheckpointState,
    bench: Bench,
    outcome: Outcome,
) -> tuple[str, ...]:
    """Of a checkpoint, a line each."""
    dated = request.corpus is not None and state.spec.config.time
    limit = bench.answer_tokens or answer_limit(bench.reasoner, held.documents)
    trial = state.known_trial
    fresh = trial.start is None or trial.start.origin == "fresh"
    notes = (
        quantised_note(state.spec.teacher, state.spec.reasoner),
        backend_note(request.backend),
        *_of_documents(request, held, state.spec.teacher),
        undated_in_text(held.documents) if dated else "",
        trial.untrained_ratio(bench.ratio),
        adapters_note(state.spec.config.reader_rank),
        smoke_test(trial.recipe) if fresh else "",
        *limit_notes(bench.reasoner, held.documents, limit, outcome.cut),
        "no question has a known wrong answer to rank"
        if request.rank and not outcome.ranked
        else "",
    )
    return tuple(note for note in notes if note)


def adapters_note(rank: int) -> str:
    """One line where the reasoner reads latents with adapters; empty where it is frozen."""
    if not rank:
        return ""
    return (
        f"the reasoner reads latents with adapters of rank {rank} on every block: it is not frozen "
        "there, and these are no figures of a frozen reasoner (ceiling, floor and text are)"
    )


def notes_of_teacher(
    request: EvaluationRequest, held: HeldOutSet, lm: CausalLM, limit: int, answered: TextAnswers
) -> tuple[str, ...]:
    """Of a model without a compressor."""
    notes = (
        quantised_note(lm.identity),
        backend_note(request.backend),
        *_of_documents(request, held, lm.identity),
        *limit_notes(lm, held.documents, limit, answered.cut),
    )
    return tuple(note for note in notes if note)


def _of_documents(
    request: EvaluationRequest, held: HeldOutSet, teacher: ModelIdentity
) -> tuple[str, ...]:
    notes = (
        foreign_note(teacher, held.world),
        scorer_note(held, request.scorer),
        known_names(held.source),
    )
    return tuple(note for note in notes if note)
