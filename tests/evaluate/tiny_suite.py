"""A bench of tiny models, for the tests of what is asked and answered."""

import torch

from latentcomp.evaluate.suite import Bench

from ..train import tiny


def bench(lm, number=4, ratio=4.0, at_once=3) -> Bench:
    """A compressor that was never trained, between a model and itself."""
    torch.manual_seed(0)
    model = tiny.spec_of(lm, number).build()
    return Bench(model, lm, lm, ratio, at_once)
