"""Token embeddings as a source: layer 0 of the teacher, stored or not, beside others or alone."""

from dataclasses import replace

import pytest
import torch

from latentcomp.commands.batches import BatchSettings
from latentcomp.commands.batches import store_batches as batches_of
from latentcomp.compressor.model import compress
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.extract.read_documents import read_documents
from latentcomp.models.layers import EMBEDDINGS
from latentcomp.models.loading import load_causal_lm
from latentcomp.store.read.reader import FeatureStore
from latentcomp.train.embedded import add_embeddings
from latentcomp.train.loader import as_it_is

from . import slow, tiny

CPU = torch.device("cpu")


class OneProcess:
    """What `store_batches` asks of an accelerator."""

    device, process_index, num_processes = CPU, 0, 1


@pytest.fixture(scope="module")
def reader(teacher):
    return load_causal_lm(str(teacher))


def made(run, reader, layers, *, resident=False):
    store = FeatureStore(run / "store")
    settings = BatchSettings(resident=resident, workers=0)
    return batches_of(
        RunFolder(run), store, reader, layers, OneProcess(), tiny.recipe(), 0, settings
    )


@pytest.mark.parametrize("resident", [False, True])
@pytest.mark.parametrize("others", [(), tiny.layers(1, 3)])
def test_a_store_without_embeddings_gives_them_all_the_same(
    run_folder, teacher, reader, tmp_path_factory, others, resident
):
    """To the bit what a store that holds them gives."""
    layers = (EMBEDDINGS, *others)
    whole = tiny.write_run(
        tmp_path_factory.mktemp("whole"), teacher, tiny.documents(12),
        (EMBEDDINGS, *tiny.layers(1, 3)),
    )  # fmt: skip
    added = made(run_folder, reader, layers, resident=resident)
    stored = made(whole, reader, layers, resident=resident)
    for step in range(2):
        one, other = added.at(step), stored.at(step)
        assert one.states.h_BTLD.shape[2] == len(layers)
        assert tiny.same_batch(one, other)
    added.close(), stored.close()


def test_embeddings_are_rows_of_the_table_one_token_after_the_other(run_folder, reader):
    table = slow.rows(reader.model.get_input_embeddings().weight)
    batches = made(run_folder, reader, (EMBEDDINGS,))
    batch = batches.at(0)
    batches.close()
    for row in range(len(batch.token_ids_BT)):
        for token in range(batch.token_ids_BT.shape[1]):
            real = bool(batch.states.mask_BT[row, token])
            expected = table[int(batch.token_ids_BT[row, token])] if real else [0.0] * tiny.HIDDEN
            rounded = torch.tensor(expected).to(torch.bfloat16)
            assert torch.equal(batch.states.h_BTLD[row, token, 0], rounded), (row, token)


def test_an_evaluation_reads_the_same_embeddings(run_folder, reader):
    documents = tiny.documents(12)
    batches = made(run_folder, reader, (EMBEDDINGS,))
    batch, names = batches.at(0), batches.document_ids(0)
    batches.close()
    by_id = {one.document_id: one for one in documents}
    read = read_documents(reader, [by_id[name] for name in names], (EMBEDDINGS,), 2)
    for row, features in enumerate(read):
        count = len(features.token_ids)
        assert torch.equal(batch.states.h_BTLD[row, :count], features.states)


def test_other_layers_keep_their_place_and_nothing_is_added_to_padding(lm):
    batch = tiny.batch_of(lm, tiny.documents(2), length=320)
    embed = torch.nn.Embedding(1024, tiny.HIDDEN)
    both = add_embeddings(embed, as_it_is)(0, batch)
    assert torch.equal(both.states.h_BTLD[:, :, 1:], batch.states.h_BTLD)
    assert not both.states.h_BTLD.requires_grad
    assert not both.states.h_BTLD[~both.states.mask_BT].any()
    assert torch.equal(both.token_ids_BT, batch.token_ids_BT)


def test_embeddings_alone_need_no_block_of_the_teacher(lm, monkeypatch):
    """The control: is the teacher needed at all. No block of it runs."""
    for block in lm.model.model.layers:
        monkeypatch.setattr(block, "forward", lambda *_, **__: pytest.fail("a block ran"))
    batch = tiny.batch_of(lm, tiny.documents(2), (EMBEDDINGS,))
    model = tiny.spec_of(lm, stored=(EMBEDDINGS,)).build()
    assert [layer.blocks_completed for layer in model.spec.layers] == [0]
    z = compress(model, batch.states, 4.0).z_BKE
    h = batch.states.h_BTLD.clone()
    h[0, 5] *= -1
    other = compress(model, replace(batch.states, h_BTLD=h), 4.0).z_BKE
    assert (z[0] - other[0]).abs().max() > 1e-3 and torch.equal(z[1], other[1])
