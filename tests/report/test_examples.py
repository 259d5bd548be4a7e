"""Examples of a report: drawn as it says, filtered by style rules alone."""

import re

import pytest

from latentcomp.corpus.chronicle import presets
from latentcomp.evaluate.samples import choose_samples
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.report import write_report
from latentcomp.report.examples import outcomes

from ..experiment import runs
from .test_report import SAMPLES, Page

FEW = 40


@pytest.fixture(scope="module")
def answered():
    """Documents, and answers of which a third of the compressed ones are wrong."""
    with pytest.MonkeyPatch.context() as patch:
        runs.small_lab(patch)
        held = runs._held(presets.PRESETS["lab"], FEW, 7, None)
        yield held.documents, runs.script(held.documents, {"ceiling": 0.98, "compressed": 0.6})


def test_errors_are_drawn_besides_and_say_so(answered):
    documents, rows = answered
    plain = choose_samples(rows, documents, seed=3)
    more = choose_samples(rows, documents, seed=3, errors_of="compressed")
    assert more[: len(plain)] == plain, "the first draws look at no answer"
    chosen = more[len(plain) :]
    assert {each.chosen for each in chosen} == {"wrong", "stale"}
    for each in chosen:
        answer = each.answers["compressed"]
        assert not answer.correct and answer.stale == (each.chosen == "stale")
    keys = [(each.document_id, each.question_id) for each in more]
    assert len(set(keys)) == len(keys)
    pairs = [(each.family, each.chosen) for each in chosen]
    assert len(set(pairs)) == len(pairs), "one of a kind of every family"
    assert choose_samples(rows, documents, seed=3, errors_of="none") == plain


@pytest.mark.parametrize(
    ("arm", "shown"), [("ceiling", ("right",)), ("compressed", ("wrong", "stale")), ("floor", ())]
)
def test_a_stale_answer_is_a_wrong_one_too(arm, shown):
    assert outcomes(SAMPLES[0], arm) == shown


def test_the_page_filters_without_running_anything(answered, tmp_path):
    documents, rows = answered
    run = RunFolder(tmp_path / "run")
    samples = choose_samples(rows, documents, seed=3, errors_of="compressed")
    trial = runs.save_trial(run, phase(4).recipe)
    runs.save_evaluation(trial, run, documents=FEW, samples=samples)
    page = write_report(run.path)
    html, twin = page.read_text(), page.with_name("report.md").read_text()
    elements = Page(html).elements
    assert "script" not in {tag for tag, _ in elements}
    shown = [each["class"].split() for tag, each in elements if tag == "article"]
    assert len(shown) == len(samples)
    buttons = [each for tag, each in elements if tag == "input"]
    rules = set(re.findall(r"\.examples:has\(input\.([\w-]+):checked\)", html))
    by_class = {each["class"]: each for each in buttons if "class" in each}
    assert by_class and set(by_class) <= rules, "every button has its rule"
    assert {name for classes in shown for name in classes} - {"sample"} <= set(by_class)
    assert sum("checked" in each for each in buttons) == 2, "at first all are shown"
    for name in ("right", "wrong", "stale"):
        count = sum(f"o-{name}" in classes for classes in shown)
        assert count and f">{name} {count}</label>" in html
    marked = sum(sample.chosen is not None for sample in samples)
    for text in (html, twin):
        assert f"{marked} of those that compressed answered wrongly, marked as such" in text
    assert "(chosen as stale)" in twin and "chosen as stale</p>" in html
