"""Run folders whose trials were never trained and whose reasoner follows a script.

Checkpoints are right in form, documents are generated, answers are scored and written as
`latentcomp evaluate` does; only the weights and what the reasoner answered are made up.
"""

import functools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from latentcomp.common import atomic
from latentcomp.compressor.config import ModelConfig
from latentcomp.compressor.model import CompressionModel, ModelSpec
from latentcomp.corpus.chronicle import presets
from latentcomp.corpus.generators import GENERATORS, UNRECORDED, Generator
from latentcomp.corpus.records import Document, Question
from latentcomp.evaluate.arms.table import REQUIRED_ARMS
from latentcomp.evaluate.held_out import HeldOutSet, held_out
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.samples import Sample, choose_samples
from latentcomp.evaluate.scores import AnswersSource, ScoredAnswer, score_answer, write_answers
from latentcomp.evaluate.sizes import Sizes
from latentcomp.experiment import phases
from latentcomp.experiment.gates import Minimum
from latentcomp.experiment.looks import log_look
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import (
    EvaluationFolder,
    RunFolder,
    TrialFolder,
    read_trial_record,
)
from latentcomp.store.format.schema import LayerRecord, ModelIdentity
from latentcomp.train import checkpoint
from latentcomp.train.recipe import Recipe
from latentcomp.train.record import Start, TrialRecord

MODEL = ModelIdentity(
    name="tiny",
    revision=None,
    architecture="Qwen3ForCausalLM",
    blocks=4,
    hidden_size=8,
    weights_sha256="0" * 64,
    tokenizer_sha256="0" * 64,
)
SPEC = ModelSpec(
    teacher=MODEL,
    reasoner=MODEL,
    layers=(LayerRecord(blocks_completed=3, post_norm=False),),
    config=ModelConfig(
        time=False, projection="learned", scale="free", width=8, heads=1, blocks=1, latent_width=8
    ),
    embedding_rms=1.0,
)
LIVE = {"kind": "live", "split": "train"}
"""Data of a trial on new documents of the training split."""
FLOORS = {"changed": 0.5, "order": 0.5}
"""Families in which a guess is right so often."""


DOCUMENTS = 24
"""Enough for a verdict in these tests."""


def small_lab(patch: pytest.MonkeyPatch) -> None:
    """Documents of the lab that are made quickly, and gates that ask for few of them.

    Four chunks, two questions of each family; thresholds and training seeds as in the plan.
    """
    small = presets.Preset("lab", (4, 5), (10, 99), 1.0, 2, 2, True)
    patch.setitem(presets.PRESETS, "lab", small)
    patch.setattr(phases, "PHASES", tuple(map(_small, phases.PHASES)))


def ask_on_the_way(patch: pytest.MonkeyPatch) -> None:
    """Let the quick generator say from when on a question can be asked, as number 4 does.

    What it says is not checked here: the reasoner follows a script.
    """
    made = GENERATORS[UNRECORDED]

    def generate(preset: str, split: str, documents: int, seed: int) -> Iterator[Document]:
        for one in made.generate(preset, split, documents, seed):
            asked = (replace(q, asked_after=max(q.evidence, default=0)) for q in one.questions)
            yield replace(one, questions=tuple(asked))

    patch.setitem(GENERATORS, UNRECORDED, Generator(generate, made.document, made.document))


def _small(each: phases.Phase) -> phases.Phase:
    least = Minimum(DOCUMENTS, 400, each.gate.minimum.seeds)
    return replace(each, gate=replace(each.gate, minimum=least))


def save_checkpoint(root: Path, weights: bytes = b"weights", trial: Any = None, **more: Any) -> str:
    """Write a checkpoint; returns the sha256 of its weights, other for other `weights`."""
    model = CompressionModel(SPEC)
    for tensor in model.state_dict().values():
        tensor.fill_(float(sum(weights)))
    step = more.pop("step", 1)
    checkpoint.save_checkpoint(root, step, model, [], trial, **({"finished": True} | more))
    return checkpoint.open_checkpoint(root).state.sha256[checkpoint.MODEL]


def save_trial(
    run: RunFolder,
    recipe: Recipe,
    seed: int = 0,
    *,
    weights: bytes | None = None,
    name: str | None = None,
    finished: bool = True,
    skipped: Sequence[int] = (),
    data: Mapping[str, Any] = LIVE,
) -> TrialFolder:
    """A trial that used its budget, or is said not to have."""
    trial = run.trial(name or recipe.name, seed)
    record = TrialRecord(
        recipe=recipe,
        seed=seed,
        data=dict(data),
        start=Start(origin="fresh", seed=seed),
        skipped=tuple(skipped),
    )
    filling = weights if weights is not None else f"{recipe.name}/{seed}".encode()
    steps = recipe.budget.steps or 1
    save_checkpoint(trial.checkpoint, filling, record, finished=finished, step=steps)
    atomic.write_json(trial.record, record.model_dump(mode="json"))
    return trial


def say(question: Question, document: str, arm: str, share: float) -> str:
    """What the reasoner answers; the same draw for every trial, so that shares alone differ."""
    draw = Random(f"{arm}/{document}/{question.question_id}")
    if draw.random() < max(share, FLOORS.get(question.family, 0.0)):
        return question.answer
    if question.stale_answers and draw.random() < 0.3:
        return question.stale_answers[0]
    return "something else"


def script(documents: Sequence[Document], shares: Mapping[str, float]) -> list[ScoredAnswer]:
    """The answers of every arm; a share is that of right answers."""
    return [
        score_answer(
            document.document_id,
            question,
            arm,
            say(question, document.document_id, arm, shares.get(arm, 0.05)),
            chunks=len(document.chunks),
            original=document.beginning_of or "",
        )
        for arm in dict.fromkeys([*REQUIRED_ARMS, *shares])
        for document in documents
        for question in document.questions
    ]


def save_evaluation(
    trial: TrialFolder,
    run: RunFolder,
    *,
    documents: int = DOCUMENTS,
    seed: int = 7,
    samples: Sequence[Sample] | None = None,
    unjudged: str = "",
    ratio: float = 4.0,
    steps: int | None = None,
    **shares: float,
) -> EvaluationFolder:
    """An evaluation of a trial on generated documents, logged and written as the command does."""
    held = _held(presets.PRESETS["lab"], documents, seed, steps)
    rows = script(held.documents, {"ceiling": 0.98, "compressed": 0.6} | shares)
    state = checkpoint.open_checkpoint(trial.checkpoint).state
    record = state.known_trial
    tokens = 330 * documents
    sizes = Sizes(
        tokens=tokens,
        latents=math.ceil(tokens / ratio),
        latent_bytes=83 * 256 * documents,
        state_bytes=330 * 768 * documents,
        text_bytes=1140 * documents,
        vectors={"compressed": math.ceil(tokens / ratio)},
    )
    chosen = choose_samples(rows, held.documents, seed=seed) if samples is None else samples
    numbers = [n for n in range(1, 9) if phase(n).recipe.name == record.recipe.name]
    result = EvaluationResult.from_scores(
        rows,
        seed=seed,
        phase=numbers[0] if numbers else None,
        ratio=ratio,
        sizes=sizes,
        training_seeds=(record.seed,),
        samples=chosen,
        skipped=record.skipped,
        provenance={
            "argv": ["latentcomp", "evaluate", "--recipe", record.recipe.name],
            "git_commit": "0" * 40,
            "versions": {"torch": "2.13.0", "zarr": "3.1.0"},
            "hardware": {"cpu": "a processor", "cores": 2, "gpus": []},
            "inputs": {"store": "e" * 64},
        },
    ).model_copy(
        update={
            "corpus": held.source,
            "checkpoint_sha256": state.sha256[checkpoint.MODEL],
            "steps": state.step,
            "finished": state.finished,
            "unjudged": unjudged,
        }
    )
    return keep(trial, run, result, rows, tokens)


@functools.lru_cache(maxsize=8)
def _held(preset: presets.Preset, documents: int, seed: int, steps: int | None) -> HeldOutSet:
    """Documents of the preset as it is now, generated once; of the version that is made fastest,
    which trials that do not say theirs are of."""
    return held_out(None, "lab", documents, seed, UNRECORDED, steps=steps)


def keep(
    trial: TrialFolder,
    run: RunFolder,
    result: EvaluationResult,
    rows: Sequence[ScoredAnswer],
    tokens: int | None = None,
) -> EvaluationFolder:
    """Log a look, and write an evaluation into a folder of its own."""
    weights = result.checkpoint_sha256 or ""
    corpus = result.corpus.sha256 if result.corpus else ""
    log_look(
        run,
        trial=str(trial),
        recipe=read_trial_record(trial).recipe,
        checkpoint_sha256=weights,
        corpus_sha256=corpus,
        seed=result.seed,
        documents=result.documents,
        ratio=result.ratio,
    )
    folder = trial.new_evaluation(f"{corpus[:8]}-{result.ratio:g}x-{weights[:8]}")
    source = AnswersSource(
        weights, MODEL.weights_sha256, result.ratio, corpus, tokens=tokens, vectors=result.vectors
    )
    write_answers(folder.answers, rows, source)
    result.write(folder.result)
    return folder


def save_curve(trial: TrialFolder, steps: int = 400) -> None:
    """A curve that falls."""
    draw = Random(1)
    lines = [
        {
            "step": step,
            "loss": 0.9 + 2.4 * math.exp(-step / 90) + draw.gauss(0, 0.07),
            "documents": 16 * step,
            "seconds": 0.4 * step,
        }
        for step in range(1, steps + 1)
    ]
    atomic.write_text(trial.curve, "".join(json.dumps(line) + "\n" for line in lines))


def save_phase(run: RunFolder, number: int, seeds: Sequence[int] = (0,), **more: Any) -> None:
    """Trials of a phase with all that its size asks for, each evaluated; not judged."""
    for seed in seeds:
        save_evaluation(save_trial(run, phase(number).recipe, seed), run, **more)
