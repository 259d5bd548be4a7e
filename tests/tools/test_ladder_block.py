"""The ladder's tables: a phase is shown with its own trials on the documents it was judged on."""

import json

import pytest

from latentcomp.tools.ladder_block import BEFORE, LADDER, OLDER, ladder_block, ladder_line


def interval(point):
    return {"point": point, "low": point - 0.1, "high": point + 0.1}


def measured(seed, overall, fact, days=None):
    return {
        "documents_seed": seed,
        "retention": interval(overall),
        "families": {"fact": interval(fact)},
        "above_undated": None if days is None else interval(days),
    }


def verdict(number, seed, teacher):
    criterion = {
        "bound": "low",
        "threshold": 0.1,
        "measure": "retention",
        "interval": interval(0.5),
    }
    return {
        "phase": number, "seed": seed, "status": "passed", "reason": "why", "seeds": [0, 1],
        "steps": 400, "size": "lab", "documents": 400, "ratio": 4.0, "criteria": [criterion],
        "teacher_sha256": teacher,
    }  # fmt: skip


@pytest.fixture
def results(tmp_path):
    from latentcomp.models.files import HISTORY

    record = {
        "verdicts": [verdict(n, 5000 + n, HISTORY["lab3"]) for n in (1, 2)],
        "trials": {
            # On the documents of phase 2 as well, where it is the reference: not shown there.
            "phase-1/seed-0": [measured(5001, 0.2, 0.1), measured(5002, 0.9, 0.9)],
            "phase-1/seed-1": [measured(5001, 0.4, 0.3)],
            "phase-2/seed-0": [measured(5002, 0.6, 0.7, days=0.25)],
            "other/seed-0": [measured(5001, 0.0, 0.0)],
        },
    }
    (tmp_path / LADDER).write_text(json.dumps(record))
    (tmp_path / BEFORE).parent.mkdir()
    earlier = {
        "verdicts": [verdict(1, 4001, HISTORY["lab3"]) | {"status": "failed"}],
        "trials": {"phase-1/seed-0": [measured(4001, 0.1, 0.1)]},
    }
    (tmp_path / BEFORE).write_text(json.dumps(earlier))
    return tmp_path


def test_means_and_ranges_are_over_the_seeds_of_a_phase(results):
    lines = ladder_block(results).splitlines()
    assert "| **all** | 0.30 (0.20 to 0.40) | 0.60 (0.60 to 0.60) |" in lines
    assert "| fact | 0.20 (0.10 to 0.30) | 0.70 (0.70 to 0.70) |" in lines
    assert "questions that need days | – | 0.25 (0.25 to 0.25) |" in lines[-1]
    assert any(line.startswith("| 2 layers | retention | low > 0.10 | 0.500") for line in lines)


def test_the_sentence_names_every_phase_and_verdict(results):
    line = ladder_line(results)
    assert "phase 1 (control) 0.30; 2 (layers) 0.60. Verdicts: passed: 1, 2." in line
    assert line.index("passed: 1, 2.") < line.index("phase 1 (control) 0.10. Verdicts: failed: 1.")


def test_a_phase_on_fewer_documents_is_named(results):
    record = json.loads((results / LADDER).read_text())
    record["verdicts"][1]["documents"] = 100
    (results / LADDER).write_text(json.dumps(record))
    assert "400 held-out documents a phase, 100 in phase 2" in ladder_line(results)


def test_an_older_record_has_no_line_on_days(results):
    record = json.loads((results / LADDER).read_text())
    del record["trials"]["phase-2/seed-0"][0]["above_undated"]
    (results / OLDER).write_text(json.dumps(record))
    assert "need days" not in ladder_block(results, OLDER)
