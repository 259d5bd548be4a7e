"""Made-up scored answers for tests: a few lines that say what every arm got right."""

import random

from latentcomp.evaluate.scores import ScoredAnswer

FAMILIES = ("fact", "relation", "latest", "when")
BUCKETS = ("early", "middle", "late")


def row(
    document="d0",
    question="q0",
    arm="compressed",
    *,
    correct=True,
    stale=False,
    can_be_stale=False,
    family="fact",
    bucket="early",
    form="",
    needs_days=None,
):
    return ScoredAnswer(
        document_id=document,
        question_id=question,
        family=family,
        bucket=bucket,
        arm=arm,
        prediction="x" if correct else "y",
        answer="x",
        correct=correct,
        stale=stale,
        can_be_stale=can_be_stale,
        form=form,
        needs_days=needs_days,
    )


def table(text):
    """Rows from lines `document question family arm=1 arm=0 arm=s` (s: a stale answer)."""
    rows = []
    for line in text.strip().splitlines():
        document, question, family, *arms = line.split()
        can_be_stale = family == "latest"
        for cell in arms:
            arm, mark = cell.split("=")
            rows.append(
                row(
                    document,
                    question,
                    arm,
                    correct=mark == "1",
                    stale=mark == "s",
                    can_be_stale=can_be_stale,
                    family=family,
                )
            )
    return rows


def simulated(
    documents=60,
    questions=8,
    seed=0,
    *,
    compressed=0.6,
    ceiling=0.97,
    floor=0.1,
    shuffled=0.1,
    zero=0.1,
    families=FAMILIES,
    stale=0.3,
):
    """Answers of five arms, independent draws; a wrong answer to `latest` is stale with `stale`."""
    draw = random.Random(seed)
    chances = {
        "compressed": compressed,
        "ceiling": ceiling,
        "floor": floor,
        "shuffled": shuffled,
        "zero": zero,
    }
    rows = []
    for document in range(documents):
        for question in range(questions):
            family = families[question % len(families)]
            for arm, chance in chances.items():
                correct = draw.random() < chance
                can_be_stale = family in ("latest", "original")
                rows.append(
                    row(
                        f"d{document:03d}",
                        f"q{question}",
                        arm,
                        correct=correct,
                        stale=can_be_stale and not correct and draw.random() < stale,
                        can_be_stale=can_be_stale,
                        family=family,
                        bucket=BUCKETS[question % 3],
                    )
                )
    return rows
