"""What the world of generator 4 asks, who can answer it without reading, and what a teacher reads.

`python benchmarks/world.py --teacher lab` makes held-out documents, prices the cheap readers and
the search with a thesaurus on them (`corpus/chronicle4/pricing.py`), asks a teacher with the
document (ceiling), with the text as it ships (undated) and without (floor), and writes all of it by
family and form, with intervals over documents, to `docs/results/world.json`.

1,000 documents want a GPU for the teacher; `--asked` has it asked about the first ones only.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any, Final

import torch
from rich.console import Console

from latentcomp.common.atomic import write_json
from latentcomp.common.provenance import collect
from latentcomp.corpus.chronicle4.chronicle import GENERATOR_VERSION, chronicles
from latentcomp.corpus.chronicle4.facts import Chronicle
from latentcomp.corpus.chronicle4.pricing import MOST, Price, price
from latentcomp.corpus.chronicle4.records import recorded
from latentcomp.corpus.chronicle4.search import search
from latentcomp.corpus.files import corpus_sha256
from latentcomp.corpus.records import Document
from latentcomp.evaluate.progress import arm_progress
from latentcomp.evaluate.scores import ScoredAnswer
from latentcomp.evaluate.stats import RESAMPLES, Bootstrap, Interval, difference, share
from latentcomp.evaluate.tally import QUESTIONS, Answers, Tally
from latentcomp.evaluate.text_arms import run_text_arms
from latentcomp.models.loading import CausalLM, load_causal_lm

SPLIT: Final = "test"


def asks(made: Sequence[Chronicle], documents: Sequence[Document]) -> dict[str, Any]:
    """How much of what is asked, and how much of it the text as it ships leaves open."""
    questions = [question for document in documents for question in document.questions]
    headers = [header for each in made for header in each.prose.headers]
    by_family = Counter(question.family for question in questions)
    open_ = Counter(question.family for question in questions if question.needs_days)
    return {
        "documents": len(documents),
        "questions": len(questions),
        "chunks_without_a_day": sum(not header for header in headers) / len(headers),
        "questions_that_need_days": sum(open_.values()) / len(questions),
        "by_family": {
            name: {"questions": count, "need_days": open_[name] / count}
            for name, count in sorted(by_family.items())
        },
        "held_out_families": sorted({q.family for q in questions if q.held_out}),
    }


def cheap(made: Sequence[Chronicle]) -> dict[str, Any]:
    """The best cheap reader of every family and form, and the search of every family."""
    prices = price(made)
    searched = [each for each in price(made, {"search": search}) if each.form == "all"]
    whole = [each for each in [*prices, *searched] if each.form == "all"]
    dearest = max(whole, key=lambda each: each.share)
    return {
        "most_allowed": MOST,
        "best_of_any_family": _price(dearest),
        "holds": all(each.share <= MOST for each in whole),
        "readers": [_price(each) for each in prices],
        "search": [_price(each) for each in searched],
    }


def _price(each: Price) -> dict[str, Any]:
    return asdict(each)


def teacher(rows: Sequence[ScoredAnswer], seed: int) -> dict[str, Any]:
    """Accuracy of every arm, overall and by family, form and both; what knowing the days adds."""
    answers = Answers(rows)
    bootstrap = Bootstrap.draw(len(answers.documents), seed=seed, resamples=RESAMPLES)

    def cell(tally: Tally) -> dict[str, Any]:
        return {
            arm: _short(bootstrap.interval(share(arm, QUESTIONS), tally.columns, tally.questions))
            for arm in answers.arms
        }

    pairs = {f"{family}/{form}": answers.of_pair(family, form) for family, form in answers.pairs}
    needing = answers.of_days("yes")
    worth = bootstrap.interval(
        difference("ceiling", "undated", QUESTIONS), needing.columns, needing.questions
    )
    return {
        "overall": cell(answers.all()),
        "by_family": {name: cell(answers.of_families([name])) for name in answers.families},
        "by_form": {name: cell(answers.of_form(name)) for name in answers.forms},
        "by_family_and_form": {name: cell(tally) for name, tally in pairs.items()},
        "worth_of_the_days": _short(worth),
    }


def _short(interval: Interval) -> dict[str, Any]:
    return interval.model_dump(mode="json", include={"point", "low", "high", "n", "clusters"})


def finite(value: Any) -> Any:
    """The same with null for what is undefined: no interval of a cell that few documents have."""
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and isnan(value) else value


def measure(
    lm: CausalLM, made: Sequence[Chronicle], asked: int, seed: int, batch_size: int
) -> dict[str, Any]:
    """Everything that is written, but for who ran it."""
    documents = [recorded(each) for each in made]
    with arm_progress(Console()) as progress:
        rows = run_text_arms(lm, documents[:asked], batch_size, progress=progress).rows
    return {
        "corpus_sha256": corpus_sha256(documents),
        "asks": asks(made, documents),
        "cheap": cheap(made),
        "teacher": {
            "identity": lm.identity.model_dump(mode="json"),
            "documents": len(documents[:asked]),
            **teacher(rows, seed),
        },
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", default="lab")
    parser.add_argument("--preset", default="lab")
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--asked", type=int, help="documents that the teacher is asked about")
    parser.add_argument("--seed", type=int, default=2028)
    parser.add_argument("--json", type=Path, default=Path("docs/results/world.json"))
    options = parser.parse_args()
    gpu = torch.cuda.is_available()
    lm = load_causal_lm(options.teacher, device="auto")
    seen = collect({"documents": options.seed}, {"teacher": lm.identity.weights_sha256})
    made = list(chronicles(options.preset, SPLIT, options.documents, options.seed))
    figures = measure(lm, made, options.asked or len(made), options.seed, 48 if gpu else 8)
    content = {
        "generator": GENERATOR_VERSION,
        "preset": options.preset,
        "split": SPLIT,
        "seed": options.seed,
        **figures,
        "provenance": seen.model_dump(mode="json"),
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.json, finite(content))
    Console().print(f"{options.json}: written")


if __name__ == "__main__":
    main()
