"""The claim on layers is held against the plan's rule, and not against a wish."""

import pytest

from latentcomp.evaluate.diagnosis.layers import LayerFigures, LayerReport
from latentcomp.evaluate.stats import Interval
from latentcomp.store.format.schema import LayerRecord
from latentcomp.tools.layers_block import CLAIM, _claim, _table


def span(point):
    return Interval(point=point, low=point, high=point, n=9, clusters=9, resamples=9, seed=0)


def report(lost):
    """Drops by layer -k, each in the order fact, relation, structure."""
    names = ("fact", "relation", "structure")
    return LayerReport(
        accuracy=span(0.9),
        families={name: span(0.9) for name in names},
        layers=tuple(
            LayerFigures(
                layer=LayerRecord(blocks_completed=49 + number, post_norm=False),
                shares={"mix": 0.3},
                drop=span(sum(drops) / 3),
                families={name: span(drop) for name, drop in zip(names, drops, strict=True)},
            )
            for number, drops in lost.items()
        ),
    )


DIAGONAL = {-30: (0.5, 0.1, 0.1), -18: (0.1, 0.5, 0.1), -6: (0.1, 0.1, 0.5)}


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (DIAGONAL, "**that is what was measured**"),
        (DIAGONAL | {-18: (0.2, 0.1, 0.1)}, "**that is rejected**"),
        (DIAGONAL | {-6: (0.6, 0.1, 0.5)}, "**that is rejected**"),
    ],
)
def test_every_layer_has_to_hurt_its_family_most(lost, words):
    text = _claim(report(lost))
    assert words in text
    for number, family in CLAIM.items():
        assert (
            f"without {number} `" in text
            and f"`{family}`, which the plan names" in text
            or (f"without {number} `{family}` loses most" in text)
        )


def test_layers_stand_by_their_depth():
    lines = _table(report(dict(reversed(DIAGONAL.items()))))
    assert lines[0] == "| family | all layers | without -30 | without -18 | without -6 |"
    assert lines[2].startswith("| fact | 0.900 | 0.500")
    assert lines[-1] == "| learned share (`mix`) | | 0.30 | 0.30 | 0.30 |"
