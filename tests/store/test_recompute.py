"""`verify --recompute`: what was stored is what the teacher says, or it is named."""

import functools

import pytest
import torch

from latentcomp import cli
from latentcomp.commands.store_verify import RecomputeRequest, recompute
from latentcomp.common.errors import StoreError, UsageError
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.models.loading import load_causal_lm
from latentcomp.store.format.schema import DocumentEntry, LayerRecord, Manifest
from latentcomp.store.write.writer import StoreWriter

from ..extract import tiny_models

BLOCKS = (2, 4)
LENGTHS = (5, 21, 40, 12)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("teachers")
    return [tiny_models.save(tiny_models.tiny_qwen3(6, seed=s), root / f"{s}") for s in (0, 1)]


@pytest.fixture(scope="module")
def lm(folders):
    return load_causal_lm(str(folders[0]))


def layer(blocks, post_norm=False):
    return LayerRecord(blocks_completed=blocks, post_norm=post_norm)


def documents():
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(3, 300, (n,), generator=generator) for n in LENGTHS]


def write(path, lm, *, codec="raw", read=None, spoil=lambda index, states: states, at=BLOCKS):
    """A store of what `lm` reads in a padded batch; `read` may be other layers than it says."""
    layers = tuple(layer(b, post_norm=b == 6) for b in at)
    ids = [document.tolist() for document in documents()]
    states = TransformersTeacher(lm).states(ids, read or layers)
    made = Manifest(
        teacher=lm.identity,
        layers=layers,
        dtype="bfloat16",
        codec=codec,
        chunk_tokens=16,
        shard_tokens=32,
        corpus_sha256="c" * 64,
        code_version="1",
    )
    entries = [DocumentEntry(f"d{i}", one, [0] * len(one), (None,)) for i, one in enumerate(ids)]
    with StoreWriter(path, made, entries) as writer:
        for index in writer.pending():
            writer.write(index, spoil(index, states[index].clone()))
    return path


def check(path, folder, count=4, **changes):
    return recompute(RecomputeRequest(path, count, teacher=str(folder), **changes))


@pytest.mark.parametrize("codec", ["raw", "int8"])
def test_what_the_teacher_says_passes(tmp_path, folders, lm, codec):
    report = check(write(tmp_path / "store", lm, codec=codec), folders[0])
    assert report.problems == ()
    assert report.documents == len(LENGTHS) and report.tokens == sum(LENGTHS)
    assert len(report.compared) == len(LENGTHS) * len(BLOCKS)
    assert 0.99 < report.exact <= 1


def test_the_draw_is_random_and_seeded(tmp_path, folders, lm):
    path = write(tmp_path / "store", lm)
    drawn = functools.partial(check, path, folders[0], count=1)
    names = [drawn(seed=seed).compared[0].document_id for seed in range(8)]
    assert len(set(names)) > 1
    assert names == [drawn(seed=seed).compared[0].document_id for seed in range(8)]


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_layer_off_by_one_is_named_with_the_layer_that_it_is(tmp_path, folders, lm, shift):
    wrong = [layer(2), layer(4 + shift)]
    report = check(write(tmp_path / "store", lm, read=wrong), folders[0])
    assert len(report.problems) == len(LENGTHS)
    for problem in report.problems:
        assert "layer after 4 blocks" in problem
        assert f"looks like the layer after {4 + shift} blocks" in problem


def test_a_missing_norm_is_noticed(tmp_path, folders, lm):
    good = write(tmp_path / "good", lm, at=(2, 6))
    assert check(good, folders[0]).problems == ()
    bad = write(tmp_path / "bad", lm, at=(2, 6), read=[layer(2), layer(6)])
    assert len(check(bad, folders[0]).problems) == len(LENGTHS)


def one_token(index, states):
    if index == 2:
        states[17, 1] *= 1.05
    return states


def swapped_tokens(index, states):
    return states.roll(1, 0) if index == 2 else states


def one_small_dimension(index, states):
    """Far below the outliers of its token, but wrong."""
    if index == 2:
        states[17, 1, states[17, 1].abs().argsort()[8]] += 0.1 * states[17, 1].abs().median()
    return states


@pytest.mark.parametrize("spoil", [one_token, swapped_tokens, one_small_dimension])
def test_what_differs_is_named_by_document_and_layer(tmp_path, folders, lm, spoil):
    report = check(write(tmp_path / "store", lm, spoil=spoil), folders[0])
    assert report.problems
    for problem in report.problems:
        assert problem.startswith("document 'd2', layer after")
    assert any("layer after 4 blocks" in problem for problem in report.problems)


def test_another_teacher_is_an_error(tmp_path, folders, lm):
    path = write(tmp_path / "store", lm)
    with pytest.raises(StoreError, match="weights_sha256"):
        check(path, folders[1])
    with pytest.raises(UsageError, match="say where it lies with --teacher"):
        recompute(RecomputeRequest(path, 1))


def test_the_command_says_what_it_did_or_what_is_wrong(tmp_path, folders, lm, capsys):
    write(tmp_path / "good" / "store", lm)
    arguments = ["--recompute", "3", "--teacher", str(folders[0])]
    assert cli.run(["store", "verify", "--run", str(tmp_path / "good"), *arguments]) == 0
    assert "recomputed 3 random documents (seed 0)" in capsys.readouterr().out
    write(tmp_path / "bad" / "store", lm, read=[layer(2), layer(5)])
    assert cli.run(["store", "verify", "--run", str(tmp_path / "bad"), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out.count("it looks like the layer after 5 blocks") == 3
    assert "3 differences from teacher" in printed.err and printed.err.count("\n") == 1
