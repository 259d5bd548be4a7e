"""verify against tables that lie: every fingerprint fits, the documents do not."""

import pyarrow.parquet as pq
import pytest

from latentcomp.common.parquet import parquet_bytes
from latentcomp.store.format import ledger, seal
from latentcomp.store.format.schema import DocumentEntry
from latentcomp.store.places.open import place_of
from latentcomp.store.tools.verify import verify
from latentcomp.store.write.writer import StoreWriter

from . import samples

LENGTHS = (20, 70, 30, 64, 9)


@pytest.fixture
def store(tmp_path):
    """Five documents, then the second one again."""
    entries = samples.entries(LENGTHS)
    twin = DocumentEntry("twin", entries[1].token_ids, entries[1].chunk_of_token, entries[1].days)
    with StoreWriter(tmp_path / "store", samples.manifest(), [*entries, twin]) as writer:
        for index in writer.pending():
            writer.write(index, samples.states(index, LENGTHS[index]))
    assert verify(tmp_path / "store").ok
    return tmp_path / "store"


def lie(store, column, change):
    """Change a column of documents.parquet, and the seal with it."""
    place = place_of(store)
    table = pq.read_table(store / "documents.parquet")
    values = table[column].to_pylist()
    change(values)
    at = table.schema.get_field_index(column)
    field = table.schema.field(at)
    changed = table.set_column(at, field, [values])
    place.write("documents.parquet", [parquet_bytes([changed.cast(table.schema)])])
    old = seal.read_seal(place)
    files = tuple(ledger.fingerprint(place, file.path) for file in old.files)
    ledger.write_sealed(place, "seal.json", old.model_copy(update={"files": files}))


def put(index, value):
    def change(values):
        values[index] = value

    return change


def swap(values):
    values[0], values[2] = values[2], values[0]


@pytest.mark.parametrize(
    ("column", "change", "documents"),
    [
        ("first_token", put(2, 91), {"d2"}),
        ("first_token", put(5, 184), {"twin"}),
        ("first_token", put(5, 0), {"twin"}),
        ("tokens_sha256", put(3, "0" * 64), {"d3"}),
        ("tokens_sha256", put(5, "1" * 64), {"twin"}),
        ("tokens_sha256", swap, {"d0", "d2"}),
        ("tokens", put(5, 69), {"twin"}),
        ("tokens", put(4, 8), {"d4"}),
        ("tokens", put(2, 29), {"d2", "d3", "d4"}),
    ],
)
def test_a_document_that_does_not_fit_its_tokens_is_named(store, column, change, documents):
    lie(store, column, change)
    problems = [p.message for p in verify(store).problems if p.path == "documents.parquet"]
    named = {message.split("'")[1] for message in problems if message.startswith("'")}
    assert named == documents


@pytest.mark.parametrize(
    ("column", "value"),
    [("tokens", 0), ("tokens", -3), ("tokens", 2**40), ("tokens_sha256", "no hash")],
)
def test_impossible_values_are_a_problem_and_no_traceback(store, column, value):
    lie(store, column, put(1, value))
    report = verify(store)
    assert not report.ok
    assert any("documents" in problem.path + problem.message for problem in report.problems)


def test_documents_of_a_shard_that_cannot_be_read_are_not_blamed(store):
    (store / "token_ids" / "c.1").unlink()
    assert [problem.path for problem in verify(store).problems] == ["token_ids/c.1"]
