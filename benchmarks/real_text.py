"""What the corpora of real text hold on this machine: documents, questions, searches, leaks.

`python benchmarks/real_text.py FORMAT[=PATH] ...` makes every format named, whole, and writes to
`docs/results/real_text_corpora.json`, by format:

- documents and questions of every split, questions by family, lengths, what was left out, and
  CPU seconds;
- `search`: of the questions with a key (a version or a name), the share whose answer stands in a
  chunk that has the key, as a search for a string finds it. High by construction: the
  questions measure what is kept of a text and not how hard it is to find;
- `commonest`: of the questions of a family, the share with its most frequent answer, which is what
  guessing without any document gives at least;
- `repeated`: of test and validation documents, the mean share of runs of 13 words that stand in
  train too: boilerplate, since repeated entries and documents are kept apart.
"""

import argparse
import re
import time
from collections import Counter, defaultdict
from pathlib import Path
from statistics import mean
from typing import Any, Final

from latentcomp.common.atomic import write_json
from latentcomp.common.provenance import collect
from latentcomp.corpus.files import corpus_sha256
from latentcomp.corpus.outside.formats import text_format
from latentcomp.corpus.real_text.entries import Entry, Source
from latentcomp.corpus.real_text.kinds import usual_place
from latentcomp.corpus.real_text.make import Made, Wanted, make
from latentcomp.corpus.real_text.repeats import Repeats
from latentcomp.corpus.records import Document, Question

RESULT: Final = Path(__file__).resolve().parents[1] / "docs/results/real_text_corpora.json"
KEY: Final = re.compile(r"(?<=\s)(?=\S*\d|\S*/|--)[^\s?]+|[a-z]\w*\.(?:c|h|htm|html|tab|awk)\b")
"""In a question: a version, a number, a zone, an option or a file."""


def key_of(question: Question) -> str:
    """The string that a search would look for; empty where there is none."""
    keys = KEY.findall(question.text)
    return keys[0] if keys and question.family != "as_of" else ""


def searched(documents: tuple[Document, ...]) -> dict[str, dict[str, float]]:
    """By family: questions with a key, and the share that a chunk with the key answers."""
    hits = defaultdict(list)
    for document in documents:
        for question in document.questions:
            key = key_of(question)
            if key:
                chunks = [chunk.text for chunk in document.chunks if key in chunk.text]
                hits[question.family].append(
                    any(answer in text for answer in question.answers for text in chunks)
                )
    return {
        family: {"questions": len(own), "answered": sum(own) / len(own)}
        for family, own in sorted(hits.items())
    }


def commonest(documents: tuple[Document, ...]) -> dict[str, float]:
    """By family: share of the questions with the most frequent answer."""
    answers = defaultdict(list)
    for document in documents:
        for question in document.questions:
            answers[question.family].append(question.answer)
    return {
        family: Counter(own).most_common(1)[0][1] / len(own)
        for family, own in sorted(answers.items())
    }


def shared_runs(by_split: dict[str, Made]) -> dict[str, float]:
    """By held-out split: mean over its documents of the share of runs of words in train."""
    train = by_split.get("train")
    sources = [] if train is None else [(_whole(each), "train") for each in train.documents]
    repeats = Repeats(sources)
    return {
        split: mean(repeats.share(document, split) for document in made.documents)
        for split, made in by_split.items()
        if split != "train"
    }


def _whole(document: Document) -> Source:
    """A document as a source of one entry."""
    return Source(document.document_id, "", ((Entry((document.text,)),),))


def measured(name: str, path: Path | None) -> dict[str, Any]:
    """One format, whole."""
    kind = text_format(name)
    if kind is None:
        raise SystemExit(f"{name} is no format of real text")
    path = usual_place(name, kind) if path is None else path
    begun = time.process_time()
    made = make(name, kind, path, Wanted(keep_unasked=True))
    seconds = time.process_time() - begun
    splits = {
        split: make(name, kind, path, Wanted(split=split, keep_unasked=True))
        for split in made.splits
    }
    return {
        "files": len(made.gathered.files),
        "repeated_files": made.gathered.repeated,
        "repeated_entries": made.dropped,
        "undated_entries": made.gathered.undated,
        "latin1_files": made.gathered.latin1,
        "unreadable_files": len(made.gathered.unreadable),
        "groups": made.groups,
        "largest_group": made.largest,
        "short_characters": made.short,
        "repeating_documents": made.repeating,
        "crowded_documents": made.crowded,
        "refused_questions": made.refused,
        "without_questions": made.unasked,
        "splits": {
            split: {
                "documents": documents,
                "questions": questions,
                "sources": len(
                    {each.document_id.rpartition("-")[0] for each in splits[split].documents}
                ),
            }
            for split, (documents, questions) in made.splits.items()
        },
        "families": {
            family: {split: one.families.get(family, 0) for split, one in splits.items()}
            for family in made.families
        },
        "characters": made.lengths,
        "sha256": corpus_sha256(made.documents),
        "cpu_seconds": round(seconds, 2),
        "search": searched(made.documents),
        "commonest": commonest(made.documents),
        "repeated": shared_runs(splits),
    }


def main() -> None:
    """Measure the formats that are named."""
    parser = argparse.ArgumentParser(description="Measure the corpora of real text.")
    parser.add_argument("formats", nargs="+", metavar="FORMAT[=PATH]")
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    wanted = [one.partition("=")[::2] for one in given.formats]
    content = {
        "formats": {name: measured(name, Path(path) if path else None) for name, path in wanted},
        "provenance": collect({}, {}).model_dump(mode="json"),
    }
    write_json(given.out, content)


if __name__ == "__main__":
    main()
