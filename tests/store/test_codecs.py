"""The table of codec presets: complete, documented, and cheap to list."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import latentcomp.store
from latentcomp.store.format.codecs import CODECS, CodecName, RowForm
from latentcomp.store.format.encoding import ROW_FORMS


def test_the_names_of_presets_and_row_forms_are_the_keys_of_their_tables():
    assert get_args(CodecName) == tuple(CODECS)
    assert get_args(RowForm) == tuple(ROW_FORMS)


def test_the_format_lists_every_preset():
    text = (Path(latentcomp.store.__file__).parent / "FORMAT.md").read_text(encoding="utf-8")
    _, table = text.split("| preset | codec between", 1)
    rows = re.findall(r"^   \| `([\w-]+)` \|", table, re.MULTILINE)
    assert rows == list(CODECS)


def test_the_command_line_lists_presets_without_heavy_imports():
    code = (
        "import sys, latentcomp.commands.extract, latentcomp.commands.store\n"
        "print(*sorted({'numpy', 'numcodecs', 'torch', 'pyarrow', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
