"""Ways to keep [tokens, layers, hidden] bfloat16 bits on a disk, behind one interface."""

import gc
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from latentcomp.store.format.schema import (
    DocumentEntry,
    DtypeName,
    LayerRecord,
    Manifest,
    ModelIdentity,
)
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.write.writer import StoreWriter

Bits = npt.NDArray[np.uint16]
DTYPE: DtypeName = "bfloat16"


@dataclass(frozen=True, slots=True)
class Shape:
    """What is stored: documents of equal length."""

    documents: int
    length: int
    layers: int
    hidden: int
    chunk: int
    shard: int

    @property
    def tokens(self) -> int:
        return self.documents * self.length

    @property
    def bytes(self) -> int:
        return self.tokens * self.layers * self.hidden * 2


class Backend(ABC):
    """One way; `read` gives one document as [length, layers, hidden]."""

    name: ClassVar[str]
    needs: ClassVar[str] = ""
    checked: ClassVar[str] = "nothing"

    def __init__(self, path: Path, shape: Shape) -> None:
        self.path, self.shape = path, shape

    @classmethod
    def missing(cls) -> bool:
        return bool(cls.needs) and importlib.util.find_spec(cls.needs) is None

    @abstractmethod
    def write(self, documents: Iterator[Bits]) -> None: ...

    @abstractmethod
    def open(self) -> None: ...

    def close(self) -> None:
        for name in ("store", "array", "files", "dataset"):
            self.__dict__.pop(name, None)
        gc.collect()

    @abstractmethod
    def read(self, index: int) -> torch.Tensor: ...

    def _slice(self, index: int) -> slice:
        return slice(index * self.shape.length, (index + 1) * self.shape.length)

    def _shards(self, documents: Iterator[Bits]) -> Iterator[tuple[int, Bits]]:
        """Whole shards, since every array format is slow when it is fed less."""
        made = self.shape
        buffer = np.empty((made.shard, made.layers, made.hidden), np.uint16)
        start = filled = 0
        for document in documents:
            while len(document):
                part = document[: made.shard - filled]
                buffer[filled : filled + len(part)] = part
                filled, document = filled + len(part), document[len(part) :]
                if filled == made.shard:
                    yield start, buffer
                    start, filled = start + filled, 0
        if filled:
            yield start, buffer[:filled]


class Latentcomp(Backend):
    name = "latentcomp raw"
    codec: ClassVar[Any] = "raw"
    check: ClassVar[str] = "first"
    checked = "every chunk, first read"

    def write(self, documents: Iterator[Bits]) -> None:
        made, size = self.shape, self.shape.length
        # Random ids, since equal documents would be stored only once.
        ids = np.random.default_rng(0).integers(0, 150_000, made.tokens)
        entries = [
            DocumentEntry(f"d{i}", ids[self._slice(i)], np.zeros(size, int), (None,))
            for i in range(made.documents)
        ]
        with StoreWriter(self.path, _manifest(made, self.codec), entries) as writer:
            for index, document in enumerate(documents):
                writer.write(index, torch.from_numpy(document.view(np.int16)).view(torch.bfloat16))

    def open(self) -> None:
        self.store = FeatureStore(self.path, check=self.check)

    def read(self, index: int) -> torch.Tensor:
        return self.store.read(index).states


class LatentcompAlways(Latentcomp):
    name = "latentcomp raw, check=always"
    check = "always"
    checked = "every chunk, every read"


class LatentcompSplit(Latentcomp):
    name = "latentcomp split-zstd"
    codec = "split-zstd"


class ZarrDefault(Backend):
    name = "zarr-python defaults"
    needs = "zarr"

    def _create(self) -> Any:  # noqa: ANN401  a zarr.Array
        import zarr

        made = self.shape
        shape = (made.tokens, made.layers, made.hidden)
        return zarr.create_array(str(self.path), shape=shape, dtype="uint16")

    def write(self, documents: Iterator[Bits]) -> None:
        array = self._create()
        for start, block in self._shards(documents):
            array[start : start + len(block)] = block

    def open(self) -> None:
        import zarr

        self.array = zarr.open_array(str(self.path), mode="r")

    def read(self, index: int) -> torch.Tensor:
        return _tensor(np.asarray(self.array[self._slice(index)]))


class ZarrSharded(ZarrDefault):
    name = "zarr-python sharded + crc32c"
    checked = "every chunk, every read"

    def _create(self) -> Any:  # noqa: ANN401  a zarr.Array
        import zarr
        from zarr.codecs import Crc32cCodec

        made = self.shape
        return zarr.create_array(
            str(self.path),
            shape=(made.tokens, made.layers, made.hidden),
            dtype="uint16",
            chunks=(made.chunk, 1, made.hidden),
            shards=(made.shard, made.layers, made.hidden),
            compressors=[Crc32cCodec()],
        )


class Zarrs(ZarrSharded):
    name = "zarrs, sharded + crc32c"
    needs = "zarrs"

    def open(self) -> None:
        import zarr

        with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
            self.array = zarr.open_array(str(self.path), mode="r")


class Tensorstore(ZarrSharded):
    name = "tensorstore, sharded + crc32c"
    needs = "tensorstore"

    def open(self) -> None:
        import tensorstore

        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(self.path)}}
        self.array = tensorstore.open(spec).result()

    def read(self, index: int) -> torch.Tensor:
        return _tensor(np.asarray(self.array[self._slice(index)].read().result()))


class Memmap(Backend):
    name = "np.memmap"

    def write(self, documents: Iterator[Bits]) -> None:
        import os

        with self.path.open("wb") as file:
            for document in documents:
                file.write(document)
            file.flush()
            os.fsync(file.fileno())

    def open(self) -> None:
        made = self.shape
        shape = (made.tokens, made.layers, made.hidden)
        self.array = np.memmap(self.path, np.uint16, "r", shape=shape)

    def read(self, index: int) -> torch.Tensor:
        return _tensor(np.array(self.array[self._slice(index)]))


class Safetensors(Backend):
    name = "safetensors, one file a shard"
    needs = "safetensors"

    def write(self, documents: Iterator[Bits]) -> None:
        from safetensors.numpy import save_file

        self.path.mkdir()
        for start, block in self._shards(documents):
            save_file({"states": block}, self.path / f"{start // self.shape.shard}.safetensors")

    def open(self) -> None:
        from safetensors import safe_open

        files = sorted(self.path.iterdir(), key=lambda file: int(file.stem))
        self.files = [safe_open(file, "np").get_slice("states") for file in files]

    def read(self, index: int) -> torch.Tensor:
        wanted, parts = self._slice(index), []
        start = wanted.start
        while start < wanted.stop:
            file, within = divmod(start, self.shape.shard)
            size = min(wanted.stop - start, self.shape.shard - within)
            parts.append(self.files[file][within : within + size])
            start += size
        return _tensor(parts[0] if len(parts) == 1 else np.concatenate(parts))


class Lance(Backend):
    name = "Lance"
    needs = "lance"

    def write(self, documents: Iterator[Bits]) -> None:
        import lance
        import pyarrow as pa

        width = self.shape.layers * self.shape.hidden * 2
        schema = pa.schema([pa.field("states", pa.binary(width))])

        def batches() -> Iterator[Any]:
            for document in documents:
                raw = pa.py_buffer(document.tobytes())
                rows = pa.Array.from_buffers(pa.binary(width), len(document), [None, raw])
                yield pa.RecordBatch.from_arrays([rows], schema=schema)

        lance.write_dataset(batches(), str(self.path), schema=schema)

    def open(self) -> None:
        import lance

        self.dataset = lance.dataset(str(self.path))

    def read(self, index: int) -> torch.Tensor:
        wanted = self._slice(index)
        table = self.dataset.take(range(wanted.start, wanted.stop))
        column = table["states"].combine_chunks()
        raw = np.frombuffer(column.buffers()[1], np.uint16)
        return _tensor(raw.reshape(-1, self.shape.layers, self.shape.hidden).copy())


BACKENDS: tuple[type[Backend], ...] = (
    Latentcomp,
    LatentcompAlways,
    LatentcompSplit,
    ZarrDefault,
    ZarrSharded,
    Zarrs,
    Tensorstore,
    Safetensors,
    Memmap,
    Lance,
)


def _tensor(bits: npt.NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(bits.view(np.int16)).view(torch.bfloat16)


def _manifest(made: Shape, codec: Any) -> Manifest:  # noqa: ANN401  a CodecName
    teacher = ModelIdentity(
        name="benchmark",
        revision=None,
        architecture="none",
        blocks=made.layers,
        hidden_size=made.hidden,
        weights_sha256="0" * 64,
        tokenizer_sha256="0" * 64,
    )
    return Manifest(
        teacher=teacher,
        layers=tuple(
            LayerRecord(blocks_completed=i + 1, post_norm=False) for i in range(made.layers)
        ),
        dtype=DTYPE,
        codec=codec,
        chunk_tokens=made.chunk,
        shard_tokens=made.shard,
        corpus_sha256="0" * 64,
        code_version="benchmark",
    )
