"""Random states and small compressors, for tests of single parts."""

from typing import Any

import torch

from latentcomp.compressor.config import ModelConfig
from latentcomp.compressor.perceiver import Perceiver
from latentcomp.compressor.states import States

WIDTH, LAYERS = 12, 3


def states(lengths, padded=None, seed=0, day=(17, 24)):
    """Random states; the first half of a document is its first chunk."""
    generator = torch.Generator().manual_seed(seed)
    padded = padded or max(lengths)
    rows = [torch.randn(n, LAYERS, WIDTH, generator=generator) for n in lengths]
    h = torch.zeros(len(rows), padded, LAYERS, WIDTH)
    mask = torch.zeros(len(rows), padded, dtype=torch.bool)
    chunk = torch.zeros(len(rows), padded, dtype=torch.int64)
    for number, row in enumerate(rows):
        h[number, : len(row)], mask[number, : len(row)] = row, True
        chunk[number, len(row) // 2 : len(row)] = 1
    days = torch.tensor(day)[chunk]
    return States(h, mask, chunk, chunk * 2, torch.where(mask, days, 0))


def config_of(**changes):
    fields: dict[str, Any] = {
        "time": True,
        "projection": "learned",
        "scale": "free",
        "width": 16,
        "heads": 2,
    }
    return ModelConfig(**(fields | {"blocks": 2} | changes)).resolved(WIDTH)


def perceiver(**changes):
    torch.manual_seed(0)
    made = Perceiver(config_of(**changes), LAYERS, WIDTH)
    if made.residual is not None:  # at the start the residual alone speaks
        torch.nn.init.normal_(made.out.weight, std=0.3)
    return made.eval()


def spread(module, std=0.3):
    """The same module with weights that all speak: nothing is zero, no gain is one."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in module.parameters():
            noise = torch.randn(weight.shape, generator=generator) * std
            weight.copy_(noise + 1 if weight.ndim == 1 and weight.numel() > 1 else noise)
    return module


def given_states(lengths, chunks, lm, seed=0):
    """Random states of documents whose chunks have these lengths."""
    generator = torch.Generator().manual_seed(seed)
    total, width = max(map(sum, lengths)), lm.identity.hidden_size
    h = torch.zeros(len(lengths), total, chunks, width)
    mask = torch.zeros(len(lengths), total, dtype=torch.bool)
    chunk = torch.zeros(len(lengths), total, dtype=torch.int64)
    for row, sizes in enumerate(lengths):
        tokens = sum(sizes)
        h[row, :tokens] = torch.randn(tokens, chunks, width, generator=generator)
        mask[row, :tokens] = True
        chunk[row, :tokens] = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    return States(h, mask, chunk, chunk.clamp(max=2), 7 * chunk)


def beginning(one, tokens):
    """The first tokens of every document."""
    return States(*(getattr(one, name)[:, :tokens] for name in States.__slots__))
