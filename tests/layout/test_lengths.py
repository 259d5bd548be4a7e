"""How long files and functions may be."""

from pathlib import Path

from latentcomp.tools import layout

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE, LONGEST_FUNCTION = 300, 60
LONGER = {
    "benchmarks/backends.py": 322,
    "benchmarks/bench_store.py": 344,
    "benchmarks/extract_vllm.py": 311,
}
"""Files and functions that are longer, and their limits instead. Only to be shortened."""


def too_long(lengths, limit, longer):
    """What is above the limit, or above what it is allowed instead."""
    return {one for one in lengths if one.lines > longer.get(one.name, limit)}


def lengths():
    files = [*layout.modules(ROOT).values(), *sorted((ROOT / "benchmarks").glob("*.py"))]
    return [
        (LONGEST_FILE, layout.file_lengths(ROOT, files)),
        (LONGEST_FUNCTION, layout.function_lengths(ROOT, files)),
    ]


def test_files_and_functions_stay_small_enough_to_read():
    assert [too_long(measured, limit, LONGER) for limit, measured in lengths()] == [set(), set()]


def test_exceptions_for_long_ones_are_needed():
    long = {one.name for limit, measured in lengths() for one in measured if one.lines > limit}
    assert set(LONGER) - long == set(), "short enough or gone: take it out of LONGER"


def test_the_length_guards_count_lines(tmp_path):
    body = "\n".join(["def long(", "    one,", "):", '    """Text."""', *["    one = 1"] * 9])
    (tmp_path / "one.py").write_text(f"class A:\n    pass\n\n{body}\n")
    (file,) = layout.file_lengths(tmp_path, [tmp_path / "one.py"])
    (function,) = layout.function_lengths(tmp_path, [tmp_path / "one.py"])
    assert (file.name, file.lines) == ("one.py", 16)
    assert (function.name, function.lines) == ("one.py:long", 13)
    assert too_long([file], 15, {}) == {file}
    assert too_long([file], 16, {}) == too_long([file], 15, {"one.py": 16}) == set()
    assert too_long([function], 12, {}) == {function}
