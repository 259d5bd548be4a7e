"""Names of the files of a store; without torch, so that command lines know one quickly."""

from ..places.protocol import Place, exists, reading

MANIFEST = "manifest.json"
SEAL = "seal.json"
DOCUMENTS = "documents.parquet"
CHUNKS = "chunks.parquet"
LEDGER = "ledger.parquet"
LEDGER_FOLDER = "ledger"
STATES, TOKENS, STATISTICS = "states", "token_ids", "statistics"


def shard_files(shard: int) -> tuple[str, str, str]:
    """States, token ids and statistics of one shard of any store, relative to it."""
    return (f"{STATES}/c.{shard}.0.0", f"{TOKENS}/c.{shard}", f"{STATISTICS}/c.{shard}.0.0.0")


def is_store(place: Place) -> bool:
    """True if there is a store, finished or not.

    Raises:
        StoreError: the folder may not be read.
    """
    with reading(place):
        return exists(place, MANIFEST)
