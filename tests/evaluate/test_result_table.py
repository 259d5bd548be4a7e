from io import StringIO

import pytest
from rich.console import Console

from latentcomp.evaluate.heading import order_note
from latentcomp.evaluate.held_out import Source
from latentcomp.evaluate.numbers import human
from latentcomp.evaluate.result import EvaluationResult
from latentcomp.evaluate.sizes import Sizes
from latentcomp.evaluate.table import (
    bytes_line,
    ceiling_note,
    print_result,
    small_sample_note,
)

from .rows import simulated

FAMILIES = ("structure", "original", "latest", "two_hop")
SIZES = Sizes(tokens=1320, latents=332, latent_bytes=84992, state_bytes=1013760, text_bytes=4000)


def result(documents=80, **changes):
    rows = simulated(documents=documents, families=FAMILIES, **changes)
    return EvaluationResult.from_scores(
        rows, seed=5, phase=4, ratio=4, sizes=SIZES, training_seeds=(1,), resamples=300
    )


def printed(found, width=80, color=None):
    out = StringIO()
    console = Console(file=out, width=width, color_system=color, force_terminal=bool(color))
    print_result(found, console)
    return out.getvalue()


def test_table_says_everything_in_80_columns():
    found = result()
    text = printed(found)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for word in (*FAMILIES, "all", "ceiling", "floor", "compressed", "shuffled", "zero", "stale"):
        assert word in text
    last = next(line for line in text.splitlines() if line.strip().startswith("all"))
    assert last.split()[1] == "640"
    assert f"{found.retention:.2f} [{found.retention_low:.2f}, {found.retention_high:.2f}]" in last
    assert f"{found.accuracy:.3f}" in last
    assert "by form" not in text and "balanced" not in text and "days" not in text, "not known"


def test_sizes_are_in_tokens_and_in_bytes():
    flat = " ".join(printed(result()).split())
    assert "3.976 tokens per latent" in flat
    assert "latents are 21.2x the text" in flat
    assert bytes_line(result().bytes, 1) == (
        "latents 83.0 KiB, teacher states 990.0 KiB, text 3.9 KiB (latents are 21.2x the text)"
    )


@pytest.mark.parametrize(
    ("shuffled", "style", "words"),
    [
        (0.08, "\x1b[32m", "self-check holds"),
        (0.5, "\x1b[1;31m", "SELF-CHECK FAILED"),
        (0.11, "\x1b[33m", "self-check open"),
    ],
)
def test_self_check_is_green_or_red_or_open_and_says_so(shuffled, style, words):
    found = result(documents=24 if "open" in words else 600, shuffled=shuffled)
    assert style + words in printed(found, color="standard")


def test_what_a_reader_has_to_know_stands_below_the_table():
    found = result().model_copy(
        update={
            "corpus": Source(sha256="c" * 64, path="mine.jsonl"),
            "unjudged": "the documents were given",
            "notes": ("some days are not told",),
        }
    )
    text = " ".join(printed(found).split())
    assert "phase 4: 80 documents of mine.jsonl" in text and "held-out" not in text
    assert "80 documents: a percentile interval over fewer than about 100" in text
    assert "some days are not told" in text
    assert "no verdict: the documents were given" in text
    assert small_sample_note(result(documents=100)) == ""
    below = result(documents=200, shuffled=0.0, floor=0.3)
    assert "shuffled latents lie below the floor" in " ".join(printed(below).split())


def test_what_was_not_measured_is_a_dash_and_not_zero():
    rows = [r for r in simulated(documents=4, families=("fact",)) if r.arm in ("ceiling", "floor")]
    found = EvaluationResult.from_scores(rows, seed=1, headline="ceiling", resamples=50)
    text = printed(found)
    assert "teacher alone" in text and "retention" not in text and "–" in text
    assert "compressed" not in text


def test_optional_arms_and_skipped_phases_are_named():
    rows = simulated(documents=6)
    rows += [
        type(r)(**{**{f: getattr(r, f) for f in r.__slots__}, "arm": "summary"})
        for r in rows
        if r.arm == "floor"
    ]
    found = EvaluationResult.from_scores(rows, seed=1, skipped=(1, 2, 3), resamples=50)
    text = printed(found)
    assert "also: summary" in text
    assert "trained, phases 1, 2, 3 lacked the verdict that the order asks for" in " ".join(
        text.split()
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 * 1024**2, "5.0 MiB"),
        (3e13, "27939.7 GiB"),
    ],
)
def test_human(size, text):
    assert human(size) == text


def test_a_low_ceiling_is_said_with_what_it_hides():
    assert ceiling_note(result(ceiling=0.99, compressed=0.5)) == ""
    low = result(ceiling=0.4, compressed=0.4)
    note = ceiling_note(low)
    assert f"the ceiling is {low.ceiling:.3f}" in note
    assert f"{1 - low.ceiling:.0%} of the questions" in note
    assert note.split()[0] in " ".join(printed(low).split())


@pytest.mark.parametrize(
    ("arms", "phase", "subject", "says"),
    [
        (("ceiling", "floor"), None, "", "teacher alone"),
        (
            ("ceiling", "floor", "compressed"),
            None,
            "mine, training seed 2",
            "mine, training seed 2",
        ),
        (("ceiling", "floor", "compressed"), None, "", "a compressor"),
        (("ceiling", "floor", "compressed"), 4, "", "phase 4"),
        (("ceiling", "floor", "compressed"), 4, "training seed 1", "phase 4, training seed 1"),
        (("ceiling", "floor", "compressed"), 4, "checkpoint a/b", "phase 4, checkpoint a/b"),
    ],
)
def test_the_heading_says_what_was_measured(arms, phase, subject, says):
    """A table with latents was headed "teacher alone" where its recipe was of no phase."""
    rows = [row for row in simulated(documents=4, families=("fact",)) if row.arm in arms]
    made = EvaluationResult.from_scores(rows, seed=1, headline=arms[-1], resamples=50, phase=phase)
    found = made.model_copy(update={"subject": subject})
    assert printed(found).lstrip().startswith(f"{says}: 4 held-out documents, seed 1\n")


def test_a_self_check_names_the_arms_that_are_missing_and_no_other():
    rows = simulated(documents=4, families=("fact",))
    for missing, words in (
        ({"shuffled"}, "the arm shuffled"),
        ({"floor"}, "the arm floor"),
        ({"shuffled", "floor"}, "the arms shuffled and floor"),
    ):
        kept = [row for row in rows if row.arm not in missing]
        found = EvaluationResult.from_scores(kept, seed=1, resamples=50)
        message = found.checks["shuffled_at_floor"].message
        assert message == f"self-check not made: it needs {words}"


def test_the_order_is_said_to_be_left_only_by_what_was_trained():
    """No flag is named: the weights may be shipped ones, or come from others."""
    rows = simulated(documents=4, families=("fact",))
    one = EvaluationResult.from_scores(rows, seed=1, skipped=(3,), resamples=50)
    assert "trained, phase 3 lacked the verdict that the order asks for" in order_note(one)
    assert "flag" not in order_note(one)
    assert order_note(EvaluationResult.from_scores(rows, seed=1, resamples=50)) == ""
