"""Source of a run's documents: generated, from a file, or already in the run folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .. import __version__
from ..common.atomic import make_folder
from ..common.errors import CorpusError, UsageError
from ..common.lock import folder_mutex
from .beginnings import NOT_ASKED_BY_STEPS, in_steps
from .files import (
    Corpus,
    check_unclaimed,
    corpus_sha256,
    in_use,
    is_corpus,
    read_corpus,
    recorded_sha256,
    write_corpus,
)
from .generators import LAB_GENERATOR, UNRECORDED, generator
from .swap import settle

DEFAULT_PRESET = "lab"
DEFAULT_SPLIT = "train"
DEFAULT_DOCUMENTS = 1000
DEFAULT_SEED = 0


@dataclass(frozen=True, slots=True)
class GeneratedCorpus:
    """Options of a generated corpus; None leaves the choice to the run folder or the default."""

    preset: str | None = None
    split: str | None = None
    documents: int | None = None
    seed: int | None = None
    generator: int | None = None
    """Version of the world: a key of `GENERATORS` (`corpus/generators.py`)."""

    @property
    def requested(self) -> dict[str, Any]:
        """The options given explicitly, by their names in `corpus.json`."""
        fields = {
            "preset": self.preset,
            "split": self.split,
            "documents": self.documents,
            "seed": self.seed,
            "generator": self.generator,
        }
        return {name: value for name, value in fields.items() if value is not None}

    @property
    def resolved(self) -> dict[str, Any]:
        """The same with the defaults filled in."""
        return {
            "preset": DEFAULT_PRESET,
            "split": DEFAULT_SPLIT,
            "documents": DEFAULT_DOCUMENTS,
            "seed": DEFAULT_SEED,
            "generator": LAB_GENERATOR,
            **self.requested,
        }


def choose_corpus(
    path: Path | None,
    preset: str | None = None,
    split: str | None = None,
    documents: int | None = None,
    seed: int | None = None,
    generator: int | None = None,
) -> Path | GeneratedCorpus:
    """The corpus that a command line means: a path, or else what to generate.

    Raises:
        UsageError: a path was given together with an option of the generator.
    """
    generated = GeneratedCorpus(preset, split, documents, seed, generator)
    if path is None:
        return generated
    for name, value in generated.requested.items():
        raise UsageError(
            f"--{name} {value} is for generated documents; leave it out with --corpus {path}"
        )
    return path


def generate_corpus(wanted: GeneratedCorpus) -> Corpus:
    """Generate a corpus in memory.

    Raises:
        CorpusError: unknown generator, preset or split, or a size or seed that makes no sense.
    """
    meta = wanted.resolved
    generate = generator(meta["generator"]).generate
    documents = tuple(generate(meta["preset"], meta["split"], meta["documents"], meta["seed"]))
    meta["latentcomp"] = __version__
    return Corpus(documents=documents, meta=meta, sha256=corpus_sha256(documents))


def write_generated(wanted: GeneratedCorpus, folder: Path, steps: int | None = None) -> Corpus:
    """Generate a corpus and write it; one that is there already is kept if it is the same.

    Args:
        wanted: what to generate.
        folder: where.
        steps: beginnings of every document instead of the whole (`beginnings.py`).

    Raises:
        CorpusError: the corpus cannot be generated, or the folder holds another one.
        StoreError: the folder cannot be written.
    """
    corpus = generate_corpus(wanted)
    if steps is not None:
        corpus = _in_steps(corpus, steps)
    if is_corpus(folder):
        _check_same(read_corpus(folder), corpus, folder, "choose another --out")
        return corpus
    check_unclaimed(folder, corpus.documents)
    return write_corpus(folder, corpus.documents, corpus.meta)


def _in_steps(corpus: Corpus, steps: int) -> Corpus:
    parts = in_steps(corpus.documents, steps)
    if not parts:
        raise CorpusError(f"--steps {steps}: {NOT_ASKED_BY_STEPS}")
    return Corpus(parts, {**corpus.meta, "steps": steps}, corpus_sha256(parts))


def run_corpus(
    wanted: Path | GeneratedCorpus, folder: Path, *, write: bool, named: str | None = None
) -> Corpus:
    """The corpus of a run, whose own copy is in `folder`; generated or copied there if missing.

    Several processes may call this concurrently: each generates or reads the corpus itself and the
    first one writes it. Under a lock, the last one would wait until all others had read it one
    after the other.

    Args:
        wanted: a corpus folder or JSONL file of one's own, or what to generate.
        folder: the `corpus` folder of the run.
        write: False to leave the disk as it is.
        named: hash of the corpus that the run's store was extracted from; None: there is no store.

    Raises:
        CorpusError: it cannot be read or made, or the run has another corpus already, or had one.
        StoreError: the folder cannot be written.
    """
    if write:
        settle(folder, named)
    if is_corpus(in_use(folder)):
        return _present(wanted, folder)
    corpus = read_corpus(wanted) if isinstance(wanted, Path) else generate_corpus(wanted)
    if named not in (None, corpus.sha256):
        raise CorpusError(
            f"{folder} is missing, and the run's store is of a corpus with sha256 "
            f"{str(named)[:12]}, not of this one ({_describe(corpus)}): give that one with "
            "--corpus, or choose another --run"
        )
    return keep_corpus(corpus, folder) if write else corpus


def keep_corpus(corpus: Corpus, folder: Path) -> Corpus:
    """Write a corpus into the run whose own it is to be; nothing if it is there already.

    Raises:
        CorpusError: the run has another one by now, or files that are none of this one.
        StoreError: the folder cannot be written.
    """
    make_folder(folder.parent)
    if not is_corpus(folder):
        with folder_mutex(folder.parent):
            if not is_corpus(folder):
                check_unclaimed(folder, corpus.documents)
                return write_corpus(folder, corpus.documents, corpus.meta)
    if recorded_sha256(folder) != corpus.sha256:  # another process wrote, and something else
        _check_same(read_corpus(folder), corpus, folder, _KEEP)
    return corpus


def _present(wanted: Path | GeneratedCorpus, folder: Path) -> Corpus:
    """The corpus that the run has, if it is what is wanted."""
    present = read_corpus(folder)
    if isinstance(wanted, Path):
        _check_same(present, read_corpus(wanted), folder, _KEEP)
    else:
        _check_requested(present, wanted, folder)
    return present


_KEEP: Final = "leave --corpus out to use it, or choose another --run"


def _check_same(present: Corpus, wanted: Corpus, folder: Path, step: str) -> None:
    if present.sha256 != wanted.sha256:
        raise CorpusError(
            f"{folder} holds another corpus ({_describe(present)}, not {_describe(wanted)}); {step}"
        )


def _check_requested(present: Corpus, wanted: GeneratedCorpus, folder: Path) -> None:
    for name, value in wanted.requested.items():
        older = UNRECORDED if name == "generator" and "preset" in present.meta else None
        existing = present.meta.get(name, older)
        if existing != value:
            raise CorpusError(
                f"{folder} holds a corpus with {name} {existing!r}, not {value!r}; "
                f"leave --{name} out to use it, or choose another --run"
            )


def _describe(corpus: Corpus) -> str:
    return f"{len(corpus.documents):,} documents, sha256 {corpus.sha256[:12]}"
