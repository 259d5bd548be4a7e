"""What a training or an evaluation will take, in a line before it begins.

Time is not guessed: it depends on the machine, and the progress bar has it after the first steps.
"""

from ..corpus.records import Document
from ..experiment.sizes import SIZES
from ..models.loading import TextSide
from ..train.recipe import Recipe
from ..train.run import Run


def training_cost(run: Run, step: int) -> str:
    """Steps, documents and tokens of what is left of a training, and what its checkpoint takes.

    Args:
        run: what is trained.
        step: steps that were done before.
    """
    data, budget, facts = run.recipe.data, run.recipe.budget, run.batches.describe()
    batch = data.batch_size * run.accelerator.num_processes
    if budget.steps is None:
        amount = f"{budget.seconds:g} s of steps"
    else:
        amount = f"{budget.steps - step:,} {'step' if budget.steps - step == 1 else 'steps'}"
    if facts.get("kind") == "store":
        source = f"{facts['documents']:,} in the store"
    else:
        source = "new ones each time"
    parameters = sum(weight.numel() for weight in run.model.parameters())
    return (
        f"training: {amount} of {batch:,} documents ({source}), up to "
        f"{batch * data.question_tokens:,} tokens of questions a step; {parameters:,} parameters; "
        "how long it takes, the bar says after its first steps"
    )


def resumed(run: Run, step: int) -> str:
    """From where a training goes on."""
    budget = run.recipe.budget
    of = "" if budget.steps is None else f" of {budget.steps:,}"
    return f"it goes on after step {step:,}{of}, which an earlier session kept"


def evaluation_cost(
    lm: TextSide, documents: tuple[Document, ...], checkpoints: int, ratios: int = 1
) -> str:
    """Documents, questions and tokens that an evaluation reads, once for every arm.

    Args:
        lm: who reads the text.
        documents: held out, with their questions.
        checkpoints: how many are measured on them; 0: the teacher alone.
        ratios: how many of each.
    """
    questions = sum(len(document.questions) for document in documents)
    tokens = sum(len(lm.encode_text(document.text)) for document in documents)
    whole = len({document.original for document in documents})
    of = f" beginnings of {whole:,}" if any(one.beginning_of for one in documents) else ""
    counts = {"checkpoints": checkpoints, "ratios": ratios}
    several = " and ".join(f"{count} {name}" for name, count in counts.items() if count > 1)
    each = f", for each of {several}" if several else ""
    return (
        f"evaluating: {len(documents):,}{of} documents of {tokens:,} tokens with {questions:,} "
        f"questions, asked once for every arm{each}; how long it takes, the bar says as it goes"
    )


def smoke_test(recipe: Recipe) -> str:
    """One line where a training from fresh weights is too short to mean anything; else empty."""
    most = max(each.changes["budget.steps"] for each in SIZES.values() if not each.gated)
    if recipe.budget.steps is None or recipe.budget.steps > most:
        return ""
    steps = f"{recipe.budget.steps} {'step is' if recipe.budget.steps == 1 else 'steps are'}"
    return (
        f"{steps} a smoke test: it shows that every part runs, the loss may well have risen, and "
        "no figure of these weights means anything; train with --size laptop or lab"
    )
