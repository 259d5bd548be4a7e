"""Where learned mass goes, in the training curve: a collapse shows, kind by kind."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentcomp.compressor.model import Compressed
from latentcomp.models.token_kinds import KINDS, TokenKinds
from latentcomp.train.figures import send
from latentcomp.train.log import read_curve
from latentcomp.train.loop import train
from latentcomp.train.mass_figures import mass_figures

from . import slow, tiny


@pytest.fixture(scope="module")
def kinds(lm):
    return TokenKinds.of(lm)


def kinds_by_word(pieces):
    """The kind of every piece, by reading words as a person does; `pieces` as the tokenizer has
    them, with its mark for a space."""
    named, ended, word = [], True, None
    for piece in pieces:
        bare = piece.lstrip("\u0120")
        if bare.isalpha():
            if word is None or piece != bare:
                word = "name" if bare[0].isupper() and not ended else "word"
            named.append(word)
        else:
            word = None
            named.append("number" if bare.isdigit() else "mark")
        ended = bool(bare) and bare[-1] in ".!?\n\u010a"
    return named


TEXT = "Kalomi moved to Varen. The code of Tibal is 4821; her master, Oresta, left.\nDay 17: no."


def test_words_are_told_apart_as_a_person_does(lm, kinds):
    ids = lm.encode(TEXT)
    pieces = lm.tokenizer.convert_ids_to_tokens(ids)
    made = [KINDS[kind] for kind in kinds.kinds(torch.tensor([ids]))[0].tolist()]
    assert made == kinds_by_word(pieces)
    by_kind = {
        kind: "".join(p for p, k in zip(pieces, made, strict=True) if k == kind) for kind in KINDS
    }
    assert by_kind["name"] == "\u0120Varen\u0120Tibal\u0120Oresta"
    assert by_kind["number"] == "482117"
    assert "Kalomi" in by_kind["word"] and "\u0120The" in by_kind["word"], (
        "first words of a sentence"
    )


@given(st.integers(0, 50))
def test_kinds_of_documents_are_those_of_their_words(index):
    model, made = _KINDS()
    document = tiny.story(index, chunks=1).document
    ids = model.encode(model.prompt.head + document.text)
    named = [KINDS[kind] for kind in made.kinds(torch.tensor([ids]))[0].tolist()]
    assert named == kinds_by_word(model.tokenizer.convert_ids_to_tokens(ids))


def _KINDS(made=[]):  # noqa: B006, N802  once a process: hypothesis takes no fixtures of a module
    if not made:
        model = tiny.lm(4)
        made.append((model, TokenKinds.of(model)))
    return made[0]


def compressed_of(mass_BT):
    empty = torch.zeros(0)
    return Compressed(empty, empty, empty, None, None, mass_BT)


def test_figures_are_those_of_one_token_after_the_other(lm, kinds):
    batch = tiny.batch_of(lm, tiny.documents(2))
    torch.manual_seed(0)
    mask = batch.states.mask_BT
    mass = torch.rand(mask.shape) * mask
    mass = mass / mass.sum(1, keepdim=True) * torch.tensor([[40.0], [7.0]])
    made = send(mass_figures(compressed_of(mass), batch, kinds)).read()
    by_kind: dict[str, list[float]] = {kind: [] for kind in KINDS}
    entropies, least = [], []
    for row in range(2):
        tokens = int(mask[row].sum())
        own = slow.rows(mass[row, :tokens])
        parts = [v / sum(own) for v in own]
        entropies.append(-sum(p * math.log(p) for p in parts) / math.log(tokens))
        least.append(min(parts) * tokens)
        named = kinds.kinds(batch.token_ids_BT)[row].tolist()
        for part, kind in zip(parts, named, strict=False):
            by_kind[KINDS[kind]].append(part * tokens)
    assert made["mass_entropy"] == pytest.approx(sum(entropies) / 2, rel=1e-4)
    assert made["mass_least"] == pytest.approx(sum(least) / 2, rel=1e-4)
    means = {kind: sum(values) / len(values) for kind, values in by_kind.items()}
    for kind in KINDS:
        assert made[f"mass_{kind}"] == pytest.approx(means[kind], rel=1e-4)
    assert made["mass_least_kind"] == pytest.approx(min(means.values()), rel=1e-4)


def test_names_that_starve_show(lm, kinds):
    """The collapse that was measured at 16x."""
    batch = tiny.batch_of(lm, tiny.documents(2))
    mask = batch.states.mask_BT
    names = kinds.kinds(batch.token_ids_BT) == KINDS.index("name")
    mass = torch.where(names, 0.001, 1.0) * mask
    starved = send(mass_figures(compressed_of(mass), batch, kinds)).read()
    fair = send(mass_figures(compressed_of(mask.float()), batch, kinds)).read()
    assert starved["mass_name"] == starved["mass_least_kind"] < 0.01 < 0.9 < starved["mass_word"]
    assert starved["mass_entropy"] < 1 and fair["mass_entropy"] == pytest.approx(1)
    assert all(fair[f"mass_{kind}"] == pytest.approx(1) for kind in (*KINDS, "least_kind", "least"))


def test_without_a_vocabulary_there_are_no_kinds(lm):
    batch = tiny.batch_of(lm, tiny.documents(1))
    made = mass_figures(compressed_of(batch.states.mask_BT.float()), batch, None)
    assert made.keys() == {"mass_entropy", "mass_least"}
    assert mass_figures(compressed_of(None), batch, None) == {}
    stranger = lm.identity.model_copy(update={"tokenizer_sha256": "1" * 64})
    assert TokenKinds.of_teacher(stranger, lm) is None


def test_the_curve_of_a_training_has_them(run_folder, teacher, tmp_path):
    of = tiny.RECIPE.changed({"model.allocation": "learned_mass", "ratios": (8.0,)})
    train(tiny.training_run(run_folder, teacher, tmp_path / "trial", of, steps=2, lr=1e-2))
    first, second = read_curve(tmp_path / "trial")
    assert first["mass_entropy"] == pytest.approx(1, abs=1e-5), "equal masses at the start"
    assert second["mass_entropy"] < first["mass_entropy"]
    assert {f"mass_{kind}" for kind in KINDS} <= first.keys()
    train(tiny.training_run(run_folder, teacher, tmp_path / "plain", tiny.RECIPE, steps=1))
    assert not any(name.startswith("mass") for name in read_curve(tmp_path / "plain")[0])
