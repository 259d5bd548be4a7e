"""Zarr readers that are not installed with the package, where they are there."""

import numpy as np
import pytest
import torch

from latentcomp.store.format.dtypes import DTYPES

from . import samples


@pytest.mark.parametrize("codec", ["raw", "zstd", "split-zstd"])
def test_tensorstore_reads_the_states(tmp_path, codec):
    tensorstore = pytest.importorskip("tensorstore")
    samples.write(tmp_path / "store", made=samples.manifest(codec=codec))
    spec = {
        "driver": "zarr3",
        "kvstore": {"driver": "file", "path": str(tmp_path / "store/states")},
    }
    found = np.asarray(tensorstore.open(spec).result()[...].read().result())
    states = [samples.states(i, n) for i, n in enumerate(samples.LENGTHS)]
    assert np.array_equal(found, DTYPES["bfloat16"].to_bits(torch.cat(states)))
