"""Which tokens a latent stands for: equal segments and learned mass."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentcomp.compressor.allocation import (
    allocate_by_mass,
    allocate_equally,
    latent_count,
    whole_token_latents,
)
from latentcomp.compressor.mass import MassHead, bounded, by_sigmoid, given_mass, within_chunks

from . import slow
from .made import WIDTH, perceiver, spread, states

MASSES = st.lists(st.floats(0.01, 40.0), min_size=1, max_size=40)


def scaled(mass, count):
    return [own / sum(mass) * count for own in mass]


def padded(rows, extra=0):
    length = max(map(len, rows)) + extra
    return torch.tensor([row + [0.0] * (length - len(row)) for row in rows])


@settings(deadline=None)
@given(st.lists(MASSES, min_size=1, max_size=3), st.integers(0, 5), st.floats(1.0, 9.0))
def test_shares_are_those_of_walking_along_the_document(documents, extra, ratio):
    counts = [latent_count(len(mass), ratio) for mass in documents]
    given_mass = padded([scaled(m, k) for m, k in zip(documents, counts, strict=True)], extra)
    made = allocate_by_mass(given_mass, torch.tensor(counts), max(counts) + 1, slots=3)
    assert made.slots_BST is not None
    for row, (mass, count) in enumerate(zip(documents, counts, strict=True)):
        tokens = len(mass)
        expected = slow.shares(scaled(mass, count), count)
        slow.close(made.pool_BKT[row, :count, :tokens], expected, 1e-3)
        in_slots = slow.shares(scaled(mass, 3 * count), 3 * count)
        slow.close(made.slots_BST[row, : 3 * count, :tokens], in_slots, 1e-3)
        middles = [sum(t * s for t, s in enumerate(shares)) for shares in expected]
        slow.close(made.position_BK[row, :count], middles, 1e-2)
        assert not made.pool_BKT[row, count:].any() and not made.pool_BKT[row, :, tokens:].any()
        assert not made.slots_BST[row, 3 * count :].any()
        assert made.mask_BK[row].tolist() == [True] * count + [False] * (max(counts) + 1 - count)


@settings(deadline=None)
@given(MASSES, st.floats(1.0, 20.0))
def test_shares_add_up_to_one_and_go_forward(mass, ratio):
    count = latent_count(len(mass), ratio)
    made = allocate_by_mass(padded([scaled(mass, count)]), torch.tensor([count]), count)
    torch.testing.assert_close(made.pool_BKT.sum(-1), torch.ones(1, count), rtol=0, atol=1e-5)
    assert (made.pool_BKT >= 0).all()
    assert (made.position_BK[0].diff() >= 0).all(), "latents stand in the order of the text"
    # A token gives away what it has: over all latents its mass, since each of them takes one.
    torch.testing.assert_close(made.pool_BKT.sum(1)[0], padded([scaled(mass, count)])[0],
                               rtol=1e-3, atol=1e-4)  # fmt: skip


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 9))
def test_equal_masses_are_equal_segments_where_these_are_whole(count, size):
    tokens = count * size
    mass = torch.full((1, tokens), count / tokens)
    mask = torch.ones(1, tokens, dtype=torch.bool)
    learned = allocate_by_mass(mass, torch.tensor([count]), count)
    equal = allocate_equally(mask, torch.tensor([count]), count)
    torch.testing.assert_close(learned.pool_BKT, equal.pool_BKT, rtol=0, atol=1e-4)
    assert torch.equal(learned.position_BK.long(), equal.position_BK.long())


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 5), st.floats(1.0, 20.0))
def test_slots_of_equal_segments_are_parts_of_them_in_order(tokens, slots, ratio):
    count = latent_count(tokens, ratio)
    mask = torch.ones(1, tokens + 3, dtype=torch.bool)
    mask[:, tokens:] = False
    made = allocate_equally(mask, torch.tensor([count]), count, slots)
    assert made.slots_BST is not None
    owner_of_slot = (made.slots_BST[0] > 0).int().argmax(0)[:tokens] // slots
    owner = (made.pool_BKT[0] > 0).int().argmax(0)[:tokens]
    assert torch.equal(owner_of_slot, owner)
    sums = made.slots_BST[0].sum(-1)
    assert (torch.isclose(sums, torch.ones(())) | (sums == 0)).all()
    if tokens <= slots * count:
        assert int((sums > 0).sum()) == tokens, "room for every token in a slot of its own"


def head_of(floor=0.0):
    return spread(MassHead(WIDTH, floor))


@pytest.mark.parametrize("floor", [0.0, 0.3])
def test_masses_are_those_of_one_token_after_the_other(floor):
    torch.manual_seed(0)
    x, mask = torch.randn(2, 9, WIDTH), torch.ones(2, 9, dtype=torch.bool)
    mask[1, 5:] = False
    made = head_of(floor)(x, mask, torch.tensor([4, 2]))
    slow.close(made[0], slow.masses(head_of(), slow.rows(x[0]), 4, floor))
    slow.close(made[1, :5], slow.masses(head_of(), slow.rows(x[1, :5]), 2, floor))
    assert not made[1, 5:].any()


def test_all_tokens_begin_with_the_same_mass_and_learn():
    torch.manual_seed(0)
    head, mask = MassHead(WIDTH, 0.0), torch.ones(1, 8, dtype=torch.bool)
    mass = head(torch.randn(1, 8, WIDTH), mask, torch.tensor([2]))
    torch.testing.assert_close(mass, torch.full((1, 8), 0.25))
    made = allocate_by_mass(mass, torch.tensor([2]), 2)
    (made.pool_BKT @ torch.randn(1, 8, 3)).square().sum().backward()
    assert head.down.weight.grad is not None and bool(head.down.weight.grad.any())
    assert not made.position_BK.requires_grad


@given(st.floats(0.0, 0.9), st.lists(st.floats(-50, 50), min_size=1, max_size=30))
def test_no_token_has_less_than_the_floor(floor, logits):
    head = MassHead(2, floor)
    head.norm, head.up = torch.nn.Identity(), torch.nn.Identity()  # type: ignore[assignment]
    head.down = torch.nn.Linear(1, 1)
    head.down.weight.data.fill_(1.0), head.down.bias.data.fill_(0.0)
    x = torch.tensor(logits)[None, :, None]
    every = torch.ones(1, len(logits), dtype=torch.bool)
    mass = head(x, every, torch.tensor([3]))[0].detach()
    assert float(mass.sum()) == pytest.approx(3, rel=1e-4)
    equal = 3 / len(logits)
    assert (mass >= floor * equal * (1 - 1e-4)).all()
    assert (mass > 0).all(), "without a floor a token may starve, but is never gone"
    assert mass.max() / mass.min() <= math.exp(8) * 1.01


def test_a_perceiver_by_mass_means_the_states_by_its_shares():
    """Queries, residual and places all follow the learned shares."""
    made, given_states = perceiver(allocation="learned_mass", blocks=0), states([13])
    spread(made.mass)
    latents = made(given_states, torch.tensor([4]), 4)
    tokens = made._mixed(made._sequence(given_states)).x_BSW[0]
    mass = slow.masses(made.mass, slow.rows(tokens), 4)
    table = slow.shares(mass, 4)
    assert max(mass) / min(mass) > 3, "not the equal segments once more"
    normed = [slow.normed(made.token_norm, x) for x in slow.rows(tokens)]
    queries = [slow.added(q, slow.rows(made.start)) for q in slow.weighted(table, normed)]
    branch = [slow.mapped(made.out, slow.normed(made.out_norm, q)) for q in queries]
    h = given_states.h_BTLD[0]
    unit = (h / h.square().mean(-1, keepdim=True).add(1e-6).sqrt()).mean(1)
    residual = slow.weighted(table, slow.rows(unit))
    slow.close(latents.z_BKE[0], [slow.added(*pair) for pair in zip(branch, residual, strict=True)],
               1e-4)  # fmt: skip
    places = [sum(t * s for t, s in enumerate(row)) for row in table]
    slow.close(latents.position_BK[0], places, 1e-3)
    assert latents.mass_BT is not None
    slow.close(latents.mass_BT[0], mass, 1e-4)


def test_equal_allocation_has_no_mass():
    made = perceiver()
    assert made.mass is None
    assert made(states([13]), torch.tensor([4]), 4).mass_BT is None


def test_places_do_not_depend_on_autocast():
    """A GPU trains in bfloat16, where 301 is 300 or 302, and an evaluation is in float32."""
    mask = torch.ones(1, 448, dtype=torch.bool)
    mass = torch.full((1, 448), 112 / 448)
    places = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            equal = allocate_equally(mask, torch.tensor([112]), 112).position_BK
            learned = allocate_by_mass(mass, torch.tensor([112]), 112).position_BK
            places.append((equal.tolist(), learned.tolist()))
    assert places[0] == places[1]
    assert places[0][0][0][:3] == [1.5, 5.5, 9.5] and places[0][0][0][-1] == 445.5


@pytest.mark.parametrize(
    ("x", "pull", "passes"),
    [
        (-6.0, -1.0, True), (-6.0, 1.0, False), (6.0, 1.0, True), (6.0, -1.0, False),
        (-4.0, 1.0, True), (4.0, -1.0, True), (0.5, 1.0, True), (0.5, -1.0, True),
    ],
)  # fmt: skip
def test_a_bound_lets_back_what_is_outside(x, pull, passes):
    """A step goes against the gradient: a negative one raises what lies below the bound."""
    given_x = torch.tensor([x], requires_grad=True)
    made = bounded(given_x, 4.0)
    assert made.item() == max(-4.0, min(4.0, x))
    (made * pull).sum().backward()
    assert given_x.grad is not None
    assert given_x.grad.item() == (pull if passes else 0.0)


def test_a_starved_token_is_given_mass_again_where_it_is_missed():
    """The loss asks for the state of one token, which has no room: by a plain clamp for ever."""
    torch.manual_seed(0)
    head, x = MassHead(8, 0.0), torch.nn.functional.one_hot(torch.arange(8))[None].float()
    mask, counts = torch.ones(1, 8, dtype=torch.bool), torch.tensor([2])
    with torch.no_grad():
        head.up.weight.copy_(torch.cat([torch.eye(8)[:3], torch.eye(8)[3:4]]))
        head.up.bias.zero_()
        head.down.weight.copy_(torch.tensor([[0.0, 0.0, 0.0, -0.5]]))
    before = head(x, mask, counts)[0, 3].item()
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(60):
        made = allocate_by_mass(head(x, mask, counts), counts, 2)
        loss = -made.pool_BKT[0, :, 3].sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert before < 0.01 < 0.5 < head(x, mask, counts)[0, 3].item()


CHUNKS = st.lists(st.lists(st.floats(0.01, 40.0), min_size=1, max_size=12), min_size=1, max_size=5)


@settings(deadline=None)
@given(st.lists(CHUNKS, min_size=1, max_size=3), st.integers(0, 5), st.floats(1.0, 20.0))
def test_edges_of_chunks_come_to_whole_latents(documents, extra, ratio):
    flat = [[own for chunk in chunks for own in chunk] for chunks in documents]
    counts = [latent_count(len(mass), ratio) for mass in flat]
    given_mass = padded([scaled(m, k) for m, k in zip(flat, counts, strict=True)], extra)
    numbers = [[n for n, chunk in enumerate(chunks) for _ in chunk] for chunks in documents]
    chunk, mask = padded(numbers, extra).long(), given_mass > 0
    made = within_chunks(given_mass, chunk, mask)
    assert torch.equal(made > 0, mask), "no token is left without mass"
    for row, (chunks, count) in enumerate(zip(documents, counts, strict=True)):
        reached, wanted, edge = 0.0, 0.0, 0
        at = 0
        for number, own in enumerate(chunks):
            stop = at + len(own)
            wanted += given_mass[row, at:stop].sum().item()
            reached += made[row, at:stop].sum().item()
            at = stop
            last = number == len(chunks) - 1
            here = count if last else min(round(wanted), count - 1)
            unsure = abs(wanted % 1 - 0.5) < 1e-3  # which way a half goes is the last bit's matter
            if here > edge and not unsure:
                assert reached == pytest.approx(here, abs=1e-2)
                edge = here
            elif unsure:
                return
        # Within a chunk proportions stay.
        for own, at_ in zip(chunks, _starts(chunks), strict=True):
            ratio_ = made[row, at_ : at_ + len(own)] / given_mass[row, at_ : at_ + len(own)]
            torch.testing.assert_close(ratio_, ratio_[:1].expand_as(ratio_), rtol=1e-3, atol=0)


def _starts(chunks):
    sizes = [len(chunk) for chunk in chunks]
    return [sum(sizes[:n]) for n in range(len(sizes))]


def test_a_mass_moves_no_edge_outside_of_its_chunk():
    mass = torch.full((1, 12), 0.5)
    chunk = torch.tensor([[0] * 4 + [1] * 4 + [2] * 4])
    more = mass.clone()
    more[0, 1] = 0.7
    more *= 6.0 / more.sum()
    mask, counts = chunk >= 0, torch.tensor([6])

    def pools(given_mass, snapped):
        if snapped:
            given_mass = within_chunks(given_mass, chunk, mask)
        return allocate_by_mass(given_mass, counts, 6).pool_BKT[0]

    assert torch.allclose(pools(mass, True)[2:], pools(more, True)[2:], atol=1e-6)
    assert not torch.allclose(pools(mass, False)[2:], pools(more, False)[2:], atol=1e-2)
    members = (pools(more, True) > 1e-6).float()
    assert ((members @ torch.nn.functional.one_hot(chunk[0]).float()) > 0).sum(1).tolist() == [
        1
    ] * 6


@given(MASSES, st.floats(0.05, 1.0), st.integers(0, 3))
def test_no_token_takes_more_than_one_latent(logits, share, padding):
    logit = torch.tensor([[math.log(x) for x in logits] + [0.0] * padding]).clamp(-4, 4)
    mask = torch.arange(logit.shape[1])[None] < len(logits)
    room = torch.tensor([[max(1.0, share * len(logits))]])
    mass = by_sigmoid(logit, mask, room)
    assert mass.sum().item() == pytest.approx(room.item(), rel=1e-5)
    assert mass.max() <= 1 + 1e-4 and (mass[~mask] == 0).all()
    order = logit[mask].argsort()
    assert (mass[mask][order].diff() >= -1e-6).all(), "who says more gets more"


def test_equal_logits_get_equal_sigmoids_and_gradients_keep_their_sum():
    logit = torch.zeros(1, 8, requires_grad=True)
    mask, room = torch.ones(1, 8, dtype=torch.bool), torch.tensor([[2.0]])
    mass = by_sigmoid(logit, mask, room)
    assert torch.allclose(mass, torch.full((1, 8), 0.25), atol=1e-5)
    (gradient,) = torch.autograd.grad(mass[0, 0], logit)
    expected = torch.full((8,), -0.25 * 0.75 / 8)
    expected[0] += 0.25 * 0.75
    assert torch.allclose(gradient[0], expected, atol=1e-5)
    (gradient,) = torch.autograd.grad(by_sigmoid(logit, mask, room).sum(), logit)
    assert gradient.abs().max() < 1e-6


@given(st.lists(st.floats(-4.0, 4.0), min_size=3, max_size=9), st.integers(0, 2))
@settings(max_examples=30, deadline=None)
def test_the_gradient_of_sigmoids_is_that_of_finite_differences(logits, at):
    def masses(moved):
        logit = torch.tensor([logits])
        logit[0, at] += moved
        mask = torch.ones_like(logit, dtype=torch.bool)
        return by_sigmoid(logit.requires_grad_(), mask, torch.tensor([[len(logits) / 3]])), logit

    mass, logit = masses(0.0)
    weights = torch.arange(1.0, len(logits) + 1)
    (gradient,) = torch.autograd.grad((mass[0] * weights).sum(), logit)
    step = 0.02
    above, below = ((masses(moved)[0][0].detach() * weights).sum() for moved in (step, -step))
    assert gradient[0, at].item() == pytest.approx(((above - below) / (2 * step)).item(), abs=5e-3)


@pytest.mark.parametrize(
    ("alone", "count", "together", "each"),
    [
        (2, 12, None, 1.0), (4, 12, None, 1.0), (5, 12, None, 0.0),
        (4, 12, 3, 1.0), (6, 12, 3, 1 / 3), (12, 12, 3, 1 / 3), (15, 12, 3, 0.0),
    ],
)  # fmt: skip
def test_tokens_are_given_a_latent_each_or_less_whatever_is_learned(alone, count, together, each):
    head = spread(MassHead(WIDTH, 0.0, together=together))
    x = torch.randn(1, 20, WIDTH, generator=torch.Generator().manual_seed(0))
    mask, alone_mask = torch.ones(1, 20, dtype=torch.bool), torch.arange(20)[None] < alone
    mass = head(x, mask, torch.tensor([count]), alone_mask)
    assert torch.allclose(mass[alone_mask], torch.full((alone,), each))
    assert mass.sum().item() == pytest.approx(count, rel=1e-5)
    assert torch.equal(
        mass[alone_mask], given_mass(alone_mask, torch.tensor([[count]]), together)[alone_mask]
    )


@settings(deadline=None)
@given(
    st.lists(st.floats(0.001, 40.0), min_size=1, max_size=30),
    st.floats(1.0, 8.0),
    st.integers(0, 3),
)
def test_whole_tokens_go_in_order_and_no_latent_is_without_one(logits, ratio, padding):
    count = latent_count(len(logits), ratio)
    mass = padded([scaled(logits, count)], padding)
    made = allocate_by_mass(mass, torch.tensor([count]), count + 1, whole_tokens=True)
    pool = made.pool_BKT[0]
    assert ((pool > 0).sum(0) <= 1).all(), "no token is split"
    assert (pool[:, len(logits) :] == 0).all() and (pool[count:] == 0).all()
    latents = whole_token_latents(mass, torch.tensor([count]))[0, : len(logits)]
    assert latents[0] == 0 and latents[-1] == count - 1
    assert set(latents.diff().tolist()) <= {0, 1}
    for latent in range(count):
        here = mass[0, : len(logits)][latents == latent]
        expected = here / here.sum().clamp(min=1e-6)
        assert torch.allclose(pool[latent, : len(logits)][latents == latent], expected, atol=1e-5)


def test_a_token_of_one_whole_latent_is_alone_between_tokens_of_nothing():
    mass = torch.tensor([[1e-4, 1.0, 1e-4, 1e-4, 1.0, 1.0, 1e-4]])
    pool = allocate_by_mass(
        mass * 3 / mass.sum(), torch.tensor([3]), 3, whole_tokens=True
    ).pool_BKT[0]
    assert pool.argmax(1).tolist() == [1, 4, 5]
    assert pool.amax(1).min() > 0.999


def test_shares_of_whole_tokens_have_the_gradient_of_finite_differences():
    mass = torch.tensor([[0.2, 0.5, 0.3, 0.6, 0.3, 0.1]], requires_grad=True)
    weights = torch.arange(6.0) ** 2

    def value(mass):
        pool = allocate_by_mass(mass, torch.tensor([2]), 2, whole_tokens=True).pool_BKT[0]
        return (pool @ weights * torch.tensor([1.0, -2.0])).sum()

    (gradient,) = torch.autograd.grad(value(mass), mass)
    step = 0.01
    for at in range(6):
        moved = torch.zeros(1, 6)
        moved[0, at] = step
        difference = (value(mass + moved) - value(mass - moved)).item() / (2 * step)
        assert gradient[0, at].item() == pytest.approx(difference, abs=0.05)


def test_tokens_that_matter_come_to_have_a_latent_each():
    """Who counts more in its latent gains mass, and mass is what moves edges."""
    head, draw = MassHead(8, 0.0, "sigmoid"), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)

    def own_shares():
        """Of the five tokens of each of 16 documents that matter, in the latents of each."""
        matters = torch.rand(16, 24, generator=draw).argsort(1) < 5
        x = torch.nn.functional.one_hot(matters.long(), 8).float()
        mask, counts = torch.ones(16, 24, dtype=torch.bool), torch.full((16,), 6)
        mass = within_chunks(head(x, mask, counts), torch.zeros(16, 24).long(), mask)
        made = allocate_by_mass(mass, counts, 6, whole_tokens=True)
        return made.pool_BKT.amax(1)[matters]

    before = own_shares().mean().item()
    for _ in range(100):
        optimizer.zero_grad()
        (-own_shares().mean()).backward()
        optimizer.step()
    assert before < 0.3 and own_shares().mean().item() > 0.8


def test_slots_and_whole_tokens_refuse_each_other():
    with pytest.raises(ValueError, match=r"mass_edges is token.*model\.mass_edges=chunk"):
        perceiver(allocation="learned_mass", mass_edges="token", pooling="concat")
