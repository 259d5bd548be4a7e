"""What the user can say to `latentcomp ceiling`: one record, for the command and for its work."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ..common.terminal import option

_WHAT, _ON, _OPTIMISER, _HOW = (
    "What is measured",
    "On which documents",
    "How latents are optimised (recorded)",
    "How it runs",
)


@dataclass(frozen=True, kw_only=True)
class CeilingOptions:
    """What the user can say of a measurement of the interface."""

    ratio: Annotated[
        list[float], option(_WHAT, "Tokens per latent; may be repeated. [default: 8]", min=1.0)
    ] = None  # type: ignore[assignment]  # typer's way to say: an empty list
    reasoner: Annotated[
        str, option(_WHAT, "Who answers: `lab`, `lab-student`, a folder or a hub id.")
    ] = "lab"
    out: Annotated[Path, option(_WHAT, "Folder of batches and result.")] = Path("runs/ceiling")
    save_latents: Annotated[
        Path | None,
        option(_WHAT, "Keep the latents too, for `train --targets`.", metavar="FILE"),
    ] = None
    json: Annotated[
        Path | None,
        option(_WHAT, "Write the figures here too.", "--json", metavar="FILE"),
    ] = None
    documents: Annotated[int, option(_ON, "How many; of a corpus its first ones.", min=2)] = 24
    seed: Annotated[int, option(_ON, "Of generated documents, and of the intervals.", min=0)] = 1
    split: Annotated[str, option(_ON, "train, validation or test.")] = "validation"
    preset: Annotated[str, option(_ON, "lab or qwen3-30b; of generator 4 long too.")] = "lab"
    generator: Annotated[
        int | None, option(_ON, "Version of their world. [default: that of the reasoner]", min=1)
    ] = None
    questions: Annotated[
        int, option(_ON, "Most questions of each family about a generated document.", min=1)
    ] = 6
    corpus: Annotated[
        Path | None, option(_ON, "Given documents instead, a folder or a JSONL file.")
    ] = None
    start: Annotated[
        str,
        option(
            _OPTIMISER,
            "What latents begin as: means of embeddings or states, noise, or what a checkpoint "
            "writes.",
            metavar="embeddings|states|random|PATH",
        ),
    ] = "embeddings"
    layers: Annotated[
        str, option(_OPTIMISER, "Whose states `--start states` takes, such as -6,-18,-30.")
    ] = "-30"
    positions: Annotated[str, option(_OPTIMISER, "Where latents stand: tokens or sequential.")] = (
        "tokens"
    )
    hold_out: Annotated[
        float, option(_OPTIMISER, "Share of the questions kept from it.", min=0.0, max=0.99)
    ] = 0.5
    steps: Annotated[int, option(_OPTIMISER, "Adam steps.", min=0)] = 250
    lr: Annotated[
        float, option(_OPTIMISER, "Peak learning rate, in RMS of the embeddings.", min=0.0)
    ] = 1.0
    beta1: Annotated[float, option(_OPTIMISER, "Adam's first decay.", min=0.0, max=1.0)] = 0.9
    beta2: Annotated[float, option(_OPTIMISER, "Adam's second decay.", min=0.0, max=1.0)] = 0.95
    warmup_steps: Annotated[int, option(_OPTIMISER, "Steps of linear warm-up.", min=0)] = 10
    decay_start: Annotated[
        float,
        option(_OPTIMISER, "Share of the steps after which the rate falls.", min=0.0, max=1.0),
    ] = 0.6
    question_tokens: Annotated[
        int | None, option(_OPTIMISER, "Tokens of questions a step. [default: all]", min=16)
    ] = None
    optimiser_seed: Annotated[
        int, option(_OPTIMISER, "Of the questions held out, and of noise.", min=0)
    ] = 0
    device: Annotated[str, option(_HOW, "auto, cpu or cuda.")] = "auto"
    dtype: Annotated[
        str, option(_HOW, "Of the reasoner; auto: float32 for lab and CPU, else bfloat16.")
    ] = "auto"
    batch_size: Annotated[int, option(_HOW, "Documents optimised at once.", min=2)] = 24

    def check(self) -> None:
        """Refuse what can be known before torch is imported.

        Raises:
            LatentcompError: the first fault, with the others as its notes.
        """
        from ..models.layers import parse_layers
        from .early import check_held_out, check_input, refuse_all
        from .early_trial import check_world

        refuse_all(
            lambda: check_input(self.corpus, self.reasoner),
            lambda: parse_layers(self.layers),
            lambda: check_world(
                self.corpus, self.preset, self.split, self.reasoner, self.generator
            ),
        )
        if self.corpus is not None:
            check_held_out(self.corpus)
