"""A small world that is really evaluated, by a reasoner that answers from what it was given.

Documents, compressor, latents, arms, files, looks, scores and gates are those of the commands.
The reasoner alone is made up: it recognises text by its embeddings and latents by the document
that they were made of, and answers a question where it was given the chunks that settle it. So a
fault that is planted anywhere before it flatters the figures as it would those of a good model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from latentcomp.commands.evaluation import EvaluationRequest, evaluate_trials
from latentcomp.common import atomic
from latentcomp.corpus.records import Document, Question
from latentcomp.evaluate.arms.latents import compress_documents
from latentcomp.evaluate.arms.other_states import before_last_third
from latentcomp.evaluate.bench import Bench
from latentcomp.evaluate.held_out import held_out
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder, TrialFolder
from latentcomp.extract.read_documents import read_documents
from latentcomp.models.loading import CausalLM, load_causal_lm
from latentcomp.reasoner.generate import Prefix
from latentcomp.train import checkpoint
from latentcomp.train.record import Start, TrialRecord

from ..train import tiny
from . import runs

PHASE = 4
KNOWN: dict[str, float] = {"text": 0.98, "latents": 0.8}
"""How often a question is answered whose chunks were given, as text or as latents."""
GUESS = 0.05
Chunks = frozenset[int]


@dataclass
class Reader:
    """Answers in place of `greedy_answers`."""

    lm: CausalLM
    documents: dict[tuple[str, ...], Document] = field(default_factory=dict)
    """By the texts of their questions."""
    latents: list[tuple[Tensor, str, Chunks]] = field(default_factory=list)
    """Vectors, the document that they are of, and the chunks of it that were read."""
    believes: bool = False
    """Whether any vectors that are no text are taken for those of the document in question."""

    def learn(self, bench: Bench, documents: Sequence[Document]) -> None:
        """Get to know documents, and their latents as this compressor makes them."""
        self.documents |= {tuple(q.text for q in each.questions): each for each in documents}
        for read in (documents, [before_last_third(each) for each in documents]):
            made = compress_documents(bench, read, lambda count: None)
            for prefix, one in zip(made.prefixes, read, strict=True):
                chunks = frozenset(chunk.index for chunk in one.chunks)
                self.latents.append((prefix.x_PD, one.document_id, chunks))

    def __call__(
        self,
        lm: CausalLM,
        prefixes: Sequence[Prefix],
        questions: Sequence[Sequence[str]],
        **_: Any,
    ) -> list[list[str]]:
        """What it says to the questions about each document."""
        return [self._answers(*each) for each in zip(prefixes, questions, strict=True)]

    def _answers(self, prefix: Prefix, texts: Sequence[str]) -> list[str]:
        bare = tuple(text.partition(LEAK)[2] or text for text in texts)
        document = self.documents[bare]
        kind, chunks = self._read(prefix.x_PD, document)
        return [
            question.answer
            if text.startswith(f"{question.answer}{LEAK}")
            else self._say(document, question, kind, chunks)
            for text, question in zip(texts, document.questions, strict=True)
        ]

    def _read(self, x_PD: Tensor, document: Document) -> tuple[str, Chunks]:
        """What the vectors are, and the chunks of the document that they tell."""
        if text := self._text(x_PD):
            told = (c.index for c in document.chunks if _bare(c.text) in _bare(text))
            return "text", frozenset(told)
        for known, owner, chunks in self.latents:
            if known.shape == x_PD.shape and torch.allclose(known, x_PD, atol=1e-3):
                return "latents", chunks if owner == document.document_id else frozenset()
        every = frozenset(chunk.index for chunk in document.chunks)
        return "latents", every if self.believes else frozenset()

    def _text(self, x_PD: Tensor) -> str:
        """The text whose embeddings these are; empty if they are others."""
        table_VD = self.lm.model.get_input_embeddings().weight
        same_PV = (x_PD[:, None] - torch.as_tensor(table_VD)).eq(0).all(-1)
        if not bool(same_PV.any(-1).all()):
            return ""
        return str(self.lm.tokenizer.decode(same_PV.int().argmax(-1).tolist()))

    def _say(self, document: Document, question: Question, kind: str, chunks: Chunks) -> str:
        draw = Random(f"{document.document_id}/{question.question_id}")
        needed = frozenset(question.evidence) or frozenset(c.index for c in document.chunks)
        if needed <= chunks and draw.random() < KNOWN[kind]:
            return question.answer
        if chunks and question.stale_answers:
            return question.stale_answers[0]
        guess = max(GUESS, runs.FLOORS.get(question.family, 0.0))
        return question.answer if draw.random() < guess else "something else"


LEAK = " is the answer. "
"""Between an answer that leaks into the prompt and the question."""


def _bare(text: str) -> str:
    return "".join(text.split())


@dataclass(frozen=True)
class World:
    """A run folder with a trained trial, its models, and the reader that answers for them."""

    run: RunFolder
    teacher: Path
    lm: CausalLM
    reader: Reader

    def trial(self, seed: int = 0, weights: int = 0, **data: Any) -> TrialFolder:
        """A trial of the phase that used its budget; other `weights` are another training."""
        trial = self.run.trial(phase(PHASE).recipe.name, seed)
        recipe = phase(PHASE).recipe
        record = TrialRecord(
            recipe=recipe,
            seed=seed,
            data={**runs.LIVE, **data},
            start=Start(origin="fresh", seed=seed),
        )
        torch.manual_seed(0)
        model = tiny.spec_of(self.lm, PHASE).build()
        with torch.no_grad():
            for tensor in model.parameters():
                tensor.mul_(1 + 1e-6 * (weights + 10 * seed))
        steps = recipe.budget.steps or 1
        checkpoint.save_checkpoint(trial.checkpoint, steps, model, [], record, finished=True)
        atomic.write_json(trial.record, record.model_dump(mode="json"))
        return trial

    def learn(self, trial: TrialFolder, seed: int = 7, count: int = runs.DOCUMENTS) -> None:
        """Let the reader know the documents of a seed and the latents of a trial."""
        model = checkpoint.open_checkpoint(trial.checkpoint).model()

        def read(documents: Sequence[Document]) -> Any:
            return read_documents(self.lm, documents, model.spec.layers, 8)

        documents = held_out(None, "lab", count, seed, 3).documents
        self.reader.learn(Bench(model, read, self.lm, 4.0), documents)

    def request(self, **changes: Any) -> EvaluationRequest:
        """As `latentcomp evaluate --phase 4` makes it."""
        given: dict[str, Any] = {
            "recipe": phase(PHASE).recipe.name,
            "documents": runs.DOCUMENTS,
            "seed": 7,
            "generator": 3,
            "teacher": str(self.teacher),
            "device": "cpu",
        }
        return EvaluationRequest(self.run.path, **(given | changes))

    def evaluate(self, **changes: Any) -> EvaluationResult:
        """The one result of an evaluation."""
        (result,) = evaluate_trials(self.request(**changes))
        return result


def load(folder: Path, run: Path) -> World:
    """The models of a folder, and a run without any trial."""
    lm = load_causal_lm(str(folder))
    return World(RunFolder(run), folder, lm, Reader(lm))
