"""Files of latents: the same when read again; damaged, foreign and stale ones are refused."""

import pytest
import torch
from safetensors.torch import save_file

from latentcomp.api import Compressor, LatentcompError, Latents, Reasoner
from latentcomp.models.describe import describe_document
from latentcomp.models.loading import load_causal_lm

from ..train import tiny
from .tiny_api import write_trial

QUESTION = "Where does Ann live?"


@pytest.fixture(scope="module")
def latents(compressor):
    return compressor.compress(list(tiny.documents(3)))


@pytest.fixture(scope="module")
def reasoner(compressor):
    return Reasoner.from_pretrained(compressor=compressor)


def test_a_file_holds_all(tmp_path, latents):
    again = Latents.load(latents.save(tmp_path / "new" / "latents.safetensors"))
    assert again.document_ids == latents.document_ids
    assert again.nbytes == latents.nbytes and again.ratio == latents.ratio
    assert again.record.compressor_sha256 == latents.record.compressor_sha256
    for one, other in zip(again, latents, strict=True):
        assert torch.equal(one.vectors, other.vectors)
        assert (one.positions is None) == (other.positions is None)
        assert one.positions is None or torch.equal(one.positions, other.positions)
        assert (one.tokens, one.fingerprint) == (other.tokens, other.fingerprint)


def test_bytes_are_those_of_the_vectors(latents, compressor):
    numbers = sum(len(one) for one in latents) * compressor.spec.latent_width
    assert latents.nbytes == 2 * numbers
    assert latents.tokens_per_latent == pytest.approx(4, rel=0.1)


def test_indexing(tmp_path, latents):
    name = latents.document_ids[1]
    assert latents[name] is latents[1] and name in latents and "x" not in latents
    part = latents[1:]
    assert part.document_ids == latents.document_ids[1:]
    again = Latents.load(part.save(tmp_path / "part"))
    assert torch.equal(again[name].vectors, latents[name].vectors)


def test_a_file_that_is_there_is_kept(tmp_path, latents):
    path = tmp_path / "thesis.txt"
    path.write_text("years of work")
    with pytest.raises(LatentcompError, match="is there already; choose another name"):
        latents.save(path)
    assert path.read_text() == "years of work"
    latents.save(path, overwrite=True)
    assert len(Latents.load(path)) == 3


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.95])
def test_a_flipped_bit_is_seen(tmp_path, latents, part):
    path = latents.save(tmp_path / "latents")
    data = bytearray(path.read_bytes())
    data[int(len(data) * part)] ^= 1
    path.write_bytes(data)
    with pytest.raises(LatentcompError, match="damaged|cannot be read|write one with"):
        changed = Latents.load(path)
        # A bit of a field that is only shown, such as the date, changes no latent.
        assert [one.vectors for one in changed] != [] and not _same(changed, latents)
        pytest.fail("other latents were read without a word")
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(LatentcompError, match="cannot be read as latents"):
        Latents.load(path)


def _same(one, other):
    same = all(torch.equal(a.vectors, b.vectors) for a, b in zip(one, other, strict=True))
    if same:
        raise LatentcompError("damaged only where nothing is computed from it")
    return same


def test_other_files(tmp_path):
    save_file({"x": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(LatentcompError, match="not one of latents; write one with Latents.save"):
        Latents.load(tmp_path / "model.safetensors")
    (tmp_path / "text").write_text("text")
    for name in ("text", "missing"):
        with pytest.raises(LatentcompError, match="cannot be read as latents"):
            Latents.load(tmp_path / name)


def test_latents_of_another_compressor_are_foreign(tmp_path, run, teacher, latents):
    lm = load_causal_lm(str(teacher))
    other = Compressor.from_pretrained(write_trial(tmp_path, lm, seed=1), teacher=str(teacher))
    reasoner = Reasoner.from_pretrained(compressor=other)
    with pytest.raises(LatentcompError, match="made by another compressor.*compress the documents"):
        reasoner.ask(latents, QUESTION)


def test_latents_need_their_projection(teacher, latents):
    with pytest.raises(LatentcompError, match=r"make the reasoner with Reasoner\.from_pretrained"):
        Reasoner.from_pretrained(str(teacher)).ask(latents, QUESTION)


def test_another_reasoner_is_refused(tmp_path, compressor):
    other = tiny.save_model(tmp_path / "other", 4, seed=9)
    with pytest.raises(LatentcompError, match="is another one.*give the right reasoner="):
        Reasoner.from_pretrained(str(other), compressor=compressor)


def test_a_document_that_was_changed_makes_latents_stale(latents, compressor):
    documents = tiny.documents(3)
    features = [describe_document(compressor.teacher, one) for one in documents]
    latents.require_current(features)
    changed = tiny.documents(3, chunks=4)[:1]
    with pytest.raises(LatentcompError, match="was changed since its latents were made.*stale"):
        latents.require_current([describe_document(compressor.teacher, one) for one in changed])
    with pytest.raises(LatentcompError, match="has no latents here"):
        latents[:1].require_current(features)
