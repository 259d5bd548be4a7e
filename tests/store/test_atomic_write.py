"""Files are written in blocks, whatever their parts are and however much one write takes."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latentcomp.common import atomic

FIXTURE = [HealthCheck.function_scoped_fixture]  # every example writes the file anew
SIZES = st.lists(st.sampled_from([0, 1, 4, 64, 4096, 4100, 9000]), max_size=40)


@given(
    sizes=SIZES, block=st.sampled_from([1024, 4096]), most=st.sampled_from([None, 1, 1000, 5000])
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_bytes_are_those_of_the_parts(
    tmp_path: Path, sizes: list[int], block: int, most: int | None
) -> None:
    parts = [os.urandom(size) for size in sizes]
    whole = os.writev
    offsets: list[int] = []

    def writev(descriptor: int, buffers: Sequence[memoryview]) -> int:
        offsets.append(os.lseek(descriptor, 0, os.SEEK_CUR))
        if most is None:
            return whole(descriptor, buffers)
        return os.write(descriptor, b"".join(buffers)[:most])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic, "_BLOCK", block)
        patch.setattr(os, "writev", writev)
        atomic.write_parts(tmp_path / "file", parts)
    assert (tmp_path / "file").read_bytes() == b"".join(parts)
    if most is None:
        assert all(offset % block == 0 for offset in offsets)
