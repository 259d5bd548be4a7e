"""What the solver makes of small texts, written by hand."""

import pytest

from latentcomp.common.errors import CorpusError
from latentcomp.corpus.chronicle.solver import solve

UPDATED = (
    "Day 10. The code of Karo is 1111. Rain fell all night.",
    "Day 20. The code of Karo is now 2222.",
    "Day 30. Karo changed the code to 3333.",
)
CORRECTED = (
    "Day 10. Karo has 1111 as code.",
    "Day 20. Correction: the code of Karo is 2222, not 1111.",
    "Day 30. The market was quiet.",
)
CORRECTED_UPDATE = (
    "Day 10. It is noted that the code of Karo is 1111.",
    "Day 20. From today the code of Karo is 2222.",
    "Day 30. Correction: the code of Karo is 3333, not 2222.",
)
CORRECTED_TWICE = (
    "Day 10. The code of Karo is 1111.",
    "Day 20. Correction: the code of Karo is 2222, not 1111.",
    "Day 30. Correction: the code of Karo is 3333, not 2222.",
)
OTHERS = (
    "Day 10. Milu is the mentor of Karo. Bado owns the Tasu lamp. Karo arrived.",
    "Day 20. Milu has kilopa as password. The Nupa guild took in Karo. Milu came to town.",
    "Day 30. The Nupa guild answers to the Rove guild. The place of the Tasu lamp is Velu.",
    "Day 40. At the table of Velu sit, in order, Karo, Milu, Bado and Zeka. Bado arrived.",
    "Day 50. A rumour says that the password of Milu is hodami, which is false. Zeka arrived.",
)


@pytest.mark.parametrize(
    ("text", "question", "written", "hindsight"),
    [
        (UPDATED, "What is the latest code of Karo?", {"3333"}, {"3333"}),
        (UPDATED, "What was the first code of Karo?", {"1111"}, {"1111"}),
        (UPDATED, "What was the code of Karo on day 10?", {"1111"}, {"1111"}),
        (UPDATED, "What was the code of Karo on day 29?", {"2222"}, {"2222"}),
        (UPDATED, "What was the code of Karo on day 9?", set(), set()),
        (UPDATED, "Did the code of Karo ever change?", {"yes"}, {"yes"}),
        (UPDATED, "On which day was the code of Karo last set?", {"30"}, {"30"}),
        (CORRECTED, "What is the latest code of Karo?", {"2222"}, {"2222"}),
        (CORRECTED, "What was the first code of Karo?", {"1111"}, {"2222"}),
        (CORRECTED, "What was the code of Karo on day 19?", {"1111"}, {"2222"}),
        (CORRECTED, "What was the code of Karo on day 20?", {"2222"}, {"2222"}),
        (CORRECTED, "Did the code of Karo ever change?", {"yes"}, {"no"}),
        (CORRECTED, "On which day was the code of Karo last set?", {"20"}, {"10"}),
        (CORRECTED_UPDATE, "What was the first code of Karo?", {"1111"}, {"1111"}),
        (CORRECTED_UPDATE, "What was the code of Karo on day 25?", {"2222"}, {"3333"}),
        (CORRECTED_UPDATE, "Did the code of Karo ever change?", {"yes"}, {"yes"}),
        (CORRECTED_UPDATE, "On which day was the code of Karo last set?", {"30"}, {"20"}),
        (CORRECTED_TWICE, "What was the first code of Karo?", {"1111"}, {"3333"}),
        (CORRECTED_TWICE, "What was the code of Karo on day 25?", {"2222"}, {"3333"}),
        (CORRECTED_TWICE, "On which day was the code of Karo last set?", {"30"}, {"10"}),
        (OTHERS, "What is the password of Milu?", {"kilopa"}, {"kilopa"}),
        (OTHERS, "What is the password of the mentor of Karo?", {"kilopa"}, {"kilopa"}),
        (OTHERS, "What is the place of the Tasu lamp?", {"Velu"}, {"Velu"}),
        (OTHERS, "Who is the owner of the Tasu lamp?", {"Bado"}, {"Bado"}),
        (OTHERS, "Which guild did Karo join?", {"Nupa"}, {"Nupa"}),
        (OTHERS, "Which guild does the Nupa guild answer to?", {"Rove"}, {"Rove"}),
        (OTHERS, "Who sits right after Milu at the table of Velu?", {"Bado"}, {"Bado"}),
        (OTHERS, "Who sits right after Zeka at the table of Velu?", set(), set()),
        (OTHERS, "Who arrived first, Bado or Karo?", {"Karo"}, {"Karo"}),
        (OTHERS, "Who is the doctor of Karo?", set(), set()),
    ],
)
def test_answers_under_both_interpretations(text, question, written, hindsight):
    solution = solve(text, question)
    assert solution.answers == written
    assert solution.answers_in_hindsight == hindsight


@pytest.mark.parametrize(
    ("text", "question", "stale", "evidence", "bucket"),
    [
        (UPDATED, "What is the latest code of Karo?", ("1111", "2222"), (2,), "late"),
        (UPDATED, "What was the code of Karo on day 20?", ("1111",), (1,), "middle"),
        (UPDATED, "Did the code of Karo ever change?", (), (0, 1, 2), "late"),
        (CORRECTED, "What is the latest code of Karo?", ("1111",), (1,), "middle"),
        (OTHERS, "What is the password of the mentor of Karo?", (), (0, 1), "early"),
        (OTHERS, "Who sits right after Karo at the table of Velu?", (), (3,), "middle"),
    ],
)
def test_stale_answers_and_evidence_as_written(text, question, stale, evidence, bucket):
    solution = solve(text, question)
    assert (solution.stale_answers, solution.evidence) == (stale, evidence)
    assert solution.bucket == bucket


def test_what_the_text_leaves_open_has_every_answer():
    twice = ("Day 10. The code of Karo is 1111.", "Day 20. The code of Karo is 2222.")
    assert solve(twice, "What is the code of Karo?").answers == {"1111", "2222"}
    assert solve(twice, "Did the code of Karo ever change?").answers == {"yes", "no"}
    together = ("Day 10. Karo arrived. Milu arrived.",)
    assert solve(together, "Who arrived first, Karo or Milu?").answers == {"Karo", "Milu"}


@pytest.mark.parametrize(
    ("text", "question", "reason"),
    [
        (("The code of Karo is 1111.",), "What is the code of Karo?", "not 'Day N.'"),
        (("Day 10. The moon was blue.",), "What is the code of Karo?", "no interpretation"),
        (("Day 20. Rain fell all night.", "Day 10."), "What is the code of Karo?", "follows"),
        (
            ("Day 10. Correction: the code of Karo is 2222, not 1111.",),
            "What is the code of Karo?",
            "corrects '1111'",
        ),
        (
            ("Day 10. The code of Karo is 1111. Nobody believes that the code of Karo is 1111.",),
            "What is the code of Karo?",
            "rumour of '1111' is true",
        ),
        (UPDATED, "How old is Karo?", "0 interpretations of the question"),
    ],
)
def test_what_is_not_understood_is_refused(text, question, reason):
    with pytest.raises(CorpusError, match=reason):
        solve(text, question)
