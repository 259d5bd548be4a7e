"""The quantised preset: what is lost is bounded, measured and written down."""

import re

import numpy as np
import pytest
import torch
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from latentcomp.store.format.dtypes import DTYPES
from latentcomp.store.format.encoding import BLOCK, encoding_of
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.tools.info import describe
from latentcomp.store.tools.verify import verify
from latentcomp.store.write.writer import StoreWriter

from . import samples

HIDDEN = 100  # no multiple of the block: the last block is short
MADE = samples.manifest(codec="int8", teacher=samples.teacher(hidden_size=HIDDEN))


@given(
    exponents=st.lists(st.integers(-130, 120), min_size=3, max_size=3),
    dtype=st.sampled_from(["bfloat16", "float32"]),
    hidden=st.sampled_from([1, 63, 64, 65, 100]),
    seed=st.integers(0, 9),
)
@settings(deadline=None, max_examples=60)
def test_no_value_is_off_by_more_than_its_block_allows(exponents, dtype, hidden, seed):
    form = encoding_of(DTYPES[dtype], hidden, "int8")
    generator = torch.Generator().manual_seed(seed)
    exact = torch.randn(3, hidden, generator=generator) * 2.0 ** torch.tensor(exponents)[:, None]
    exact = exact.to(DTYPES[dtype].torch_dtype)
    rows = form.encode(DTYPES[dtype].to_bits(exact), 3)
    read = DTYPES[dtype].to_tensor(form.decode(rows)).double()
    assert torch.isfinite(read).all()
    for first in range(0, hidden, BLOCK):
        block, back = (x[:, first : first + BLOCK] for x in (exact.double(), read))
        largest = block.abs().amax(dim=1, keepdim=True)
        # half a step, the scale rounded up to 8 bits, and the rounding of the result to bfloat16
        allowed = largest / 127 * (0.5 + 0.01) + block.abs() / 256 + 2.0**-133
        assert ((block - back).abs() <= allowed).all()


def test_zeros_stay_zeros_and_missing_rows_are_nan():
    form = encoding_of(DTYPES["bfloat16"], HIDDEN, "int8")
    rows = form.encode(np.zeros((2, HIDDEN), "<u2"), 1)
    read = DTYPES["bfloat16"].to_tensor(form.decode(rows))
    assert (read[0] == 0).all()
    assert read[1].isnan().all()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("quantised") / "store"
    samples.write(path, made=MADE)
    return path


def test_the_store_says_what_it_lost(path):
    exact = [samples.states(i, n, MADE) for i, n in enumerate(samples.LENGTHS)]
    store = FeatureStore(path)
    read = [store.read(i).states for i in range(len(store))]
    for column, found in enumerate(store.statistics):
        a, b = (torch.cat(states)[:, column].double() for states in (exact, read))
        assert found.lost
        error = (a - b).norm() / b.norm()
        assert found.lost.relative_error == pytest.approx(error.item(), rel=1e-4)
        assert 0.003 < found.lost.relative_error < 0.015
        assert found.rms == pytest.approx(b.square().mean().sqrt().item(), rel=1e-5)
    assert "lost 0." in "\n".join(describe(path).lines())
    assert verify(path).ok


def test_plain_zarr_can_undo_it_from_the_attributes(path):
    array = zarr.open_array(str(path / "states"), mode="r")
    scheme = array.attrs["quantisation"]
    assert isinstance(scheme, dict)
    rows = np.asarray(array[...])
    split = int(scheme["scales_at"])
    scales = np.ascontiguousarray(rows[..., split:]).view("<u2").astype("<u4") << 16
    spread = np.repeat(scales.view("<f4"), int(scheme["block"]), axis=-1)[..., :split]
    values = rows[..., :split].view(np.int8) * spread
    read = torch.cat([FeatureStore(path).read(i).states for i in range(len(samples.LENGTHS))])
    assert torch.from_numpy(values).bfloat16().equal(read)


def test_a_quantised_store_grows_too(tmp_path):
    later = MADE.model_copy(update={"corpus_sha256": "d" * 64})
    samples.write(tmp_path / "at_once", made=later)
    samples.write(tmp_path / "grown", samples.LENGTHS[:5], MADE)
    with StoreWriter(
        tmp_path / "grown", later, samples.entries(samples.LENGTHS), extend=True
    ) as writer:
        assert writer.pending()[0] < 5  # what shares a shard with new tokens is extracted again
        for index in writer.pending():
            writer.write(index, samples.states(index, samples.LENGTHS[index], later))
    assert samples.contents(tmp_path / "grown") == samples.contents(tmp_path / "at_once")


def test_a_sink_spoils_no_other_token_and_no_figure(tmp_path, monkeypatch):
    """A first token with one huge number, as most pretrained models have it."""
    samples.write(tmp_path / "plain", made=MADE)
    plain = FeatureStore(tmp_path / "plain")
    usual = samples.states

    def with_sink(index, tokens, made=None):
        made_states = usual(index, tokens, made)
        made_states[0, :, 3] = 25_000
        return made_states

    monkeypatch.setattr(samples, "states", with_sink)
    samples.write(tmp_path / "sink", made=MADE)
    sink = FeatureStore(tmp_path / "sink")
    for index in range(len(samples.LENGTHS)):
        assert torch.equal(sink.read(index).states[1:], plain.read(index).states[1:])
    lines = "\n".join(describe(tmp_path / "sink").lines())
    sizes = [float(text) for text in re.findall(r"RMS [\d.e+]+ \(([\d.]+) without the 8", lines)]
    scale = [1.0, 5.0, 30.0]
    assert [size / true for size, true in zip(sizes, scale, strict=True)] == pytest.approx(
        [1.0] * 3, rel=0.3
    )
    assert "lost" in lines and "without outliers" not in lines
    assert "without the" not in "\n".join(describe(tmp_path / "plain").lines())
