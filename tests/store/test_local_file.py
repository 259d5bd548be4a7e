"""Memory for what the page cache holds, and for nothing else."""

import ctypes
import mmap
import os
import time

import numpy as np
import pytest

from latentcomp.store.places.local_file import LocalFile

CHUNK, CHUNKS = 256 * 1024, 16
ENDS = [range(CHUNK, CHUNK * CHUNKS + 1, CHUNK)]
LAST, FIRST = [range(CHUNK * CHUNKS, CHUNK * CHUNKS + 1)], [range(CHUNK, CHUNK + 1)]


@pytest.fixture
def content():
    return np.random.default_rng(0).integers(0, 256, CHUNK * CHUNKS, dtype=np.uint8)


@pytest.fixture
def path(tmp_path, content):
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(content.tobytes())
        file.flush()
        os.fdatasync(file.fileno())  # only what is on the disk can be let go (fsync is faked here)
    return path


def cached(path):
    """The file, if this file system says what is in memory."""
    path.read_bytes()
    file = LocalFile(path)
    if file.memory(ENDS) is None:
        pytest.skip("this file system does not say what the page cache holds")
    return file


def evict(path):
    """Pages that another core is about to list stay for now, so ask again. Whether they are gone
    is asked in a way that does not bring them back, as a read that will not wait does."""
    pages = np.empty(-(-path.stat().st_size // mmap.PAGESIZE), np.uint8)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        address = ctypes.c_void_p(np.frombuffer(mapped, np.uint8).ctypes.data)
        for _ in range(100):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            ctypes.CDLL(None).mincore(
                address, ctypes.c_size_t(len(mapped)), ctypes.c_void_p(pages.ctypes.data)
            )
            if not (pages & 1).any():
                return
            time.sleep(0.05)
    pytest.skip("this file system keeps files in memory")


def test_what_was_read_is_memory(path, content):
    memory = cached(path).memory(ENDS)
    assert memory is not None
    assert np.array_equal(memory, content)
    assert not memory.flags.writeable


def test_what_was_read_in_part_is_not(path):
    """The last chunk alone: the end of the stretch is there, what lies before it is not."""
    evict(path)
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)  # no reading ahead
        file.seek(CHUNK * (CHUNKS - 1))
        file.read(CHUNK)
    file = LocalFile(path)
    assert file.memory(LAST) is not None
    assert file.memory(ENDS) is None


def test_a_file_that_became_shorter_is_not(path):
    file = cached(path)
    os.truncate(path, CHUNK)
    assert file.memory(ENDS) is None
    assert file.memory(FIRST) is not None
