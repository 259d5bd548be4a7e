"""Measuring: each model on the generator that it reads, by family and by form, with intervals."""

import json
from collections import Counter

import pytest

from latentcomp.common.errors import CorpusError, LatentcompError
from latentcomp.corpus.chronicle4.chronicle import chronicles
from latentcomp.corpus.chronicle4.lexicon import FORMS
from latentcomp.corpus.generators import LAB_GENERATOR
from latentcomp.evaluate.arms.table import REFERENCE_ARMS
from latentcomp.evaluate.scores import score_answer
from latentcomp.lab import make
from latentcomp.lab import measuring as lab
from latentcomp.lab.architecture import LabModel, build
from latentcomp.lab.lessons import HEAD, QUESTION, SUMMARY
from latentcomp.lab.make import SHIPPED_MODELS, STAGES, measure_lab_models
from latentcomp.models import world
from latentcomp.models.files import LAB_FOLDERS

from ..extract.command_line import run_command


@pytest.fixture(scope="module")
def untrained(tokenizer, tmp_path_factory):
    """A model of generator 4 that knows nothing."""
    folder = tmp_path_factory.mktemp("models") / "untrained"
    build(LabModel("tiny", blocks=1, hidden=16, heads=2, feed_forward=16)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    prompt = {"head": HEAD, "question": QUESTION, "summary": SUMMARY}
    (folder / "latentcomp.json").write_text(json.dumps({"generator": 4, "prompt": prompt}))
    (folder / "training.json").write_text(json.dumps({"stages": [{"outcome": {}}]}))
    return folder


def test_the_shipped_models_read_the_default_generator_and_those_of_history_3():
    versions = {name: world.generator_of(folder) for name, folder in LAB_FOLDERS.items()}
    assert versions == {"lab": 4, "lab-student": 4, "lab3": 3, "lab3-student": 3}
    assert versions["lab"] == LAB_GENERATOR


def test_an_unknown_generator_is_refused_in_one_line(tmp_path):
    (tmp_path / "latentcomp.json").write_text('{"generator": 7}')
    with pytest.raises(LatentcompError, match=r"latentcomp.json: generator is 7, expected 3 or 4"):
        world.generator_of(tmp_path)
    (tmp_path / "latentcomp.json").unlink()
    assert world.generator_of(tmp_path) == 3


def test_what_a_model_of_generator_4_reads_tells_every_day():
    held = lab.held_out(4, "lab", 5)
    every = list(chronicles("lab", "test", 5, lab.HELD_OUT_SEED))
    assert [d.document_id for d in held] == [each.document.document_id for each in every]
    assert [d.dated_text for d in held] == [each.dated_document().text for each in every]
    for document in held:
        assert all(f"Day {chunk.day}." in document.dated_text for chunk in document.chunks)
    assert any(document.text != document.dated_text for document in held)


def rows_of(held, wrong):
    """Answers of both arms; those of the ceiling are wrong where `wrong(question)`."""
    for document in held:
        for question in document.questions:
            for arm in REFERENCE_ARMS:
                no = arm == "floor" or wrong(question)
                text = "nothing" if no else question.answer
                yield score_answer(document.document_id, question, arm, text)


def test_figures_are_by_family_and_by_form():
    held = lab.held_out(4, "lab", 10)
    asked = Counter(question.form for document in held for question in document.questions)
    assert set(asked) <= set(FORMS)
    found = lab.figures(list(rows_of(held, lambda question: question.form == "closed")))
    forms = found["ceiling"]["by_form"]
    assert {form: cell["point"] for form, cell in forms.items()} == {
        form: float(form != "closed") for form in asked
    }
    assert {form: cell["n"] for form, cell in forms.items()} == asked
    whole = found["ceiling"]["accuracy"]
    assert whole["point"] == pytest.approx(1 - forms["closed"]["n"] / whole["n"])
    assert whole["low"] <= whole["point"] <= whole["high"] and whole["clusters"] == 10
    assert sum(cell["n"] for cell in found["ceiling"]["by_family"].values()) == whole["n"]
    assert found["floor"]["accuracy"]["point"] == 0


def accuracies(overall=1.0, family=1.0, form=1.0):
    cell = {"accuracy": {"point": overall}, "by_family": {"fact": {"point": family}}}
    return cell | {"by_form": {"name": {"point": form}}}


@pytest.mark.parametrize(
    ("given", "bars", "met"),
    [
        (accuracies(0.95, 0.9, 0.9), lab.BARS["lab"], True),
        (accuracies(overall=0.94), lab.BARS["lab"], False),
        (accuracies(family=0.89), lab.BARS["lab"], False),
        (accuracies(form=0.89), lab.BARS["lab"], False),
        (accuracies(0.9, 0.1, 0.1), lab.BARS["long"], True),
        (accuracies(overall=0.89), lab.BARS["long"], False),
    ],
)
def test_the_bars_are_for_all_and_for_every_family_and_form(given, bars, met):
    assert lab._met(given, bars) is met


def test_the_bars():
    assert {"lab": lab.Bars(0.95, 0.90), "long": lab.Bars(0.90, None)} == lab.BARS


def test_models_of_both_generators_are_measured_each_on_its_own(untrained, tmp_path):
    """Figures with intervals, the bars beside them, and what the models were trained on."""
    seen = []
    result = measure_lab_models(
        {"untrained": untrained, "student": LAB_FOLDERS["lab3-student"]},
        ["lab"],
        2,
        tmp_path / "figures.json",
        lambda arm, documents: seen.append((arm, documents)),
    )
    assert seen == [
        (f"{name}, {arm}", 2) for name in ("untrained", "student") for arm in REFERENCE_ARMS
    ]
    assert json.loads((tmp_path / "figures.json").read_text()) == result
    student, untrained_one = result["models"]["student"], result["models"]["untrained"]
    assert (student["generator"], untrained_one["generator"]) == (3, 4)
    assert student["ceiling"]["by_form"] == {}, "its families have one form each"
    forms = {q.form for document in lab.held_out(4, "lab", 2) for q in document.questions}
    assert set(untrained_one["ceiling"]["by_form"]) == forms
    ceiling, floor = student["ceiling"]["accuracy"], student["floor"]["accuracy"]
    assert ceiling["low"] <= ceiling["point"] <= ceiling["high"]
    assert ceiling["point"] > floor["point"]
    assert ceiling["clusters"] == result["held_out"]["documents"] == 2
    assert not untrained_one["bars_met"]
    assert student["training"]["stages"] and len(untrained_one["training"]["stages"]) == 1


def test_a_second_preset_stands_beside_the_first(untrained, tmp_path, monkeypatch):
    """Of long documents two small ones here."""
    monkeypatch.setattr(make, "held_out", lambda version, _, count: lab.held_out(4, "lab", count))
    result = measure_lab_models({"it": untrained}, ["lab", "long"], 2, tmp_path / "figures.json")
    assert {key: each["preset"] for key, each in result["models"].items()} == {
        "it": "lab",
        "it/long": "long",
    }
    assert result["bars"] == {
        "lab": {"overall": 0.95, "part": 0.9},
        "long": {"overall": 0.9, "part": None},
    }


def test_long_documents_are_of_generator_4_alone(untrained, tmp_path):
    """And that is said before a model is loaded."""
    assert lab.held_out(4, "long", 1)[0].document_id
    with pytest.raises(CorpusError, match="unknown corpus preset 'long'"):
        older = {"student": LAB_FOLDERS["lab3-student"]}
        measure_lab_models(older, ["lab", "long"], 2, tmp_path / "figures.json")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def measured(monkeypatch):
    """What the command would measure, as (folders, presets, documents)."""
    calls = []
    cell = {"accuracy": {"point": 0.5}}

    def measure(folders, presets, documents, out, progress):
        calls.append((dict(folders), presets, documents))
        figures = {"ceiling": cell, "floor": cell, "bars_met": None}
        return {"models": dict.fromkeys(folders, figures)}

    monkeypatch.setattr("latentcomp.lab.make.measure_lab_models", measure)
    return calls


def test_the_command_measures_what_it_is_told_to(capsys, measured, untrained, tmp_path):
    options = ["lab-models", "--measure", "--documents", "7", "--out", tmp_path]
    shown = run_command(capsys, *options).out
    assert "teacher: 0.500 with the document, 0.500 without" in shown
    run_command(capsys, *options, "--model", "lab3", "--model", untrained, "--preset", "long")
    assert measured == [
        (SHIPPED_MODELS, ["lab"], 7),
        ({"lab3": LAB_FOLDERS["lab3"], "untrained": untrained}, ["long"], 7),
    ]


def test_two_models_of_one_name_are_not_measured_at_once(capsys, measured, untrained, tmp_path):
    options = ["lab-models", "--measure", "--out", tmp_path, "--model", untrained]
    error = run_command(capsys, *options, "--model", untrained).error
    assert "another one is named 'untrained' too" in error
    assert not measured


def test_the_help_names_the_stages_and_the_bars(capsys):
    shown = " ".join(run_command(capsys, "lab-models", "--help").out.split())
    for stage in STAGES["teacher"]:
        assert f"{stage.share:g}" in shown
        assert f"{stage.blocks}" in shown
    assert f"student: {STAGES['student'][0].blocks} blocks" in shown
    bars = lab.BARS["lab"]
    assert f"{bars.overall} of all answers, and {bars.part:.2f} in every family" in shown
    assert f"{lab.BARS['long'].overall:.2f} of all on long documents" in shown
