"""A bench of tiny models, for the tests of what is asked and answered."""

from functools import partial

import torch

from latentcomp.evaluate.bench import Bench
from latentcomp.extract.read_documents import read_documents

from ..train import tiny


def bench(lm, number=4, ratio=4.0, batch_size=3, **changes) -> Bench:
    """A compressor that was never trained, between a model and itself."""
    torch.manual_seed(0)
    model = tiny.spec_of(lm, number).build()
    read = partial(read_documents, lm, layers=model.spec.layers, batch_size=batch_size)
    return Bench(model, read, lm, ratio, batch_size, **changes)
