"""One step of `scale_store.py`, in a process of its own, so that its memory is its own.

`python scale_steps.py STEP FOLDER DOCUMENTS` prints what it did as JSON. States are tiny (8 values
of one layer) and shards short (16 tokens): what is looked at grows with the number of documents
and shards, not with their size.
"""

import hashlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latentcomp.common.index_set import IndexSet
from latentcomp.extract.batches import plan_windows
from latentcomp.extract.plan import pending_batches
from latentcomp.extract.token_lists import TokenLists
from latentcomp.store.format import statistics
from latentcomp.store.format.documents import Documents
from latentcomp.store.format.identity import owner_sha256
from latentcomp.store.format.layout import Layout
from latentcomp.store.format.ledger import record_name
from latentcomp.store.format.placement import place_documents, tokens_between
from latentcomp.store.format.schema import DocumentEntry, LayerRecord, Manifest, ModelIdentity
from latentcomp.store.format.shards import encode_shard
from latentcomp.store.format.statistics import Sums
from latentcomp.store.places.open import place_of
from latentcomp.store.places.protocol import Listed, Place
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.verify import verify
from latentcomp.store.write.session import write_metadata
from latentcomp.store.write.writer import StoreWriter

HIDDEN, SHARD = 8, 16
PAGE = 1000
"""Names in one answer of an object store."""


class Counted:
    """A place that counts the questions that an object store would be asked."""

    def __init__(self, place: Place) -> None:
        """Of this place."""
        self._place = place
        self.questions: dict[str, int] = {}

    def __str__(self) -> str:
        return str(self._place)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._place, name)
        if name not in ("read", "size", "open", "write", "names", "remove", "stage"):
            return value

        def counted(*arguments: Any, **named: Any) -> Any:
            self._count(name)
            return value(*arguments, **named)

        return counted

    def listing(self, folder: str) -> Iterator[Listed]:
        """A page of names is one question."""
        self._count("list")
        for number, file in enumerate(self._place.listing(folder), start=1):
            if number % PAGE == 0:
                self._count("list")
            yield file

    def _count(self, name: str) -> None:
        self.questions[name] = self.questions.get(name, 0) + 1


def manifest(corpus: str, hidden: int = HIDDEN, layers: int = 1) -> Manifest:
    teacher = ModelIdentity(
        name="simulation",
        revision=None,
        architecture="Qwen3ForCausalLM",
        blocks=48,
        hidden_size=hidden,
        weights_sha256="a" * 64,
        tokenizer_sha256="b" * 64,
    )
    return Manifest(
        teacher=teacher,
        layers=tuple(LayerRecord(blocks_completed=i + 1, post_norm=False) for i in range(layers)),
        dtype="bfloat16",
        shard_tokens=SHARD,
        chunk_tokens=SHARD,
        corpus_sha256=corpus * 64,
        code_version="simulation",
    )


def length(index: int) -> int:
    return 3 if index % 8 == 0 else 2


def entries(documents: int) -> Iterator[DocumentEntry]:
    """Documents of two or three tokens, of which every fiftieth is the one before it again."""
    for index in range(documents):
        same = index - 1 if index % 50 == 49 else index
        ids = [same % 65_536, same // 65_536, 7][: length(same)]
        yield DocumentEntry(f"document {index}", ids, [0] * len(ids), (index % 4000,), ("q",))


def long_entries(documents: int) -> Iterator[DocumentEntry]:
    """Documents of 333 tokens on average, in four chunks, as a job has them."""
    noise = np.random.default_rng(0).integers(0, 150_000, 2000)
    chunk = np.repeat(np.arange(4), 125)
    for index in range(documents):
        tokens = 166 + 167 * (index % 3)
        ids = noise[index % 1000 :][:tokens].copy()
        ids[:2] = index % 65_536, index // 65_536
        yield DocumentEntry(f"document {index}", ids, chunk[:tokens], (1, 2, 3, 4), ("q0", "q1"))


STATES = torch.arange(3 * HIDDEN, dtype=torch.float32).reshape(3, 1, HIDDEN).bfloat16()


def write(place: Any, documents: int) -> dict[str, Any]:
    """What a writer leaves that was killed before the last shard: the same bytes, but without
    temporary files, renames and syncs, of which a million say nothing here. Verify reads them."""
    made, kept = manifest("c"), Documents(entries(documents))
    placement = place_documents(kept, SHARD)
    layout, owner = Layout(made, placement.tokens), owner_sha256(made)
    write_metadata(place, layout, kept, placement)
    starts = placement.starts[placement.own]
    bits = STATES[:, 0].view(torch.int16).numpy().view(np.uint16)
    for shard in range(layout.shards - 1):
        first = shard * SHARD
        low = int(np.searchsorted(starts, first, side="right")) - 1
        high = int(np.searchsorted(starts, first + SHARD))
        rows = np.concatenate([bits[: length(i)] for i in placement.own[low:high].tolist()])
        rows = np.ascontiguousarray(rows[first - int(starts[low]) :][:SHARD])
        ids = tokens_between(kept, placement, first, first + SHARD).astype("<u4")
        sums = Sums(layout.dtype, HIDDEN)
        sums.add(rows)
        for name, data in files(layout, owner, shard, rows, ids, sums).items():
            put(place, name, data)
    return {"shards": layout.shards}


def files(
    layout: Layout, owner: str, shard: int, rows: Any, ids: Any, sums: Sums
) -> dict[str, bytes]:
    """The files of a full shard of one chunk, and its record."""
    names, contents, digests = layout.shard_files(shard), [], []
    for grid, values in ((layout.states, rows), (layout.token_ids, ids)):
        digest = hashlib.sha256()
        chunk = values.view(np.uint8).reshape(SHARD, -1)
        contents.append(b"".join(encode_shard(grid, owner, shard, [[chunk]], digest)))
        digests.append(digest.hexdigest())
    contents.append(statistics.encode(sums.values[None]))
    digests.append(hashlib.sha256(contents[2]).hexdigest())
    indent = "      "
    listed = ",\n".join(
        f'    {{\n{indent}"bytes": {len(data)},\n{indent}"path": "{name}",\n'
        f'{indent}"sha256": "{sha}"\n    }}'
        for name, data, sha in zip(names, contents, digests, strict=True)
    )
    rest = (
        f'  "files": [\n{listed}\n  ],\n  "first_token": {shard * SHARD},\n'
        f'  "shard": {shard},\n  "tokens": {SHARD}\n}}\n'
    )
    checksum = hashlib.sha256(f"{{\n{rest}".encode()).hexdigest()
    record = f'{{\n  "checksum": "{checksum}",\n{rest}'.encode()
    return dict(zip(names, contents, strict=True)) | {record_name(shard): record}


def put(place: Any, name: str, data: bytes) -> None:
    if isinstance(place.path, str):
        place.write(name, [data])
        return
    file = place.path / name
    try:
        file.write_bytes(data)
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def resume_and_seal(place: Any, documents: int) -> dict[str, Any]:
    return go_on(place, manifest("c"), documents, extend=False)


def append(place: Any, documents: int) -> dict[str, Any]:
    return go_on(place, manifest("d"), documents + 1, extend=True)


def go_on(place: Any, made: Manifest, documents: int, extend: bool) -> dict[str, Any]:
    """Open the store, write what is missing and seal it."""
    os.fsync = lambda descriptor: None
    start = time.perf_counter()
    with StoreWriter(place, made, entries(documents), extend=extend) as writer:
        opened, pending = time.perf_counter() - start, writer.pending()
        for index in pending:
            writer.write(index, STATES[: length(index)])
    return {"documents_written": len(pending), "seconds_to_open": opened}


def open_unfinished(place: Any, documents: int) -> dict[str, Any]:
    store = FeatureStore(place, allow_partial=True)
    store.read(len(store) // 2)
    return {"documents": len(store), "rms": store.statistics[0].rms}


def verified(place: Any, documents: int) -> dict[str, Any]:
    report = verify(place)
    if not report.ok:
        raise SystemExit(f"{report.problems[:3]}")
    return {"shards": report.shards, "documents": report.documents, "earlier": report.earlier}


def verify_killed(place: Any, documents: int) -> dict[str, Any]:
    def stop(done: int, of: int) -> None:
        if 2 * done > of:
            os.kill(os.getpid(), signal.SIGKILL)

    verify(place, stop)
    return {}


def job(place: Any, documents: int) -> dict[str, Any]:
    """What an extraction keeps of its documents, and one pass over their token ids."""
    kept = Documents(long_entries(documents))
    lists, lengths = TokenLists(kept), kept.lengths.tolist()
    pending = IndexSet(documents, np.arange(documents))
    windows = tuple(plan_windows(lengths, 8192, packed=True))
    tokens = sum(
        len(lists[index]) for batch in pending_batches(windows, pending) for index in batch.indices
    )
    return {"tokens": tokens}


def growth(place: Any, documents: int) -> dict[str, Any]:
    """Questions to an object store of every step, for so many documents and for twice as many."""
    counts: dict[str, list[dict[str, int]]] = {}
    shards = []
    for size in (documents, 2 * documents):
        store = place_of(f"memory://{size}")
        for step in ("write", "open unfinished", "resume and seal", "verify", "append"):
            done = run(step, store, size)
            counts.setdefault(step, []).append(done["questions"])
            shards += [done["shards"]] if step == "verify" else []
    return {"shards": shards, "by_step": counts}


STEPS: dict[str, Callable[[Any, int], dict[str, Any]]] = {
    "imports": lambda place, documents: {},
    "job": job,
    "write": write,
    "open unfinished": open_unfinished,
    "resume and seal": resume_and_seal,
    "verify, killed half-way": verify_killed,
    "verify": verified,
    "append": append,
    "growth": growth,
}


def run(step: str, place: Place, documents: int) -> dict[str, Any]:
    """What a step did, how long it took, and what it asked."""
    counted, start = Counted(place), time.perf_counter()
    done = STEPS[step](counted, documents)
    return done | {
        "seconds": time.perf_counter() - start,
        "questions": dict(sorted(counted.questions.items())),
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], place_of(Path(sys.argv[2])), int(sys.argv[3]))))
