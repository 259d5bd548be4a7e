"""Diagnostics: sizes and neighbours by depth, layers left out, what probes are given."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from latentcomp.common.errors import LatentcompError
from latentcomp.evaluate.arms import latents
from latentcomp.evaluate.diagnosis import layers, probes
from latentcomp.evaluate.diagnosis.injected import by_depth
from latentcomp.evaluate.diagnosis.layers import layer_shares, leave_one_out
from latentcomp.evaluate.diagnosis.people import CODE, NO_PERSON, people_of
from latentcomp.evaluate.diagnosis.segment_rows import (
    CURRENT,
    STALE,
    UNKNOWN,
    SegmentRows,
    segment_rows,
)
from latentcomp.evaluate.held_out import explored

from ..train import tiny
from .tiny_suite import bench

DOCUMENTS = [
    replace(one, questions=one.questions[::3])
    for one in (tiny.story(index, 2 + index % 2, 2, "test").document for index in range(4))
]


@pytest.fixture(scope="module")
def lm():
    return tiny.lm(4)


@pytest.fixture(scope="module")
def made(lm):
    return bench(lm)


def test_sizes_and_neighbours_by_depth(lm, made):
    depths = by_depth(made, DOCUMENTS)
    assert [depth.blocks_completed for depth in depths] == [0, 1, 2, 3]
    first = depths[0]
    assert first.text_rms == pytest.approx(1.0, rel=0.2)
    assert first.text_nearest == pytest.approx(1.0, abs=1e-4), "a token is its own neighbour"
    assert first.latents_nearest < 0.99
    multiple = made.model.spec.config.scale_multiple
    assert first.latents_rms == pytest.approx(multiple, rel=1e-2), "not trained yet"
    double = replace(made, model=made.model.spec.build())
    torch.nn.init.constant_(double.model.projection.scale.start, 0.0)
    louder = by_depth(double, DOCUMENTS)
    rms = float(lm.model.get_input_embeddings().weight.square().mean().sqrt())
    assert louder[0].latents_rms == pytest.approx(1 / rms, rel=1e-2)
    assert louder[0].text_rms == first.text_rms
    assert depths[3].latents_nearest != depths[3].text_nearest


def test_a_layer_left_out_is_read_as_nothing(lm, made, monkeypatch):
    """The states of one layer are zero, and its accuracy is compared question by question."""
    seen = []
    compress_documents = latents.compress_documents

    def watched(given, documents, progress):
        seen.append([one.states.abs().amax((0, 2)) > 0 for one in given.read(documents)])
        return compress_documents(given, documents, progress)

    monkeypatch.setattr(layers, "compress_documents", watched)
    heard = []
    report = leave_one_out(made, DOCUMENTS, 0, lambda arm, count: heard.append(arm))
    kept = [[one.tolist() for one in documents] for documents in seen]
    assert kept == [[[True, True]] * 4, [[False, True]] * 4, [[True, False]] * 4]
    assert list(dict.fromkeys(heard)) == ["compressed", "without 1", "without 3"]
    assert [one.layer.blocks_completed for one in report.layers] == [1, 3]
    count = sum(len(document.questions) for document in DOCUMENTS)
    assert report.accuracy.n == count
    for one in report.layers:
        assert one.drop.n == count and one.families.keys() == report.families.keys()
        assert one.shares == {"compressor.mix": 0.5, "compressor.residual": 0.5}


def test_shares_are_those_that_were_learned(made):
    model = made.model.spec.build()
    with torch.no_grad():
        model.compressor.mix.logits.copy_(torch.tensor([0.0, np.log(3)]))
    assert layer_shares(model, 2)["compressor.mix"] == pytest.approx([0.25, 0.75])
    assert layer_shares(model, 3) == {}


def test_shares_are_of_the_size_of_weights_that_begin_with_one_layer(made):
    spec = made.model.spec
    config = spec.config.model_copy(update={"residual_start": "last"})
    model = spec.model_copy(update={"config": config}).build()
    residual = model.compressor.residual
    assert layer_shares(model, 2)["compressor.residual"] == [0.0, 1.0]
    with torch.no_grad():
        residual.weights[0] = -1.0
    assert layer_shares(model, 2)["compressor.residual"] == [0.5, 0.5]


@pytest.fixture(scope="module")
def rows(lm, made):
    return segment_rows(made, DOCUMENTS, lm.encode)


def test_what_latents_are_said_to_hold(lm, rows):
    tokens = [len(lm.encode(lm.prompt.head + one.text)) for one in DOCUMENTS]
    counts = np.bincount(rows.document)
    assert counts.tolist() == [-(-count // 4) for count in tokens]
    assert rows.latents.shape == (counts.sum(), tiny.HIDDEN)
    assert rows.means.shape == (counts.sum(), 2 * tiny.HIDDEN)
    for index, document in enumerate(DOCUMENTS):
        days = [chunk.day for chunk in document.chunks]
        mine = rows.day[rows.document == index]
        assert mine.tolist() == sorted(mine.tolist()) and set(mine.tolist()) == set(days)


def test_latents_of_learned_mass_stand_for_the_tokens_of_their_mass(lm, made):
    """A head that gives the end nearly all mass: most latents are said to hold its tokens."""
    torch.manual_seed(0)
    config = made.model.spec.config.model_copy(update={"allocation": "learned_mass"})
    model = made.model.spec.model_copy(update={"config": config}).build()
    equal = segment_rows(replace(made, model=model), DOCUMENTS, lm.encode)

    def heavy(x_BTW, mask_BT, counts_B, gain_BT=None):
        tokens_B1 = mask_BT.sum(1, keepdim=True)
        late_BT = torch.arange(mask_BT.shape[1])[None] >= 0.75 * tokens_B1
        mass_BT = torch.where(late_BT, 30.0, 1.0) * mask_BT
        return counts_B[:, None] * mass_BT / mass_BT.sum(1, keepdim=True)

    model.compressor.mass.forward = heavy
    rows = segment_rows(replace(made, model=model), DOCUMENTS, lm.encode)
    assert rows.latents.shape == equal.latents.shape
    for index, document in enumerate(DOCUMENTS):
        last = document.chunks[-1].day
        share = (rows.day[rows.document == index] == last).mean()
        assert share > 0.6 > (equal.day[equal.document == index] == last).mean()
        sizes = [len(rows.tokens[row]) for row in np.flatnonzero(rows.document == index)]
        assert min(sizes) >= 1 and max(sizes) > 3 * sorted(sizes)[len(sizes) // 2]


def test_values_that_hold_and_values_that_were_replaced(lm, made):
    """Where a value stands: the chunk that settles it, or one before it."""
    documents = [tiny.story(index, 5, 3).document for index in range(6)]
    rows = segment_rows(made, documents, lm.encode)
    current, stale = (np.flatnonzero(rows.value == kind) for kind in (CURRENT, STALE))
    assert len(current) > 5 and len(stale) > 2
    for places, values in (
        (current, lambda q: (q.answer,)),
        (stale, lambda q: q.stale_answers),
    ):
        for row in places:
            asked = documents[rows.document[row]].questions
            known = {value for q in asked if q.family == "latest" for value in values(q)}
            tokens = {token for value in known for token in lm.encode(f" {value}")}
            assert rows.tokens[row] & tokens


def planted(count=80, documents=8):
    """Rows whose inputs say everything, and rows whose inputs say nothing."""
    rng = np.random.default_rng(0)
    document = np.arange(count * documents) % documents
    day = 10 * (np.arange(len(document)) // documents % 4) + document
    value = rng.integers(0, 2, len(document))
    held = rng.integers(0, 9, len(document))
    people = tuple(rng.normal(size=(5, CODE)) for _ in range(documents))
    named, owner = rng.integers(-1, 5, (2, len(document)))
    codes = [np.vstack([people[d][who] for d, who in zip(document, label, strict=True)])
             * (label >= 0)[:, None] for label in (named, owner)]  # fmt: skip
    columns = [day[:, None], value[:, None], np.eye(9)[held], *codes]
    told = np.concatenate(columns, 1).astype(float)
    tokens = [frozenset({int(token)}) for token in held]
    nothing = rng.normal(size=told.shape)
    return SegmentRows(told, nothing, document, day, tokens, value, named, owner, people)


def test_probes_tell_what_is_there_and_nothing_else():
    pytest.importorskip("sklearn")
    results = {(one.of, one.source): one for one in probes.probe(planted(), 0)}
    assert results.keys() == {
        (name, source) for name in probes.PROBES for source in ("latents", "mean states")
    }
    for name in probes.PROBES:
        there, nothing = results[name, "latents"], results[name, "mean states"]
        assert there.score.point > 0.95 > there.base.point
        assert nothing.score.point < nothing.base.point + 0.15
        assert there.score.clusters == 4, "every second document"


def test_what_no_document_says_is_not_probed():
    pytest.importorskip("sklearn")
    unknown = np.full(640, -1)
    bare = replace(planted(), day=unknown, value=unknown, named=unknown, owner=unknown)
    assert UNKNOWN == NO_PERSON == -1
    assert {one.of for one in probes.probe(bare, 0)} == {"tokens"}


def test_a_document_with_one_person_asks_nothing_of_a_probe():
    pytest.importorskip("sklearn")
    rows = planted()
    alone = replace(rows, named=rows.named.clip(max=0), people=tuple(p[:1] for p in rows.people))
    assert "entity" not in {one.of for one in probes.probe(replace(alone, owner=alone.named), 0)}


def test_who_is_named_and_whose_a_value_is(lm, made):
    """Of generator 4, whose questions say forms: each label is in the text as it says."""
    generated = explored(None, "lab", "validation", 4, 1, 4, 4).documents
    documents = [replace(one, chunks=one.chunks[:3]) for one in generated]
    documents = [replace(one, questions=tuple(q for q in one.questions
                 if not q.evidence or q.evidence[-1] < 3)) for one in documents]  # fmt: skip
    rows = segment_rows(made, documents, lm.encode)
    crowds = [people_of(one) for one in documents]
    assert [len(codes) for codes in rows.people] == [len(each) for each in crowds]
    owned = np.flatnonzero(rows.owner != NO_PERSON)
    assert len(np.flatnonzero(rows.named != NO_PERSON)) > 20 and len(owned) > 3
    for row in np.flatnonzero(rows.named != NO_PERSON):
        name = crowds[rows.document[row]][rows.named[row]]
        assert rows.tokens[row] & {*lm.encode(f" {name}"), *lm.encode(name)}
    for row in owned:
        document, who = documents[rows.document[row]], crowds[rows.document[row]][rows.owner[row]]
        values = [q.answer for q in document.questions if who in q.text and q.hops == 0]
        assert rows.tokens[row] & {token for one in values for token in lm.encode(f" {one}")}
        assert rows.named[row] != rows.owner[row]


def test_people_of_a_source_without_forms_are_not_known():
    assert people_of(DOCUMENTS[0]) == ()


def test_without_scikit_learn_one_line_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(LatentcompError, match="latentcomp\\[analysis\\]") as caught:
        probes.probe(planted(), 0)
    assert "\n" not in str(caught.value)
