"""Digits of days as tokens: where they stand, what they weigh, and that nothing else moves."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentcomp.common.errors import RecipeError
from latentcomp.compressor.day_tokens import TOKENS_PER_CHUNK, DayTokens
from latentcomp.compressor.model import ModelSpec, compress
from latentcomp.compressor.places import latent_of_token
from latentcomp.compressor.states import States
from latentcomp.experiment.phases import phase
from latentcomp.reasoner.frozen import FrozenReasoner
from latentcomp.store.format.schema import LayerRecord
from latentcomp.train.day_start import WORD, begin_days

from . import tiny
from .made import perceiver, spread, states

DOCUMENT = st.lists(st.tuples(st.integers(1, 20), st.integers(-1, 12_345)), min_size=1, max_size=4)


def given_states(documents: list[list[tuple[int, int]]], padding: int) -> States:
    """Documents of chunks, each of so many tokens and of a day."""
    longest = max(sum(tokens for tokens, _ in chunks) for chunks in documents) + padding
    rows = torch.zeros(3, len(documents), longest, dtype=torch.int64)
    for row, chunks in enumerate(documents):
        at = 0
        for number, (tokens, day) in enumerate(chunks):
            rows[:, row, at : at + tokens] = torch.tensor([1, number, day])[:, None]
            at += tokens
    mask, chunk, day = rows
    return States(torch.zeros(*mask.shape, 1, 1), mask.bool(), chunk, torch.zeros_like(chunk), day)


def expected(chunks: list[tuple[int, int]], digits: int, room: int) -> list[tuple[str, int]]:
    """What stands in the sequence and at which place, written out."""
    out: list[tuple[str, int]] = []
    at = days = 0
    for tokens, day in chunks:
        if day >= 0 and days < room:
            days += 1
            out += [
                (f"{g}:{digit}", at + g) for g, digit in enumerate(f"{day % 10**digits:0{digits}d}")
            ]
        out += [(f"token {at + n}", at + n) for n in range(tokens)]
        at += tokens
    return out


@settings(deadline=None, max_examples=60)
@given(st.lists(DOCUMENT, min_size=1, max_size=3), st.integers(0, 9), st.integers(1, 5))
def test_digits_stand_before_the_first_token_of_their_chunk(documents, padding, digits):
    made = given_states(documents, padding)
    tokens = made.mask_BT.shape[1]
    days = DayTokens(digits, 1)
    with torch.no_grad():
        days.rows.weight.copy_(-1.0 - torch.arange(10 * digits)[:, None])
        text = torch.arange(float(tokens)).expand(len(documents), -1)[..., None]
        sequence = days(text, made)
    names = {-1.0 - 10 * g - n: f"{g}:{n}" for g in range(digits) for n in range(10)}
    room = -(-tokens // TOKENS_PER_CHUNK)
    for row, chunks in enumerate(documents):
        wanted = expected(chunks, digits, room)
        count = int(sequence.mask_BS[row].sum())
        assert sequence.mask_BS[row, :count].all(), "padding last"
        said = [names.get(x, f"token {x:g}") for x in sequence.x_BSW[row, :count, 0].tolist()]
        places = sequence.position_BS[row, :count].tolist()
        bounded = [(what, min(place, tokens - 1)) for what, place in wanted]
        assert list(zip(said, places, strict=True)) == bounded
    torch.testing.assert_close(sequence.of_text(sequence.x_BSW[..., 0]), text[..., 0])


@settings(deadline=None, max_examples=60)
@given(st.lists(DOCUMENT, min_size=1, max_size=3), st.integers(0, 9), st.integers(1, 5))
def test_mass_of_digits_counts_with_the_first_token_of_their_chunk(documents, padding, digits):
    made = given_states(documents, padding)
    sequence = DayTokens(digits, 1)(torch.zeros(*made.mask_BT.shape, 1), made)
    mass_BS = torch.rand(sequence.mask_BS.shape) * sequence.mask_BS
    mass_BT = sequence.folded(mass_BS)
    torch.testing.assert_close(mass_BT.sum(1), mass_BS.sum(1))
    assert not mass_BT[~made.mask_BT].any()
    own_BT = sequence.of_text(mass_BS)
    moved = {tuple(at) for at in (mass_BT - own_BT).gt(0).nonzero().tolist()}
    first = set()
    for row, chunks in enumerate(documents):
        at = 0
        for tokens, day in chunks:
            first |= {(row, at)} if day >= 0 else set()
            at += tokens
    assert moved <= first


def test_a_day_changes_latents_only_by_its_digits():
    """Nothing else of a compressor without the embeddings of time knows the day."""
    made = perceiver(allocation="learned_mass", day_tokens=2)
    for table in (made.time.bucket, made.time.order, made.time.digits):
        torch.nn.init.zeros_(table.weight)
    torch.nn.init.normal_(made.out.weight)

    def latents(day: int) -> torch.Tensor:
        one = states([21])
        day_BT = torch.full_like(one.day_BT, day)
        given_day = States(one.h_BTLD, one.mask_BT, one.chunk_BT, one.bucket_BT, day_BT)
        made_BKE: torch.Tensor = made(given_day, torch.tensor([6]), 6).z_BKE
        return made_BKE

    assert not torch.allclose(latents(31), latents(32))
    torch.testing.assert_close(latents(31), latents(131))
    assert latents(-1).shape == latents(31).shape and not torch.allclose(latents(-1), latents(0))


def as_tokens(**changes):
    """A model of the tiny teacher whose days are to begin as its tokens."""
    lm = tiny.lm(4)
    config = (
        phase(4)
        .recipe.changed(
            {"model.allocation": "learned_mass", "model.day_tokens": 2, "model.day_start": "tokens"}
            | {"model.end_norm": False, "model.start": "identity", "model.mass_edges": "chunk"}
            | {f"model.{name}": value for name, value in changes.items()}
        )
        .model
    )
    layer = LayerRecord(blocks_completed=2, post_norm=False)
    reasoner = FrozenReasoner(lm)
    rms = reasoner.embedding_rms()
    spec = ModelSpec.between(config, lm.identity, (layer,), lm.identity, rms)
    return spec.build(), reasoner


def test_days_begin_as_the_reasoners_own_tokens():
    """Where day tokens have a latent each, the reasoner finds its own word and digits."""
    model, reasoner = as_tokens()
    begin_days(model, reasoner)
    width = model.spec.teacher.hidden_size
    days = torch.zeros(1, 12, dtype=torch.int64) + 47
    one = States(torch.zeros(1, 12, 1, width), days > 0, days * 0, days * 0, days)
    made = model(one, torch.tensor([9]), 9)
    ids = [reasoner.lm.encode(text)[-1] for text in (WORD, "4", "7")]
    wanted = reasoner.embed(torch.tensor(ids)).float()
    torch.testing.assert_close(made.x_BKR[0, :3], wanted, rtol=1e-4, atol=1e-6)
    assert made.position_BK[0, :3].tolist() == [0, 1, 2]


@pytest.mark.parametrize(("crowded", "shared"), [("shared", True), ("nothing", False)])
def test_a_day_without_a_latent_for_each_token_shares_one_where_the_config_says_so(crowded, shared):
    """Its first latent is the mean of word and digits, or knows nothing of them."""
    model, reasoner = as_tokens(day_crowded=crowded, mass_edges="token")
    begin_days(model, reasoner)
    width = model.spec.teacher.hidden_size
    days = torch.zeros(1, 12, dtype=torch.int64) + 47
    one = States(torch.zeros(1, 12, 1, width), days > 0, days * 0, days * 0, days)
    first = model(one, torch.tensor([6]), 6).x_BKR[0, 0]
    ids = [reasoner.lm.encode(text)[-1] for text in (WORD, "4", "7")]
    mean = reasoner.embed(torch.tensor(ids)).float().mean(0)
    assert torch.allclose(first, mean, rtol=1e-3, atol=1e-6) is shared


@pytest.mark.parametrize(
    "changes", [{"end_norm": True}, {"projection": "fixed_random"}, {"latent_width": 4}]
)
def test_days_that_cannot_begin_as_tokens_are_refused(changes):
    with pytest.raises(RecipeError, match=r"day_start.*tokens"):
        begin_days(*as_tokens(**changes))


def test_days_begin_as_tokens_only_where_a_recipe_says_so():
    model, reasoner = as_tokens(day_start="fresh")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    begin_days(model, reasoner)
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())


def test_equal_segments_give_digits_no_room():
    with pytest.raises(ValueError, match="day_tokens is 2, .* needs model.allocation=learned_mass"):
        perceiver(day_tokens=2)
    assert perceiver(day_tokens=2, time=False).days is None, "an ablation of time takes them too"


@pytest.mark.parametrize("memory", ["whole", "append"])
def test_whole_tokens_say_which_latent_they_are_in_days_left_out(memory):
    """Days have latents before their chunk; each token is in the one that its share is in."""
    model, _ = as_tokens(mass_edges="token", mass_kind="sigmoid", memory=memory)
    spread(model.compressor.mass)
    width = model.spec.teacher.hidden_size
    chunk = (torch.arange(96) // 48)[None]
    h = torch.randn(1, 96, 1, width, generator=torch.Generator().manual_seed(0))
    one = States(h, chunk >= 0, chunk, chunk * 0, chunk + 31)
    made = compress(model.eval(), one, 4.0)
    assert made.latent_BT is not None
    latent = latent_of_token(made, one)[0]
    assert torch.equal(latent, made.latent_BT[0]) and (latent.diff() >= 0).all()
    assert latent[0] == 3 and made.mask_BK.sum() == 24, "a word and two digits stand before it"
    assert latent[48] == latent[47] + 4, "and before the second chunk"
    assert latent[95] == 23
