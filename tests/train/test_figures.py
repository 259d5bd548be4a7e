"""Figures of a step arrive as they were when they were sent."""

import pytest
import torch

from latentcomp.train.figures import send


def check(device):
    weight = torch.tensor(2.5, device=device, requires_grad=True)
    sent = send({"loss": weight * 2, "share": torch.tensor(0.25, device=device).double()})
    with torch.no_grad():
        weight.zero_()
    assert sent.read() == {"loss": 5.0, "share": 0.25}
    assert sent.read() == {"loss": 5.0, "share": 0.25}, "asked again, they are the same"


def test_figures_arrive_by_name():
    check("cpu")


@pytest.mark.gpu
def test_figures_arrive_from_a_gpu():
    check("cuda")
