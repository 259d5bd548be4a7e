"""Where a trial gets its batches from: the run's store, or new documents with the teacher."""

from dataclasses import dataclass
from typing import Final

import torch
from accelerate import Accelerator
from torch import Tensor

from ..common.errors import StoreError
from ..common.threads import cores
from ..corpus.files import read_corpus
from ..corpus.generators import generator
from ..experiment.run_folder import RunFolder
from ..extract.teachers.transformers_teacher import TransformersTeacher
from ..models.layers import EMBEDDINGS
from ..models.loading import CausalLM, TextSide
from ..reasoner.selftest import check_reader
from ..store.format.schema import LayerRecord
from ..store.read.reader import FeatureStore
from ..store.read.resident import load_resident
from ..train.batches import Batches
from ..train.embedded import Embed, add_embeddings
from ..train.live_batches import LiveBatches, LiveSettings
from ..train.loader import LoadedBatches, as_it_is, workers_for
from ..train.recipe import Recipe
from ..train.resident import add_resident
from ..train.store_batches import StoreBatches
from .fitting import check_positions, shortest_and_longest
from .live_examples import LiveExamples
from .readable import tell_unread

LIVE_LENGTHS: Final = (448, 640)
"""Padded lengths of lab documents: each is compiled once."""
LIVE_QUESTIONS: Final = 2
"""Questions of each family about a live document."""
LIVE_WORKERS: Final = 15
"""Processes that make live documents, at most."""
LIVE_SEED: Final = 10_000
"""Far from the seeds that people give, so that live documents are not those of a store."""


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How batches are loaded, which decides nothing of what is in them."""

    resident: bool = False
    """Whether the states of the store are kept on the device, where they must fit."""
    workers: int | None = None
    """Processes that make batches from the store, 0 for a thread; None: as fits the machine."""


def store_batches(
    run: RunFolder,
    store: FeatureStore,
    reasoner: CausalLM,
    layers: tuple[LayerRecord, ...],
    accelerator: Accelerator,
    recipe: Recipe,
    seed: int,
    settings: BatchSettings,
) -> Batches:
    """Batches from the run's store; embeddings that it does not hold are the reasoner's.

    Raises:
        StoreError: the store was made from another corpus, or no question fits.
        TeacherError, CorpusError: the reasoner cannot read these documents as vectors, or not with
            a question behind them.
    """
    corpus = read_corpus(run.corpus)
    if corpus.sha256 != store.manifest.corpus_sha256:
        raise StoreError(
            f"{run.path}: the store was made from another corpus ({corpus.sha256[:12]}... in "
            f"corpus/, {store.manifest.corpus_sha256[:12]}... in store/); extract into "
            "another --run"
        )
    check_positions(recipe, reasoner, store, corpus.documents)
    check_reader(reasoner, shortest_and_longest(store, corpus.documents))
    tell_unread(reasoner, corpus.documents, accelerator.process_index)
    embedded = EMBEDDINGS in layers and EMBEDDINGS.blocks_completed not in store.layers
    blocks = [layer.blocks_completed for layer in layers if not (embedded and layer == EMBEDDINGS)]
    resident = None
    if settings.resident and blocks:
        resident = load_resident(store, blocks, accelerator.device)
    batches = StoreBatches(
        store,
        corpus.documents,
        reasoner,
        () if resident else blocks,
        batch_size=recipe.data.batch_size,
        question_tokens=recipe.data.question_tokens,
        seed=seed,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
        split=corpus.meta.get("split"),
    )
    workers = settings.workers
    if workers is None:
        workers = workers_for(accelerator.device, batches.batch_bytes)
    finish = add_resident(resident, batches) if resident else as_it_is
    if embedded:
        finish = add_embeddings(_embeddings_of(reasoner), finish)
    return LoadedBatches(batches, workers, accelerator.device, finish)


def _embeddings_of(teacher: CausalLM) -> Embed:
    """What the first block reads: some models scale their table, so it is not looked up here."""
    reader = TransformersTeacher(teacher)
    return lambda ids_BT: reader.read_padded(ids_BT, (EMBEDDINGS,))[:, :, 0]


def live_batches(
    reader: CausalLM,
    reasoner: CausalLM,
    layers: tuple[LayerRecord, ...],
    accelerator: Accelerator,
    recipe: Recipe,
    seed: int,
    first_step: int,
    version: int,
) -> Batches:
    """New documents of the split `train` of a generator in every step, read by the teacher."""
    sides = (
        TextSide(
            one.tokenizer,
            one.identity,
            one.prompt,
            one.context_tokens,
            vocabulary=one.vocabulary,
        )
        for one in (reader, reasoner)
    )
    corpus = generator(version).live(
        "lab", "train", LIVE_SEED + seed, LIVE_QUESTIONS, training=True
    )
    teacher = TransformersTeacher(reader)

    def read_states(token_ids_BT: Tensor) -> Tensor:
        with accelerator.autocast():
            return teacher.read_padded(token_ids_BT.to(reasoner.device), layers).to(torch.bfloat16)

    settings = LiveSettings(
        batch_size=recipe.data.batch_size,
        question_tokens=recipe.data.question_tokens,
        seed=seed,
        lengths=LIVE_LENGTHS,
        generator=version,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
        workers=max(1, min(LIVE_WORKERS, cores() - 1)) if accelerator.device.type == "cuda" else 0,
    )
    # The first documents take its processes half a minute: they are made beside the self-test.
    batches = LiveBatches(LiveExamples(corpus, *sides), read_states, settings, first_step)
    try:
        check_reader(reasoner, [corpus.document(index) for index in range(2)])
    except BaseException:
        batches.close()
        raise
    return batches
