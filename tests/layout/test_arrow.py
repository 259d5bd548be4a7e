"""Arrow is given its own buffers, never files of Python.

On a busy machine a process that ends soon after pyarrow 26.0.1 has read an `io.BytesIO` may end
with SIGABRT, as a thread of Arrow's is still there (docs/LOG-engineering.md).
"""

import re
from pathlib import Path

import pytest

from latentcomp.tools import layout

ROOT = Path(__file__).resolve().parents[2]
READS_ARROW = re.compile(r"^import pyarrow|^from pyarrow", re.MULTILINE)
PYTHONS_FILE = re.compile(r"\bBytesIO\b")


def bad(text):
    """Whether a module that uses pyarrow has a file of Python's in memory."""
    return bool(READS_ARROW.search(text) and PYTHONS_FILE.search(text))


def test_no_module_gives_arrow_a_file_of_pythons():
    files = layout.modules(ROOT).values()
    assert [str(file.relative_to(ROOT)) for file in files if bad(file.read_text())] == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("import io\nimport pyarrow.parquet as pq\npq.ParquetFile(io.BytesIO(data))\n", True),
        ("import pyarrow as pa\npa.BufferReader(data)\n", False),
        ("import io\nio.BytesIO(data)\n", False),
    ],
)
def test_the_guard_sees_it(text, wrong):
    assert bad(text) is wrong
