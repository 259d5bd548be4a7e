"""`latentcomp utilisation` on a trained checkpoint: what is measured, kept, logged and refused."""

from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from latentcomp.commands.trials import TrialRequest, train_trial
from latentcomp.corpus.continuation import with_continuation
from latentcomp.corpus.files import write_corpus
from latentcomp.corpus.records import CONTINUATION
from latentcomp.evaluate.utilisation.adapted import HABIT_NOTE
from latentcomp.evaluate.utilisation.measure import AnswerCost
from latentcomp.evaluate.utilisation.result import UtilisationResult, figures_of
from latentcomp.experiment.looks import read_looks
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder

from ..extract.command_line import run_command
from ..train import tiny

SHORT = {"data.batch_size": 1, "data.question_tokens": 128, "budget.steps": 1}


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Three documents of the test split that are nothing but text and how it goes on."""
    folder = tmp_path_factory.mktemp("texts") / "corpus"
    made = [with_continuation(one, 40) for one in tiny.documents(3, 4, "test")]
    only = [replace(one, questions=one.questions[-1:]) for one in made if one is not None]
    write_corpus(folder, only, {"source": "texts"})
    return folder


@pytest.fixture(scope="module")
def trained(deep, tmp_path_factory):
    """A run whose compressor was trained on continuations."""
    made = [with_continuation(one, 40) for one in tiny.documents(3)]
    given = tuple(one for one in made if one is not None)
    run = tiny.write_run(tmp_path_factory.mktemp("run"), deep, given, tiny.layers(3, 15, 27))
    write_corpus(run / "corpus", given, {"preset": "lab", "split": "train"})
    train_trial(TrialRequest(run, phase(1).recipe, SHORT, reasoner=str(deep), device="cpu"))
    return run


def test_a_measurement_is_kept_logged_and_comes_back(capsys, trained, texts, deep, tmp_path):
    line = ("utilisation", "--phase", 1, "--run", trained, "--corpus", texts, "--device", "cpu")
    models = ("--teacher", deep, "--reasoner", deep)
    ran = run_command(capsys, *line, *models, "--json", tmp_path / "u.json")
    assert ran.code == 0, ran.err
    trial = RunFolder(trained).trial("phase-1", 0)
    (folder,) = (trial.path / "utilisation").iterdir()
    result = UtilisationResult.read(folder / "utilisation.json")
    assert (folder / "utilisation.json").read_text() == (tmp_path / "u.json").read_text()
    rows = [AnswerCost(**row) for row in pq.read_table(folder / "costs.parquet").to_pylist()]
    again = figures_of(rows, None, seed=result.seed)
    assert again["families"][CONTINUATION].nats == result.families[CONTINUATION].nats
    assert result.checkpoint_sha256 == trial.weights_sha256()
    assert HABIT_NOTE in result.notes
    looks = [look for look in read_looks(RunFolder(trained)) if look.trial == str(trial)]
    assert [look.documents for look in looks] == [3], "a look counts, whatever is measured"
    assert run_command(capsys, *line, *models).code == 0
    assert len(list((trial.path / "utilisation").iterdir())) == 2, "nothing is overwritten"
    assert trial.evaluations() == (), "and no gate sees it"


def test_the_reasoner_alone(capsys, texts, deep, tmp_path):
    line = ("utilisation", "--teacher-only", "--teacher", deep, "--corpus", texts)
    ran = run_command(capsys, *line, "--device", "cpu", "--json", tmp_path / "u.json")
    assert ran.code == 0, ran.err
    result = UtilisationResult.read(tmp_path / "u.json")
    assert set(result.families[CONTINUATION].nats) == {"ceiling", "floor"}
    assert HABIT_NOTE not in result.notes, "nothing was trained that could have one"


def test_greedy_answers_are_not_asked_for_continuations(capsys, texts, deep):
    line = ("evaluate", "--teacher-only", "--teacher", deep, "--corpus", texts)
    error = run_command(capsys, *line, "--device", "cpu").error
    assert f"`latentcomp utilisation --corpus {texts}`" in error


def test_documents_of_the_training_are_refused(capsys, trained, deep):
    line = ("utilisation", "--phase", 1, "--run", trained, "--corpus", trained / "corpus")
    ran = run_command(capsys, *line, "--teacher", deep, "--reasoner", deep, "--device", "cpu")
    assert "trained on" in ran.error
