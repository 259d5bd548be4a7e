"""What an objective may look at: one step of a training, before its gradients.

Shapes: see `compressor/model.py` and `reasoner/frozen.py`.
"""

from dataclasses import dataclass, field

import torch

from ..compressor.model import Compressed
from ..reasoner.frozen import FrozenReasoner, ReaderOutput
from .batches import Batch
from .targets import Targets


@dataclass(slots=True)
class Step:
    """Everything an objective may look at."""

    reasoner: FrozenReasoner
    batch: Batch
    compressed: Compressed
    """Latents and injected vectors, with gradients."""
    reading: ReaderOutput
    """Of the latents, with gradients."""
    targets: Targets | None = None
    """Latents optimised per document, where the training was given some."""
    _full: ReaderOutput | None = field(default=None, init=False)

    @property
    def full(self) -> ReaderOutput:
        """What the reasoner makes of the document itself, without gradients; read once a step."""
        if self._full is None:
            states = self.batch.states
            with torch.no_grad():
                context = self.reasoner.document_context(self.batch.token_ids_BT, states.mask_BT)
                depths = tuple(self.reading.states)
                self._full = self.reasoner.read(context, self.batch.questions, depths)
        return self._full
