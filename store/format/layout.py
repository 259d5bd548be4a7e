"""The Zarr metadata of a store; the names of its files stand in `files.py`."""

from dataclasses import dataclass
from typing import Any

from ...common.forks import lazy
from .codecs import CodecName, chunk_codec
from .dtypes import DTYPES, StoredDtype
from .encoding import Encoding, encoding_of
from .files import CHUNKS as CHUNKS
from .files import DOCUMENTS as DOCUMENTS
from .files import LEDGER as LEDGER
from .files import LEDGER_FOLDER as LEDGER_FOLDER
from .files import MANIFEST as MANIFEST
from .files import SEAL as SEAL
from .files import STATES as STATES
from .files import STATISTICS as STATISTICS
from .files import TOKENS as TOKENS
from .files import is_store as is_store
from .files import shard_files as shard_files
from .schema import Manifest
from .shards import Grid

TOKEN_SENTINEL = 2**32 - 1
"""Fill value of the token ids; no vocabulary reaches it."""
STATISTICS_ROWS = ("sum", "sum_of_squares", "max_abs")
ERROR_ROW = "sum_of_squared_errors"
"""Fourth row of the statistics of a lossy codec."""


@dataclass(frozen=True)
class Layout:
    """A manifest plus the number of tokens: enough to know every file of the store."""

    manifest: Manifest
    tokens: int

    @lazy
    def dtype(self) -> StoredDtype:
        """Floating point type of the states."""
        return DTYPES[self.manifest.dtype]

    @property
    def hidden(self) -> int:
        """Width of a state."""
        return self.manifest.teacher.hidden_size

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.tokens // self.manifest.shard_tokens)

    @lazy
    def encoding(self) -> Encoding:
        """How the bits of a state become a stored row."""
        return encoding_of(self.dtype, self.hidden, self.manifest.codec)

    @property
    def statistics_rows(self) -> tuple[str, ...]:
        """What the statistics array holds per layer and dimension."""
        return STATISTICS_ROWS if self.encoding.exact else (*STATISTICS_ROWS, ERROR_ROW)

    @lazy
    def states(self) -> Grid:
        """Geometry of the states: [tokens, layers, stored rows]."""
        return self._grid(len(self.manifest.layers), self.encoding.row_bytes, self.manifest.codec)

    @lazy
    def token_ids(self) -> Grid:
        """Geometry of the token ids: [tokens]."""
        return self._grid(1, 4, "raw")

    def shard_files(self, shard: int) -> tuple[str, str, str]:
        """States, token ids and statistics of one shard, relative to the store."""
        return shard_files(shard)

    def metadata(self) -> dict[str, Any]:
        """Path -> content of every zarr.json."""
        blocks = [layer.blocks_completed for layer in self.manifest.layers]
        form = self.encoding
        attributes = {"logical_dtype": self.manifest.dtype, "blocks_completed": blocks}
        attributes |= form.attributes
        group = {"zarr_format": 3, "node_type": "group", "attributes": {"format": "latentcomp"}}
        shape = [self.tokens, len(blocks), form.width]
        states = self._sharded(self.states, shape, form.zarr, form.fill, attributes)
        ids = self._sharded(self.token_ids, [self.tokens], "uint32", TOKEN_SENTINEL, {})
        return {
            "zarr.json": group,
            f"{STATES}/zarr.json": states | {"dimension_names": ["token", "layer", "hidden"]},
            f"{TOKENS}/zarr.json": ids | {"dimension_names": ["token"]},
            f"{STATISTICS}/zarr.json": self._statistics(blocks),
        }

    def _grid(self, columns: int, row: int, name: CodecName) -> Grid:
        chunk, shard = self.manifest.chunk_tokens, self.manifest.shard_tokens
        codec = chunk_codec(name, self.dtype.item_bytes, chunk * row)
        return Grid(self.tokens, columns, row, chunk, shard, codec)

    def _sharded(
        self, grid: Grid, shape: list[int], data_type: str, fill: int, attributes: dict[str, Any]
    ) -> dict[str, Any]:
        inner = [grid.chunk_tokens, 1, *shape[2:]][: len(shape)]
        sharding = {
            "chunk_shape": inner,
            "codecs": [_LITTLE, *grid.codec.zarr, _CRC32C],
            "index_codecs": [_LITTLE, _CRC32C],
            "index_location": "end",
        }
        codecs = [{"name": "sharding_indexed", "configuration": sharding}]
        outer = [grid.shard_tokens, *shape[1:]]
        return _array(shape, data_type, outer, fill, codecs) | {"attributes": attributes}

    def _statistics(self, blocks: list[int]) -> dict[str, Any]:
        chunk = [1, len(blocks), len(self.statistics_rows), self.hidden]
        array = _array(
            [self.shards, *chunk[1:]], "float64", chunk, "NaN", [dict(_LITTLE), dict(_CRC32C)]
        )
        return array | {
            "attributes": {"rows": list(self.statistics_rows), "blocks_completed": blocks},
            "dimension_names": ["shard", "layer", "row", "hidden"],
        }


_LITTLE: dict[str, Any] = {"name": "bytes", "configuration": {"endian": "little"}}
_CRC32C: dict[str, Any] = {"name": "crc32c"}


def _array(
    shape: list[int], data_type: str, chunk: list[int], fill: int | str, codecs: list[Any]
) -> dict[str, Any]:
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": data_type,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        # Dots keep all shards of an array in one folder: one fsync makes a new name durable.
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": fill,
        "codecs": codecs,
    }
