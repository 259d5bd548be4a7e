"""Settings of the checks."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..extract.teachers.text.address import DEFAULT_URL

if TYPE_CHECKING:
    from ..compressor.config import ModelConfig

AUTO: Final = "auto"

QWEN3: Final = "Qwen/Qwen3-30B-A3B"
QWEN25: Final = "Qwen/Qwen2.5-7B"
DEFAULT_CARD_GB: Final = 96.0


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of `latentcomp doctor`."""

    teacher_url: str = DEFAULT_URL
    """Address of the text teacher."""
    served_model: str | None = None
    """Expected model; None for any."""
    tokenizers: tuple[str, str] = (QWEN3, QWEN25)
    """Two models (folder, hub id or lab name) whose tokenizers should agree."""
    corpus: Path | None = None
    """Documents to try the tokenizers on, beside the built-in ones."""
    architecture: str = "qwen3-30b-a3b"
    """Preset, folder with a config.json, or hub id in the local cache."""
    card_gb: float | None = None
    """10^9 bytes of the card; None for the GPU of this machine, or 96 where there is none."""
    batch_tokens: int = 16_384
    """Tokens that extraction reads at once."""
    layers: int = 3
    """Stored layers of each token."""
    documents_at_once: int = 8
    """Documents in a step of a training, and of one batch of an evaluation: their defaults."""
    latents: int = 256
    """Latents of each of them."""
    question_tokens: int = 256
    """Tokens of questions and answers behind the latents; the loss looks at these alone."""
    asked_tokens: int = 1024
    """Tokens of all questions about a document, which an evaluation asks at once."""
    ratio: float = 4.0
    """Tokens of the document for each latent."""
    checkpointing: bool | None = None
    """Whether the reasoner's blocks are computed again in the backward pass; None: as `train`."""
    dtype: str = AUTO
    """Of the weights; as `train` and `evaluate` resolve it on a GPU."""
    compressor: "ModelConfig | None" = None
    """What is trained, in float32 with AdamW; None: a perceiver with a learned projection."""
    teacher: str = "lab"
    """Model for the real forward pass."""
    device: str = "auto"
    runs: Path = Path("runs")
    """Where run folders go."""
    shipped: tuple[Path, ...] = ()
    """Checkpoints that come with the package."""
    sizes_given: bool = False
    """Whether sizes of batches were named; the default ones may be larger than a card takes."""
