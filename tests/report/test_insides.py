"""What a diagnosis of the reported weights adds to the page, and what it must not."""

import os
import re

import pytest

from latentcomp.common.errors import LatentcompError
from latentcomp.evaluate.diagnosis.injected import Depth
from latentcomp.evaluate.diagnosis.layers import LayerFigures, LayerReport
from latentcomp.evaluate.diagnosis.localization import Example, Localization, Looked
from latentcomp.evaluate.diagnosis.probes import Probe
from latentcomp.evaluate.diagnosis.result import Diagnosis
from latentcomp.evaluate.held_out import Source
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.stats import Interval
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.report import insides, write_report
from latentcomp.store.format.schema import LayerRecord

from ..experiment import runs


def span(point):
    return Interval(
        point=point, low=point - 0.1, high=point + 0.1, n=9, clusters=9, resamples=9, seed=0
    )


def diagnosis(sha, *, documents=40):
    dropped = {19: 0.31, 31: 0.02, 43: 0.11}
    families = {"fact": span(0.9), "structure": span(0.8)}
    return Diagnosis(
        checkpoint="phase-4/seed-0",
        checkpoint_sha256=sha,
        documents=documents,
        seed=1,
        ratio=4.0,
        corpus=Source(sha256="c" * 64, path=None, preset="lab", split="validation", seed=1),
        depths=tuple(
            Depth(
                blocks_completed=blocks,
                latents_rms=16.0 + blocks,
                text_rms=1.0 + blocks,
                latents_nearest=0.3,
                text_nearest=1.0,
            )
            for blocks in (0, 24, 47)
        ),
        layers=LayerReport(
            accuracy=span(0.85),
            families=families,
            layers=tuple(
                LayerFigures(
                    layer=LayerRecord(blocks_completed=blocks, post_norm=False),
                    shares={"compressor.mix": share},
                    drop=span(drop),
                    families=dict.fromkeys(families, span(drop)),
                )
                for (blocks, drop), share in zip(dropped.items(), (0.27, 0.3, 0.43), strict=True)
            ),
        ),
        localization=Localization(
            depths=tuple(
                Looked(blocks_completed=blocks, evidence=span(share), chance=span(0.2))
                for blocks, share in ((6, 0.2), (24, 0.6), (48, 0.3))
            ),
            example=Example(
                document_id="validation-1-000003",
                question="Where is <Bahe>?",
                answer="Zese",
                blocks_completed=24,
                chunks=(0.1, 0.6, 0.3),
                evidence=(1,),
            ),
        ),
        probes=tuple(
            Probe(of="day", source=source, score=span(score), base=span(0.12))
            for source, score in (("latents", 0.4), ("mean states", 0.2))
        ),
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run whose phase 4 was evaluated; the folder of its trial, and the hash of its weights."""
    runs.small_lab(monkeypatch)
    made = RunFolder(tmp_path / "run")
    trial = runs.save_trial(made, phase(4).recipe)
    folder = runs.save_evaluation(trial, made, samples=())
    return made, trial.path, EvaluationResult.read(folder.result).checkpoint_sha256


TITLE = "Are facts early, relations in the middle, structure late?"


def test_the_page_shows_the_diagnosis_of_its_weights(run):
    made, trial, sha = run
    diagnosis("f" * 64, documents=99).write(trial / "diagnosis-4x-ffffffff.json")
    assert TITLE not in write_report(made.path).read_text(), "that one is of other weights"
    diagnosis(sha).write(trial / "diagnosis-4x-00000000.json")
    html = write_report(made.path).read_text()
    assert TITLE in html and "40 documents of the validation split" in html
    assert "Learned shares in compressor.mix (blocks completed): 0.27 after 19" in html
    assert "“Where is &lt;Bahe&gt;?” (Zese; validation-1-000003), behind 24 blocks" in html
    for title in (
        "each chunk, for one answer",
        "their evidence",
        "layer, by question family",
        "each block, of latents and of text",
        "linear",
    ):
        assert re.search(rf'<svg role="img" aria-label="[^"]*{title}', html), title


def test_of_two_diagnoses_the_newer_is_shown(run):
    _, trial, sha = run
    for name, documents, at in (("b", 7, 1_000), ("a", 8, 2_000)):
        file = trial / f"diagnosis-4x-{name}.json"
        diagnosis(sha, documents=documents).write(file)
        os.utime(file, (at, at))
    found = insides.diagnosis_of(trial, sha)
    assert found is not None and found.documents == 8
    assert insides.diagnosis_of(trial, None) is None


def test_a_damaged_diagnosis_is_named_in_one_line(run):
    made, trial, _ = run
    (trial / "diagnosis-4x-0.json").write_text("{")
    with pytest.raises(LatentcompError, match=r"diagnosis-4x-0\.json") as raised:
        write_report(made.path)
    assert "\n" not in str(raised.value)


def test_what_was_not_measured_is_not_drawn():
    found = diagnosis("a" * 64)
    assert found.layers is not None
    one = found.layers.model_copy(update={"layers": found.layers.layers[:1]})
    assert insides.layers(None) == insides.layers(one) == ""
    assert insides.looking(None) == insides.example(None) == ""
    assert insides.sizes(()) == insides.probes(()) == insides.shares(None) == ""
