"""Figures by form of the answer and by need of days; the figure that weighs all kinds alike."""

import json
from io import StringIO
from math import isnan

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from latentcomp.evaluate.balanced import MINIMUM, balance
from latentcomp.evaluate.break_lines import break_lines
from latentcomp.evaluate.cells import break_down
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.scores import read_answers, write_answers
from latentcomp.evaluate.stats import Bootstrap
from latentcomp.evaluate.table import print_result
from latentcomp.evaluate.tally import Answers

from .rows import row, simulated


def answers_of(cells, documents=30):
    """Rows of three arms: by (family, form) the questions of a document and the right share.

    The first documents are the ones that are right, so every share of 30 documents is exact.
    """
    rows = []
    for (family, form), (questions, accuracy) in cells.items():
        for document in range(documents):
            for number in range(questions):
                given = {"compressed": document < accuracy * documents, "ceiling": True}
                rows += [
                    row(
                        f"d{document:02d}",
                        f"{family}/{form}/{number}",
                        arm,
                        correct=correct,
                        family=family,
                        form=form,
                    )
                    for arm, correct in (given | {"floor": False}).items()
                ]
    return rows


def balanced(rows, resamples=300):
    answers = Answers(rows)
    return balance(answers, Bootstrap.draw(len(answers.documents), seed=0, resamples=resamples))


CELLS = {
    ("fact", "name"): (1, 0.9),
    ("fact", "yes_no"): (6, 0.5),
    ("order", "yes_no"): (1, 0.1),
}


def test_every_kind_of_question_weighs_the_same():
    found = balanced(answers_of(CELLS))
    assert found.cells == {"fact/name": 30, "fact/yes_no": 180, "order/yes_no": 30}
    assert found.accuracy["compressed"].point == pytest.approx((0.9 + 0.5 + 0.1) / 3)
    assert found.accuracy["ceiling"].point == 1
    assert found.retention["compressed"].point == pytest.approx(0.5)
    assert found.retention.keys() == {"compressed"}
    assert found.accuracy["compressed"].n == 240
    assert 0.3 < found.accuracy["compressed"].low < 0.5 < found.accuracy["compressed"].high < 0.7


def test_more_questions_of_one_kind_do_not_move_it():
    many = CELLS | {("order", "yes_no"): (9, 0.1)}
    one, other = (balanced(answers_of(cells)).accuracy["compressed"] for cells in (CELLS, many))
    assert one.point == pytest.approx(other.point)
    plain = break_down(answers_of(many), seed=0, resamples=10).overall.accuracy["compressed"]
    assert plain.point == pytest.approx((0.9 + 6 * 0.5 + 9 * 0.1) / 16), "the mean over questions"


@pytest.mark.parametrize(("documents", "kept"), [(MINIMUM - 1, False), (MINIMUM, True)])
def test_kinds_of_few_questions_are_left_out_and_named(documents, kept):
    rows = answers_of({("fact", "name"): (1, 1.0), ("when", "number"): (2, 0.0)}, documents)
    found = balanced(rows)
    assert found.left_out == ({} if kept else {"fact/name": documents})
    assert found.accuracy["compressed"].point == (0.5 if kept else 0.0)


def test_without_forms_or_enough_questions_there_is_none():
    assert balanced(simulated(documents=40)) is None
    assert balanced(answers_of(CELLS, 3)) is None


def test_without_a_floor_there_is_accuracy_alone():
    rows = [each for each in answers_of(CELLS) if each.arm != "floor"]
    assert balanced(rows).retention == {} and balanced(rows).accuracy["compressed"].n == 240


def test_the_interval_is_of_the_draw_that_all_figures_share():
    """With one kind of question alone, balanced and plain are one figure, ends included."""
    rows = answers_of({("fact", "name"): (2, 0.6)})
    found = break_down(rows, seed=4, resamples=200)
    assert found.balanced is not None
    assert found.balanced.accuracy == found.overall.accuracy
    assert found.balanced.retention == found.overall.retention
    assert found.forms.keys() == {"name"}
    assert found.forms["name"].accuracy == found.overall.accuracy


def dated_rows(documents=30):
    """Questions that need days and others; knowing them helps the ceiling by 0.6."""
    shares = {
        True: {"compressed": 0.7, "ceiling": 0.9, "floor": 0.1, "undated": 0.3},
        False: {"compressed": 0.8, "ceiling": 0.9, "floor": 0.1, "undated": 0.9},
    }
    return [
        row(
            f"d{document:02d}",
            f"q{needed}",
            arm,
            correct=document < share * documents,
            family="when" if needed else "fact",
            form="number",
            needs_days=needed,
        )
        for document in range(documents)
        for needed, given in shares.items()
        for arm, share in given.items()
    ]


def test_questions_that_need_days_are_told_from_others():
    found = break_down(dated_rows(), seed=0, resamples=300)
    assert found.needs_days.keys() == {"yes", "no"}
    assert found.needs_days["yes"].accuracy["undated"].point == pytest.approx(0.3)
    assert found.needs_days["no"].accuracy["undated"].point == pytest.approx(0.9)
    above = found.above_undated
    assert above.keys() == {"ceiling", "compressed", "floor"}
    assert above["ceiling"].point == pytest.approx(0.6)
    assert above["compressed"].point == pytest.approx(0.4)
    assert above["ceiling"].n == 30 and above["ceiling"].low > 0.4


def test_without_the_arm_or_the_knowledge_nothing_is_said_of_days():
    rows = [each for each in dated_rows() if each.arm != "undated"]
    found = break_down(rows, seed=0, resamples=10)
    assert found.above_undated == {} and found.needs_days.keys() == {"yes", "no"}
    found = break_down(simulated(documents=5), seed=0, resamples=10)
    assert found.needs_days == found.forms == {} and found.above_undated == {}


def result(rows, **changes):
    return EvaluationResult.from_scores(rows, seed=1, phase=4, ratio=4, resamples=200, **changes)


def test_a_result_goes_to_disk_and_back_with_all_of_it(tmp_path):
    found = result(dated_rows())
    found.write(tmp_path / "evaluation.json")
    read = EvaluationResult.read(tmp_path / "evaluation.json")
    assert read.to_json() == found.to_json()
    assert found.balanced.cells == {"fact/number": 30, "when/number": 30}


def test_a_result_from_before_forms_is_read_without_them(tmp_path):
    old = json.loads(result(simulated(documents=9)).to_json())
    for name in ("forms", "needs_days", "above_undated", "balanced", "near_misses",
                 "near_misses_by_form"):  # fmt: skip
        del old[name]
    (tmp_path / "evaluation.json").write_text(json.dumps(old))
    found = EvaluationResult.read(tmp_path / "evaluation.json")
    assert (found.forms, found.balanced, found.above_undated) == ({}, None, {})
    assert break_lines(found) == []


def test_answers_from_before_forms_are_read_without_them(tmp_path):
    rows = dated_rows(3)
    write_answers(tmp_path / "new.parquet", rows)
    assert read_answers(tmp_path / "new.parquet") == tuple(rows)
    table = pq.read_table(tmp_path / "new.parquet").drop_columns(["form", "needs_days", "near"])
    pq.write_table(table, tmp_path / "old.parquet")
    for old, new in zip(read_answers(tmp_path / "old.parquet"), rows, strict=True):
        assert (old.form, old.needs_days, old.near) == ("", None, "")
        assert (old.question_id, old.prediction) == (new.question_id, new.prediction)
    pq.write_table(pa.table({"arm": ["floor"]}), tmp_path / "other.parquet")
    with pytest.raises(Exception, match="not a readable file of answers"):
        read_answers(tmp_path / "other.parquet")


def test_the_terminal_says_it_in_a_line_each():
    out = StringIO()
    print_result(result(dated_rows()), Console(file=out, width=200))
    lines = out.getvalue().splitlines()
    assert "by form (compressed of ceiling): number 0.750 of 0.900" in lines
    (line,) = [line for line in lines if line.startswith("balanced over 2 kinds of question")]
    assert "ceiling 0.900 [" in line and "compressed 0.750 [" in line and "floor 0.100 [" in line
    assert "; retention 0.812 [" in line
    (line,) = [line for line in lines if line.startswith("30 questions need days: ")]
    assert "undated 0.300 [" in line and "; knowing them is worth 0.600 [" in line
    assert [line for line in lines if line.startswith("30 questions do not need days: ")]


def test_the_teacher_alone_has_its_own_figure_once():
    rows = [each for each in dated_rows() if each.arm in ("ceiling", "floor", "undated")]
    lines = break_lines(result(rows, headline="ceiling"))
    assert lines[0] == "by form (ceiling): number 0.900"
    assert lines[1].startswith("balanced over 2 kinds of question (family and form): ceiling 0.9")
    assert "retention" not in lines[1]


def test_an_undefined_balanced_figure_is_not_a_number():
    """A ceiling at the floor in every kind: nothing could be retained."""
    rows = [
        row(f"d{d}", "q", arm, correct=False, form="name")
        for d in range(25)
        for arm in ("compressed", "ceiling", "floor")
    ]
    assert isnan(balanced(rows).retention["compressed"].point)
