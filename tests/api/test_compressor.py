"""Compressors from Python: loaded, saved, and used on texts, documents and stores."""

import json

import pytest
import torch

from latentcomp.api import Chunk, Compressor, Document, LatentcompError, Store
from latentcomp.compressor.model import compress
from latentcomp.compressor.states import pad_states
from latentcomp.corpus.files import write_corpus
from latentcomp.models.loading import load_causal_lm

from ..train import tiny
from .tiny_api import write_trial


def test_what_is_compressed_is_what_the_model_makes(run, compressor):
    """Bit by bit the latents of the module itself, from the states of the store, in bfloat16."""
    store = Store.open(run)
    made = compressor.compress(store, batch_size=3)
    features = [store.features.read(index, compressor_layers(compressor)) for index in range(3)]
    with torch.inference_mode():
        out = compress(compressor.model, pad_states(features), 4.0)
    assert made.document_ids == store.document_ids
    for row, one in enumerate(made):
        assert torch.equal(one.vectors, out.z_BKE[row][out.mask_BK[row]].bfloat16())
        assert len(one) == -(-one.tokens // 4)


def compressor_layers(compressor):
    return [layer.blocks_completed for layer in compressor.spec.layers]


def test_a_store_and_its_documents_give_the_same_latents(run, compressor):
    stored = compressor.compress(Store.open(run), batch_size=1)
    read = compressor.compress(list(tiny.documents(3)), batch_size=1)
    from_disk = compressor.compress(run / "corpus", batch_size=1)
    for one, other, third in zip(stored, read, from_disk, strict=True):
        assert one.id == other.id == third.id
        assert one.fingerprint == other.fingerprint == third.fingerprint
        assert torch.equal(one.vectors, other.vectors) and torch.equal(other.vectors, third.vectors)


def test_a_text_is_a_document_of_one_chunk(compressor):
    (one,) = compressor.compress("Day 3: Ann lives in Rome.")
    (other,) = compressor.compress(Document(one.id, (Chunk(0, "Day 3: Ann lives in Rome."),)))
    assert one.id.startswith("text-")
    assert torch.equal(one.vectors, other.vectors)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "a text is empty"),
        ([], "no documents were given"),
        (["same", "same"], "two documents are called 'text-"),
        ([3], "not a int"),
        ("word " * 3000, "reads at most 2,048; split it"),
    ],
    ids=["empty", "nothing", "twice", "number", "long"],
)
def test_documents_that_cannot_be_compressed(compressor, given, says):
    with pytest.raises(LatentcompError, match=says):
        compressor.compress(given)


@pytest.mark.parametrize("ratio", [0.5, 0, -4, float("nan"), float("inf")])
def test_a_ratio_below_one(compressor, ratio):
    with pytest.raises(LatentcompError, match="tokens per latent are at least 1"):
        compressor.compress("text", ratio=ratio)


def test_another_ratio_than_trained_is_said(compressor):
    with pytest.warns(UserWarning, match="8x, which these weights were not trained for"):
        latents = compressor.compress("Ann lives in Rome.", ratio=8)
    assert latents.ratio == 8 and "not trained for" in latents.record.notes[0]


def test_saved_and_loaded_it_is_the_same(tmp_path, compressor, teacher):
    folder = compressor.save_pretrained(tmp_path / "mine")
    again = Compressor.from_pretrained(folder, teacher=str(teacher))
    assert again.sha256 == compressor.sha256 and again.spec == compressor.spec
    assert again.trial == compressor.trial
    one, other = (each.compress("Ann lives in Rome.") for each in (compressor, again))
    assert torch.equal(one[0].vectors, other[0].vectors)
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "config.json", "model.safetensors",
    ]  # fmt: skip


def test_the_card_says_where_the_weights_come_from(tmp_path, compressor):
    card = (compressor.save_pretrained(tmp_path / "mine") / "README.md").read_text()
    spec = compressor.spec
    for text in (compressor.sha256, spec.teacher.weights_sha256, "-4, -2", "kind store"):
        assert text in card
    config = json.loads((tmp_path / "mine" / "config.json").read_text())
    assert config["provenance"]["inputs"] == {"weights": compressor.sha256}


def test_a_folder_of_something_else_is_left_alone(tmp_path, compressor, run):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(LatentcompError, match="the folder holds something else"):
        compressor.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    other = write_trial(tmp_path / "run", load_causal_lm(compressor._teacher_name), seed=1)
    compressor.save_pretrained(tmp_path / "mine")
    compressor.save_pretrained(tmp_path / "mine")  # the same again
    with pytest.raises(LatentcompError, match="the folder holds something else"):
        Compressor.from_pretrained(other).save_pretrained(tmp_path / "mine")


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_damaged_folder(tmp_path, compressor, file, share):
    folder = compressor.save_pretrained(tmp_path / "mine")
    data = bytearray((folder / file).read_bytes())
    data[int(len(data) * share)] ^= 0x55
    (folder / file).write_bytes(data)
    with pytest.raises(LatentcompError, match=file):
        Compressor.from_pretrained(folder)


def test_a_word_of_the_record_that_still_fits_is_found_too(tmp_path, compressor):
    folder = compressor.save_pretrained(tmp_path / "mine")
    file = folder / "config.json"
    config = json.loads(file.read_text())
    other = {**config, "latentcomp": config["latentcomp"] + "1"}
    file.write_text(json.dumps(other))
    with pytest.raises(LatentcompError, match="config.json is damaged"):
        Compressor.from_pretrained(folder)
    file.write_text(json.dumps(config))  # only laid out otherwise
    Compressor.from_pretrained(folder)
    del config["sha256"]  # as the first folders have it
    file.write_text(json.dumps(config))
    Compressor.from_pretrained(folder)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing-here", "no compressor here; give lab-4x"),
        ("teacher", "not of a compressor"),
        ("empty", "no compressor here"),
    ],
)
def test_what_is_no_compressor(tmp_path, teacher, name, says):
    (tmp_path / "empty").mkdir()
    path = {"teacher": teacher, "empty": tmp_path / "empty"}.get(name, name)
    with pytest.raises(LatentcompError, match=says):
        Compressor.from_pretrained(path)


def test_a_teacher_of_a_folder_must_be_named(run):
    compressor = Compressor.from_pretrained(run / "trials" / "phase-4" / "seed-0")
    with pytest.raises(LatentcompError, match="a model of a local folder; give teacher="):
        compressor.compress("Ann lives in Rome.")


def test_another_teacher_is_refused(run, tmp_path):
    other = tiny.save_model(tmp_path / "other", 4, seed=9)
    trial = run / "trials" / "phase-4" / "seed-0"
    with pytest.raises(LatentcompError, match="'tiny'.*is another one.*give the right teacher="):
        Compressor.from_pretrained(trial, teacher=str(other)).compress("Ann lives in Rome.")


def test_a_store_of_another_teacher_is_refused(tmp_path, compressor):
    other = tiny.save_model(tmp_path / "other", 4, seed=9)
    tiny.write_run(tmp_path / "run", other, tiny.documents(2), tiny.STORED)
    with pytest.raises(LatentcompError, match="states of 'other'.*extract with the right"):
        compressor.compress(Store.open(tmp_path / "run"))


def test_a_store_that_lacks_a_layer(tmp_path, teacher, compressor):
    tiny.write_run(tmp_path / "run", teacher, tiny.documents(2), tiny.layers(1, 2))
    with pytest.raises(LatentcompError, match="layer -2 is not in this store.*--layers -4,-2"):
        compressor.compress(Store.open(tmp_path / "run"))


def test_a_corpus_of_ones_own(tmp_path, compressor):
    write_corpus(tmp_path / "corpus", tiny.documents(2), {})
    assert len(compressor.compress(tmp_path / "corpus")) == 2
