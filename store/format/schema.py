"""The manifest of a store, and the entry of a document before extraction."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from .codecs import CODECS, CodecName

FORMAT_VERSION: Literal[1] = 1

DtypeName = Literal["bfloat16", "float16", "float32"]

Integers = npt.NDArray[np.int64]


class Record(BaseModel):
    """A frozen record that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelIdentity(Record):
    """Identifies a teacher or a reasoner; two models are the same only if every field is equal."""

    name: str
    """Hub id, `lab`, or the last part of a local path."""
    revision: str | None
    """Hub revision; None for local weights."""
    architecture: str
    """Class name in the model's config, such as `Qwen3ForCausalLM`."""
    blocks: int = Field(ge=1, le=2**16)
    """Number of transformer blocks of the whole model."""
    hidden_size: int = Field(ge=1, le=2**20)
    """Width of the residual stream."""
    weights_sha256: str
    """SHA-256 over the weight files, in hex."""
    tokenizer_sha256: str
    """SHA-256 over the tokenizer files, in hex."""
    config_sha256: str | None = None
    """SHA-256 over what the model's config.json says of its states, in hex; None in what was
    written before 0.3 and for the models of the package. Only then it is not written at all."""

    @model_serializer(mode="wrap")
    def _without_none(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = serialize(self)
        if content.get("config_sha256") is None:
            content.pop("config_sha256", None)
        return content

    def as_recorded(self, recorded: "ModelIdentity") -> "ModelIdentity":
        """This identity, without its config where an older record does not know any."""
        if recorded.config_sha256 is not None:
            return self
        return self.model_copy(update={"config_sha256": None})


class LayerRecord(Record):
    """One stored layer, by the blocks it has passed and never by a negative index."""

    blocks_completed: int = Field(ge=0, le=2**16)
    """Blocks that the residual stream has passed; 0 is the embedding."""
    post_norm: bool
    """True if the final norm was applied (only after the last block)."""


def _chunk_tokens(fields: dict[str, Any]) -> int:
    """Default of `chunk_tokens`: 128, or as many more as the codec needs to compress well."""
    tokens, shard = 128, fields.get("shard_tokens", 8192)
    if "codec" in fields and "teacher" in fields:
        least = CODECS[fields["codec"]].min_chunk_values
        while tokens * fields["teacher"].hidden_size < least:
            tokens *= 2
    return int(math.gcd(tokens, shard))


class Manifest(Record):
    """Contents of a store; a difference in any field makes it another store."""

    format_version: Literal[1] = FORMAT_VERSION
    teacher: ModelIdentity
    layers: tuple[LayerRecord, ...] = Field(min_length=1)
    """Ascending in `blocks_completed`; the order of the layer axis."""
    dtype: DtypeName
    """Floating point type of the stored bits."""
    codec: CodecName = "raw"
    """Key of `codecs.CODECS`."""
    shard_tokens: int = Field(default=8192, ge=1, le=2**31)
    """Tokens of a shard: one file, one commit. A multiple of `chunk_tokens`."""
    chunk_tokens: int = Field(default_factory=_chunk_tokens, ge=1, le=2**24)
    """Tokens of an inner chunk: the unit of reading, decoding and checking."""
    corpus_sha256: str
    """SHA-256 of the corpus that was extracted."""
    code_version: str
    """Version of the code that extracted."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        blocks = [layer.blocks_completed for layer in self.layers]
        if blocks != sorted(set(blocks)):
            raise ValueError(f"layers must ascend in blocks_completed, without repeats: {blocks}")
        if blocks[-1] > self.teacher.blocks:
            raise ValueError(f"layer after {blocks[-1]} of {self.teacher.blocks} blocks")
        if self.shard_tokens % self.chunk_tokens:
            raise ValueError(
                f"shard_tokens {self.shard_tokens} is no multiple of "
                f"chunk_tokens {self.chunk_tokens}"
            )
        return self


@dataclass(frozen=True, eq=False, slots=True)
class DocumentEntry:
    """A document before extraction: its tokens and the chunks they belong to."""

    document_id: str
    token_ids: npt.ArrayLike
    """[tokens] ids in the teacher's vocabulary, 0 <= id < 2**32; at least one."""
    chunk_of_token: npt.ArrayLike
    """[tokens] index of the chunk that a token belongs to; never decreasing."""
    days: tuple[int | None, ...]
    """Day of every chunk; None where the source has no times. Its length counts the chunks."""
    question_ids: tuple[str, ...] = field(default=())
    """Questions asked about this document, so that a store can be joined to its corpus."""
