"""The ladder as data: what each phase adds, what each size changes, how a recipe is changed."""

from pathlib import Path

import pytest

from latentcomp.common.errors import PhaseError, RecipeError, UsageError
from latentcomp.compressor.kinds import COMPRESSORS
from latentcomp.experiment.ablations import ABLATIONS, ADDED, ablated, layers_of_grid, rows
from latentcomp.experiment.catalogue import phase_of, recipe_named, recipes, resolve, size_named
from latentcomp.experiment.phases import PHASES, phase
from latentcomp.experiment.sizes import DEFAULT, OWN_AMOUNT, PREFIX, SIZES, size_of
from latentcomp.train.objectives import OBJECTIVES, check_objectives
from latentcomp.train.optimisers import OPTIMISERS
from latentcomp.train.recipe import flat, parse_set


def test_each_phase_changes_one_thing():
    """Between two neighbours only what the later one is there to ask: positions tell order."""
    changes = {
        later.title: set(earlier.recipe.differences(later.recipe))
        for earlier, later in zip(PHASES, PHASES[1:], strict=False)
        if later.number <= 6
    }
    assert changes == {
        "layers": {"layers"},
        "time": {
            "model.time",
            "model.positions",
            "model.day_tokens",
            "model.day_start",
            "model.day_crowded",
        },
        "projection": {"model.projection", "model.scale"},
        "strategy": {"objectives.alignment"},
        "sequential": {"model.memory"},
    }
    assert {each.number: each.steps for each in PHASES if each.steps} == {6: 4}
    assert not any(each.lacks for each in PHASES)
    assert phase(8).recipe.reasoner == "student"
    assert [each.number for each in PHASES] == list(range(1, 9))


def test_the_plan_states_what_each_phase_changes():
    plan = (Path(__file__).parents[2] / "docs" / "experiment_plan.md").read_text()
    table = plan.partition("<!-- recipes:begin")[2].partition("<!-- recipes:end -->")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[3:]]
    stated = {(int(number), field): value for number, field, value in rows if number}
    made = {}
    for later in PHASES[1:]:
        earlier = phase(later.reference or min(later.number - 1, 5))
        for field, (_, value) in earlier.recipe.differences(later.recipe).items():
            made[later.number, field] = _shown(value)
    assert {key: value for key, value in stated.items() if key[0] > 1} == made
    first = flat(phase(1).recipe)
    assert {key[1]: value for key, value in stated.items() if key[0] == 1} == {
        field: _shown(first[field]) for (number, field) in stated if number == 1
    }


def _shown(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float | int) else str(value)


@pytest.mark.parametrize("recipe", recipes().values(), ids=lambda recipe: recipe.name)
def test_every_recipe_of_the_catalogue_can_be_built(recipe):
    check_objectives(recipe)
    assert recipe.model.kind in COMPRESSORS and recipe.optimiser.kind in OPTIMISERS
    assert set(recipe.objectives) <= set(OBJECTIVES)
    assert size_of(recipe, recipe) is SIZES[DEFAULT]
    assert phase_of(recipe.name) in range(1, 9)


@pytest.mark.parametrize("size", SIZES.values(), ids=lambda size: size.name)
def test_a_size_is_one_budget_for_all_and_nothing_else(size):
    own = {f"{PREFIX}{row}" for row in OWN_AMOUNT}
    amounts = {
        (at.data, at.optimiser, at.budget)
        for name, at in ((name, size.of(recipe)) for name, recipe in recipes().items())
        if name not in own
    }
    assert len(amounts) == 1 and own <= set(recipes())
    for recipe in recipes().values():
        changed = recipe.differences(size.of(recipe))
        assert all(field.startswith(("data.", "optimiser.", "budget.")) for field in changed)
        assert size_of(size.of(recipe), recipe) is size


@pytest.mark.parametrize("size", SIZES.values(), ids=lambda size: size.name)
@pytest.mark.parametrize("name", rows())
def test_an_ablation_changes_the_one_thing_that_its_row_says_at_every_size(name, size):
    full = phase(5).recipe
    for changed in (
        full.differences(ablated(name)),
        size.of(full).differences(size.of(ablated(name))),
    ):
        assert set(changed) == set(rows()[name])
        assert len(changed) == 1 or set(changed) == CHANGED_TOGETHER[name]
    assert ablated(name).name == f"ablation-{name}"


CHANGED_TOGETHER = {
    "half-latent-width": {"model.latent_width", "model.day_start"},
    "double-latent-width": {"model.latent_width", "model.day_start"},
    "random-projection": {"model.projection", "model.day_start"},
    "equal-stretches": {"model.allocation", "model.day_tokens"},
    "concatenated-pooling": {"model.pooling", "model.mass_edges"},
}
"""Rows whose one change cannot be had without another (docs/experiment_plan.md, 4b)."""


def test_no_two_rows_of_the_grid_are_the_same():
    for size in SIZES.values():
        assert len({size.of(ablated(name)).sha256 for name in rows()}) == len(rows())
    assert not set(ABLATIONS) & set(ADDED)
    assert set(layers_of_grid()) == {-6, -18, -30, 0}


def test_the_plan_lists_the_rows_of_the_grid():
    plan = (Path(__file__).parents[2] / "docs" / "experiment_plan.md").read_text()
    table = plan.partition("<!-- grid:begin")[2].partition("<!-- grid:end -->")[0]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[3:]]
    stated = {tuple(cells) for cells in lines if cells}
    made = set()
    for name in rows():
        for field, (_, value) in phase(5).recipe.differences(ablated(name)).items():
            shown = OF_AMOUNT.get(name) or ("left out" if value is None else _shown(value))
            made.add((name, field, shown, "yes" if name in ABLATIONS else "no"))
    assert stated == made


OF_AMOUNT = {"half-data": "half of the size's", "other-optimiser": "the other one"}


@pytest.mark.parametrize("number", [-1, 0, 9, 44])
def test_there_is_no_such_phase(number):
    with pytest.raises(PhaseError, match=f"phase {number}") as caught:
        phase(number)
    assert "\n" not in str(caught.value)


def test_the_hash_of_a_recipe_is_of_what_decides_the_training():
    one = phase(4).recipe
    assert one.sha256 == one.changed({}, name="other-name").sha256
    assert one.sha256 != one.changed({"model.time": False}).sha256
    back = one.changed({"model.time": False}).changed({"model.time": True})
    assert back == one and back.sha256 == one.sha256


@pytest.mark.parametrize(
    ("given", "changes"),
    [
        ("model.time=false", {"model.time": False}),
        ("layers=[-6,-18]", {"layers": [-6, -18]}),
        ("model.mix=equal", {"model.mix": "equal"}),
        ("objectives.alignment=null", {"objectives.alignment": None}),
        ("model.options.depth=2", {"model.options.depth": 2}),
    ],
)
def test_set_changes_one_field(given, changes):
    assert parse_set([given]) == changes
    changed = phase(5).recipe.changed(parse_set([given]))
    assert len(phase(5).recipe.differences(changed)) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("model.time", "FIELD=VALUE"),
        ("=3", "FIELD=VALUE"),
        ("model.tim=false", "model.tim"),
        ("modle.time=false", "modle.time"),
        ("name.x=1", "name.x"),
        ("model.time=maybe", "model.time"),
        ("budget.steps=0", "budget.steps"),
        ("layers=[]", "layers"),
        ("ratios=[0.1]", "below 1"),
        ("name=../../x", "name"),
    ],
)
def test_a_bad_change_is_one_line(given, said):
    with pytest.raises(RecipeError) as caught:
        phase(4).recipe.changed(parse_set([given]))
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_names_are_looked_up_or_refused():
    assert resolve(None, 4, None) == phase(4).recipe
    assert resolve("phase-4", None, "tiny").budget.steps == SIZES["tiny"].changes["budget.steps"]
    for kind, call in (
        (UsageError, lambda: resolve(None, None, None)),
        (UsageError, lambda: resolve("phase-4", 4, None)),
        (UsageError, lambda: size_named("huge")),
        (RecipeError, lambda: recipe_named("phase-9")),
    ):
        with pytest.raises(kind) as caught:
            call()
        assert "\n" not in str(caught.value)
