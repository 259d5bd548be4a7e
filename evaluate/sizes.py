"""What the evaluated documents amount to: tokens, vectors and bytes."""

from math import nan

from pydantic import Field

from ..common.record import Record


class Bytes(Record):
    """The same documents in three forms; null where there are no latents."""

    latents: int | None = None
    """As latents."""
    states: int | None = None
    """As stored teacher states."""
    text: int | None = None
    """As UTF-8 text."""


class Sizes(Record):
    """What the evaluated documents amount to, summed over documents."""

    tokens: int
    """Tokens of the documents, each with the first one of the prompt's head."""
    latents: int
    """Latents that the compressor says it made of them."""
    latent_bytes: int
    """Bytes of the latents as they would be stored."""
    state_bytes: int
    """Bytes of the teacher states they were made from."""
    text_bytes: int
    """Bytes of the text itself, UTF-8."""
    vectors: dict[str, int] = Field(default_factory=dict)
    """By arm: vectors that stood before the questions, counted in what the reasoner read."""

    @property
    def tokens_per_latent(self) -> float:
        """Document tokens per vector that the reasoner read in their place; NaN without any."""
        vectors = self.vectors.get("compressed", self.latents)
        return self.tokens / vectors if vectors else nan

    @property
    def bytes(self) -> Bytes:
        """The three forms alone."""
        return Bytes(latents=self.latent_bytes, states=self.state_bytes, text=self.text_bytes)
