"""A small ladder whose reasoner follows a script: everything but its words is the real program.

Teacher, store, trainings, checkpoints, latents, files, scores, comparisons, gates and histories
are those of the commands. The script decides what the frozen reasoner says to a question, from
the arm and the trial that is measured, so that a test knows what each gate has to find.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from types import ModuleType
from typing import Any

import pytest

from latentcomp.commands import evaluation, measuring
from latentcomp.corpus.chronicle import presets
from latentcomp.evaluate import suite
from latentcomp.evaluate.answers import ArmAnswers
from latentcomp.evaluate.scores import score_answer
from latentcomp.experiment import ablations, phases, sizes
from latentcomp.experiment.gates import Minimum
from latentcomp.reasoner.generate import vectors_before_questions

from .runs import ask_on_the_way

CEILING, FLOOR = 0.98, 0.05
DOCUMENTS = 40
ROWS = ("no-time", "equal-mix", "no-alignment")
"""Ablations of the small grid."""


@dataclass
class Script:
    """What the reasoner gets right, and how often it says a replaced value."""

    right: dict[str, float] = field(default_factory=dict)
    """Recipe -> share of questions answered rightly from its latents."""
    stale: dict[str, float] = field(default_factory=dict)
    """Recipe -> share of the questions with a replaced value that get it."""
    shuffled: float = FLOOR
    now: str = ""
    """Recipe of the trial that is measured."""

    def say(self, arm: str, document: str, question: Any, seed: object) -> str:
        """The reasoner's words."""
        share = {"ceiling": CEILING, "floor": FLOOR, "shuffled": self.shuffled}.get(arm, FLOOR)
        if arm == "compressed":
            share = self.right[self.now]
        # One draw a question for all recipes: what differs between them is the share alone.
        # Shuffled latents get what the floor gets: a self-check that holds, whatever the seed.
        drawn = "floor" if arm == "shuffled" else arm
        draw = Random(f"{drawn}/{document}/{question.question_id}").random()
        if draw < share:
            return str(question.answer)
        stale = self.stale.get(self.now, 0.0) if arm == "compressed" else 0.0
        if question.stale_answers and Random(f"s/{document}/{question.question_id}").random() < (
            stale
        ):
            return str(question.stale_answers[0])
        return "something else"


def install(patch: pytest.MonkeyPatch, modules: Mapping[str, ModuleType]) -> Script:
    """Make the program small and its reasoner scripted, for the duration of a test.

    Args:
        patch: undoes it all.
        modules: `sys.modules`, for the names that other modules took from the catalogue.
    """
    script = Script()
    small = presets.Preset("lab", (4, 5), (10, 99), 1.0, 2, 2, True)
    patch.setitem(presets.PRESETS, "lab", small)
    ask_on_the_way(patch)
    step = {"data.batch_size": 1, "data.question_tokens": 96, "budget.steps": 1}
    laptop = replace(sizes.SIZES["laptop"], changes=step, documents=DOCUMENTS)
    patch.setitem(sizes.SIZES, "laptop", laptop)
    for row in set(ablations.ABLATIONS) - set(ROWS):
        patch.delitem(ablations.ABLATIONS, row)
    for row in tuple(ablations.ADDED):
        patch.delitem(ablations.ADDED, row)
    ladder = tuple(_small(phase) for phase in phases.PHASES)
    everywhere(patch, modules, "PHASES", phases.PHASES, ladder)
    _script_answers(patch, script)
    return script


def _small(phase: phases.Phase) -> phases.Phase:
    """Its thresholds as they are; fewer documents, layers of four blocks, and nothing lacking."""
    least = Minimum(DOCUMENTS, 100, phase.gate.minimum.seeds)
    layers = tuple(-2 - place for place in range(len(phase.recipe.layers)))
    recipe = phase.recipe.changed({"layers": layers})
    return replace(phase, recipe=recipe, gate=replace(phase.gate, minimum=least), lacks="")


def everywhere(
    patch: pytest.MonkeyPatch, modules: Mapping[str, ModuleType], name: str, old: Any, new: Any
) -> None:
    """Replace a table in every module that took it by name."""
    for module_name, module in list(modules.items()):
        if module_name.startswith("latentcomp") and getattr(module, name, None) is old:
            patch.setattr(module, name, new)


def _script_answers(patch: pytest.MonkeyPatch, script: Script) -> None:
    bench_of: Callable[..., Any] = measuring.bench_of

    def prepared(request: Any, subject: Any, *rest: Any) -> Any:
        record = subject.state.known_trial
        script.now = record.recipe.name
        return bench_of(request, subject, *rest)

    def answered(lm: Any, documents: Any, prefixes: Any, arm: str, **_: Any) -> ArmAnswers:
        rows = [
            score_answer(
                document.document_id,
                question,
                arm,
                script.say(arm, document.document_id, question, 0),
                chunks=len(document.chunks),
                original=document.beginning_of or "",
            )
            for document in documents
            for question in document.questions
        ]
        return ArmAnswers(rows, sum(vectors_before_questions(lm, each) for each in prefixes))

    patch.setattr(evaluation, "bench_of", prepared)
    patch.setattr(suite, "answer_questions", answered)
