"""A run folder with made-up figures, to look at the report and to test it."""

import json
import math
import random
from dataclasses import replace

from latentcomp.common import atomic
from latentcomp.evaluate.gates import judge
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.samples import Sample, SampleAnswer
from latentcomp.evaluate.sizes import Sizes

from .rows import simulated

FAMILIES = (
    "fact", "relation", "two_hop", "structure", "latest",
    "original", "as_of", "changed", "when", "order",
)  # fmt: skip
CHANCE = dict(zip(FAMILIES, (0.75, 0.7, 0.55, 0.62, 0.6, 0.5, 0.35, 0.9, 0.2, 0.8), strict=True))
FLOOR = {"changed": 0.5, "order": 0.5}


def rows(documents, shuffled=0.0, seed=0):
    """Five arms with floors and difficulties that differ by family."""
    draw = random.Random(seed)
    out = []
    for row in simulated(documents=documents, questions=10, families=FAMILIES, seed=seed):
        floor = FLOOR.get(row.family, 0.04)
        chance = {
            "compressed": CHANCE[row.family],
            "ceiling": 0.985,
            "shuffled": floor + shuffled,
        }.get(row.arm, floor)
        correct = draw.random() < chance
        stale = row.can_be_stale and not correct and draw.random() < 0.3
        out.append(replace(row, correct=correct, stale=stale))
    return out


def sample(family, question, answer, said, **fields):
    answers = {
        arm: SampleAnswer(prediction=text, correct=text == answer, stale=text in ("Oslo",))
        for arm, text in said.items()
    }
    base = {"stale_answers": (), "evidence": (), "document_id": "doc-0042", "question_id": "q"}
    return Sample(
        family=family, question=question, answer=answer, answers=answers, **{**base, **fields}
    )


SAMPLES = (
    sample(
        "latest",
        "Where does Maruna Velt live now?",
        "Tarvik",
        {"compressed": "Oslo", "ceiling": "Tarvik", "floor": "", "shuffled": "Bran | <b>"},
        stale_answers=("Oslo",),
        evidence=("Day 31. Maruna Velt moved from Oslo to Tarvik.",),
    ),
    sample(
        "fact",
        "What is the code of Kerin Hald?",
        "4711",
        {"compressed": "4711", "ceiling": "4711", "floor": "1", "shuffled": "0291"},
        evidence=("Day 3. Kerin Hald keeps the code 4711.",),
    ),
    sample(
        "changed",
        "Did the password of Ilo Brandt ever change?",
        "yes",
        {"compressed": "yes", "ceiling": "yes", "floor": "no", "shuffled": "no"},
        evidence=("Day 8. Ilo Brandt chose the password suri.", "Day 19. It is now beno."),
    ),
)


def write_run(run, *, documents=240, shuffled=0.0, phase=4, skipped=()):
    """Writes phases/<n>/ as training and evaluation do; returns the evaluation."""
    sizes = Sizes(
        tokens=330 * documents,
        latents=83 * documents,
        latent_bytes=83 * 256 * documents,
        state_bytes=330 * 768 * documents,
        text_bytes=1140 * documents,
    )
    result = EvaluationResult.from_scores(
        rows(documents, shuffled),
        seed=7,
        phase=phase,
        ratio=4.0,
        sizes=sizes,
        training_seeds=(1,),
        samples=SAMPLES,
        skipped=skipped,
        provenance={
            "argv": ["latentcomp", "evaluate", "--phase", str(phase)],
            "git_commit": "0" * 40,
            "versions": {"torch": "2.13.0", "zarr": "3.1.0"},
            "hardware": {"cpu": "a processor", "cores": 2, "gpus": []},
            "inputs": {"store": "e" * 64},
        },
        resamples=500,
    )
    folder = run / "phases" / str(phase)
    result.write(folder / "evaluation.json")
    verdict = judge(phase, result.evidence(), skipped=skipped)
    atomic.write_text(folder / "verdict.json", verdict.model_dump_json(indent=2))
    atomic.write_json(folder / "run.json", {"phase": phase, "steps": 400, "rate": 0.001})
    draw = random.Random(1)
    lines = [
        {
            "step": step,
            "loss": 0.9 + 2.4 * math.exp(-step / 90) + draw.gauss(0, 0.07),
            "documents": 16 * step,
            "seconds": 0.4 * step,
        }
        for step in range(1, 401)
    ]
    atomic.write_text(folder / "log.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    return result
