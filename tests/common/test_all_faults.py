"""Wrong options of one command line are shown together, each once, and nothing is invented."""

import pytest

from latentcomp import cli


def lines_of(capsys, line):
    assert cli.run(line.split()) == 2
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "train --stpes 3 --sise=tiny --steps x --seed -1",
            [
                "error: No such option: --stpes (Possible options: --dtype, --set, --steps); see "
                "latentcomp train --help",
                "  No such option: --sise (Possible options: --seed, --set, --size)",
                "  Invalid value for '--steps'",
                "  Invalid value for '--seed'",
            ],
        ),
        ("train --stpes --live", ["error: No such option: --stpes"]),
        (
            "evaluate --documents 1 --ratio nan --dtype int3",
            [
                "error: Invalid value for '--documents'",
                "  Invalid value for '--ratio'",
                "  Invalid value for '--dtype': 'int3' is not one of",
            ],
        ),
        (
            "compress --ou x --bat 3",
            [
                "error: No such option: --ou (Possible options: --out, --run)",
                "  No such option: --bat",
            ],
        ),
        ("corpus", ["error: Missing option '--out'; see latentcomp corpus --help"]),
        ("extract --layers", ["error: Option '--layers' requires an argument; see latentcomp ext"]),
        ("store info --rnu x --json", ["error: No such option: --rnu (Possible options: --run)"]),
        (
            "import x.parquet --out y",
            [
                "error: Invalid value for 'FORMAT': 'x.parquet' is not one of 'squad', 'timeqa'",
            ],
        ),
        (
            "import --split test",
            [
                "error: Missing argument 'FORMAT'. Choose from: squad, timeqa, longmemeval",
                "  Missing option '--out'",
            ],
        ),
    ],
)
def test_every_fault_is_a_line(capsys, line, says):
    shown = lines_of(capsys, line)
    assert len(shown) == len(says), shown
    for one, expected in zip(shown, says, strict=True):
        assert one.startswith(expected)


@pytest.mark.parametrize("line", ["train --size 3 --help", "--help", "import --help"])
def test_help_is_not_kept_away(capsys, line):
    assert cli.run(line.split()) == 0
    assert "Usage: latentcomp" in capsys.readouterr().out


def test_what_is_right_is_passed_on(capsys, tmp_path):
    assert cli.run(["corpus", "--documents", "2", "--out", str(tmp_path / "c")]) == 0
    assert "2 documents" in capsys.readouterr().out
