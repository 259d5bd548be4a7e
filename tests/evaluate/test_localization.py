"""Where the reasoner looks: which latents count, against weights that are known."""

from dataclasses import replace

import pytest
import torch

from latentcomp.common.errors import TeacherError
from latentcomp.evaluate.diagnosis import localization
from latentcomp.evaluate.diagnosis.localization import localize
from latentcomp.reasoner.frozen import FrozenReasoner

from ..train import tiny
from .tiny_suite import bench

DOCUMENTS = [
    replace(one, questions=one.questions[: 2 + index])
    for index in range(3)
    for one in (tiny.story(index, 3 + index % 2, 2, "test").document,)
]


@pytest.fixture(scope="module")
def made():
    return bench(tiny.lm(4))


@pytest.fixture
def looking(monkeypatch):
    """Lets attention be what a test says: a function of the real weights of one depth."""
    read = FrozenReasoner.read

    def set_to(weights):
        def changed(self, context, questions, keep=(), attend=()):
            reading = read(self, context, questions, keep, attend)
            for place, (depth, given) in enumerate(reading.attention.items()):
                reading.attention[depth] = weights(given, place)
            return reading

        monkeypatch.setattr(FrozenReasoner, "read", changed)

    return set_to


def test_attention_without_a_preference_is_at_chance(made, looking):
    looking(lambda given, place: torch.ones_like(given))
    found = localize(made, DOCUMENTS, seed=0)
    assert found is not None
    assert [one.blocks_completed for one in found.depths] == [1, 2, 3, 4]
    for one in found.depths:
        assert one.evidence.point == pytest.approx(one.chance.point)
        assert 0 < one.chance.point < 1 and one.evidence.n > 3 and one.evidence.clusters == 3
    assert found.example is not None
    assert sum(found.example.chunks) == pytest.approx(1.0)


def test_what_is_looked_at_is_what_is_counted(made, looking, monkeypatch):
    """All attention on the first latent: it counts where that is of the evidence, and not else."""

    def first(given, place):
        weights = torch.full_like(given, 1e-9)
        weights[:, -localization_most[0]] = 1.0
        return weights

    chunks_of, localization_most = localization._chunks_of, [0]

    def watched(compressed, states):
        localization_most[0] = compressed.mask_BK.shape[1]
        holds = chunks_of(compressed, states)
        assert holds[:, 0, 0].all(), "the first latent stands for the first chunk"
        return holds

    monkeypatch.setattr(localization, "_chunks_of", watched)
    looking(first)
    rows = list(localization._rows(made, FrozenReasoner(made.reasoner), DOCUMENTS, 0, (1, 2)))
    assert {0 in row.question.evidence for row in rows} == {True, False}
    for row in rows:
        # A latent at the edge of two chunks is of both.
        if 0 in row.question.evidence:
            assert row.evidence == pytest.approx(1.0, abs=1e-4)
        elif 1 not in row.question.evidence:
            assert row.evidence == pytest.approx(0.0, abs=1e-4)


def test_depths_have_figures_of_their_own(made, looking):
    looking(lambda given, place: torch.ones_like(given) if place else given)
    found = localize(made, DOCUMENTS, seed=0)
    assert found is not None
    one, other = found.depths[0], found.depths[1]
    assert one.evidence.point != pytest.approx(other.evidence.point, abs=1e-9)


def test_questions_without_evidence_are_left_out(made):
    bare = [
        replace(one, questions=tuple(replace(q, evidence=()) for q in one.questions))
        for one in DOCUMENTS
    ]
    assert localize(made, bare, seed=0) is None
    mixed = localize(made, [bare[0], *DOCUMENTS[1:]], seed=0)
    assert mixed is not None and mixed.depths[0].evidence.clusters == 2


def test_the_batch_changes_no_figure(made):
    one, three = (localize(replace(made, batch_size=size), DOCUMENTS, seed=0) for size in (1, 3))
    assert one is not None and three is not None
    for a, b in zip(one.depths, three.depths, strict=True):
        assert a.evidence.point == pytest.approx(b.evidence.point, abs=1e-5)


def test_a_reasoner_that_cannot_be_looked_into_is_named(made, monkeypatch):
    def refuse(blocks, name):
        raise TeacherError(f"model {name!r}: its attention cannot be looked into")

    monkeypatch.setattr("latentcomp.reasoner.frozen.check_attention", refuse)
    with pytest.raises(TeacherError, match="cannot be looked into"):
        localize(made, DOCUMENTS, seed=0)
