"""Tiny models on the disk with an untrained compressor between them, as a run folder has it."""

import torch

from latentcomp.train import checkpoint
from latentcomp.train.record import Start, TrialRecord

from ..train import tiny


def write_trial(run, lm, seed=0, **data):
    """A trial's checkpoint in a run folder; another seed gives other weights."""
    torch.manual_seed(seed)
    model = tiny.spec_of(lm).build()
    record = TrialRecord(
        recipe=tiny.RECIPE,
        seed=seed,
        data={"kind": "store", "split": "train", **data},
        start=Start(origin="fresh", seed=seed),
    )
    folder = run / "trials" / "phase-4" / f"seed-{seed}"
    checkpoint.save_checkpoint(folder / "checkpoint", 7, model, [], record, finished=True)
    return folder
