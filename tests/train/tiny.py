"""A world small enough for tests: thin Qwen3 models with the lab tokenizer, short chronicles."""

import functools
import hashlib
import json
from pathlib import Path
from random import Random
from typing import Any

import torch
from accelerate import Accelerator
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from latentcomp import __version__
from latentcomp.compressor.config import ADDED, ModelConfig
from latentcomp.compressor.model import ModelSpec
from latentcomp.corpus.chronicle.generator import Chronicle, chronicle
from latentcomp.corpus.chronicle.presets import preset
from latentcomp.corpus.files import read_corpus, write_corpus
from latentcomp.corpus.records import Document
from latentcomp.experiment.phases import phase
from latentcomp.extract.teachers.transformers_teacher import TransformersTeacher
from latentcomp.lab.lessons import HEAD, QUESTION, SUMMARY
from latentcomp.models.describe import describe_document, with_states
from latentcomp.models.files import LAB_FOLDERS
from latentcomp.models.loading import CausalLM, PromptTemplate, load_causal_lm
from latentcomp.models.tokens import tokenize_document
from latentcomp.reasoner.frozen import FrozenReasoner
from latentcomp.reasoner.packing import encode_questions
from latentcomp.store.format.schema import LayerRecord, Manifest, ModelIdentity
from latentcomp.store.read.reader import FeatureStore
from latentcomp.store.write.writer import StoreWriter
from latentcomp.train.batches import Batch, Example, collate
from latentcomp.train.live_batches import LiveBatches, LiveSettings
from latentcomp.train.loader import LoadedBatches
from latentcomp.train.recipe import Recipe
from latentcomp.train.record import Start, TrialRecord
from latentcomp.train.run import Run
from latentcomp.train.store_batches import StoreBatches

HIDDEN = 16
STORED = tuple(LayerRecord(blocks_completed=b, post_norm=False) for b in (1, 3))
"""Layers that tests read where it does not matter which."""
PLAIN = {f"model.{name}": ModelConfig.model_fields[name].default for name in ADDED}
"""What recipes were before the settings that came later: latents of equal segments, no more."""
RECIPE = phase(4).recipe.changed(PLAIN)
LAB = LAB_FOLDERS["lab3"]
"""Its tokenizer reads the chronicles of version 3, of which the documents here are."""
PROMPT = {"head": HEAD, "question": QUESTION, "summary": SUMMARY}


@functools.cache
def tokenizer():
    """The tokenizer of the lab teacher of generator 3."""
    return PreTrainedTokenizerFast.from_pretrained(LAB)


def qwen3(blocks: int, seed: int = 0, hidden: int = HIDDEN) -> Qwen3ForCausalLM:
    """Random weights, spread enough that every token matters to every answer."""
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=1024,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=blocks,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=2048,
        initializer_range=0.3,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=None,
    )
    model = Qwen3ForCausalLM(config)
    model.eval()
    return model


def save_model(folder: Path, blocks: int, seed: int = 0) -> Path:
    """A checkpoint folder as the lab models are saved."""
    qwen3(blocks, seed).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    (folder / "latentcomp.json").write_text(json.dumps({"prompt": PROMPT}))
    return folder


def lm(blocks: int, seed: int = 0, hidden: int = HIDDEN) -> CausalLM:
    """The same without a folder."""
    model = qwen3(blocks, seed, hidden)
    model.requires_grad_(False)
    identity = ModelIdentity(
        name=f"tiny-{blocks}",
        revision=None,
        architecture="Qwen3ForCausalLM",
        blocks=blocks,
        hidden_size=hidden,
        weights_sha256=hashlib.sha256(f"{blocks}/{seed}/{hidden}".encode()).hexdigest(),
        tokenizer_sha256="0" * 64,
    )
    return CausalLM(tokenizer(), identity, PromptTemplate(**PROMPT), 2048, model)


def story(index: int, chunks: int = 3, questions: int = 1, split: str = "train") -> Chronicle:
    """A chronicle of the lab world, shorter than the preset's."""
    size = preset("lab")
    return chronicle(size, split, 5, index, chunks=chunks, questions_per_family=questions)  # type: ignore[arg-type]


def documents(count: int, chunks: int = 3, split: str = "train") -> tuple[Document, ...]:
    """Documents of about fifty tokens a chunk."""
    return tuple(story(index, chunks, split=split).document for index in range(count))


def layers(*blocks_completed: int) -> tuple[LayerRecord, ...]:
    """Stored layers, none of them behind the final norm."""
    return tuple(LayerRecord(blocks_completed=b, post_norm=False) for b in blocks_completed)


def batch_of(model: CausalLM, given, stored=STORED, positions=200, length=None) -> Batch:
    """A batch of documents with the states of `model` and their questions."""
    features = [describe_document(model, document) for document in given]
    read = TransformersTeacher(model).states([f.token_ids.tolist() for f in features], stored)
    examples = [
        Example(with_states(one, states), encode_questions(model, document.questions))
        for one, states, document in zip(features, read, given, strict=True)
    ]
    return collate(examples, positions, Random(0), length)


def same_batch(one: Batch, other: Batch) -> bool:
    """Whether every tensor of two batches is equal, its dtype included."""
    pairs = list(zip(one.tensors(), other.tensors(), strict=True))
    return all(mine.dtype == theirs.dtype and torch.equal(mine, theirs) for mine, theirs in pairs)


def spec_of(model: CausalLM, number: int = 4, stored=STORED, **changes: Any) -> ModelSpec:
    """What a phase trains between `model` and itself, in equal segments but for `changes`."""
    config = phase(number).recipe.changed(PLAIN).model.model_copy(update=changes)
    rms = FrozenReasoner(model).embedding_rms()
    return ModelSpec.between(config, model.identity, stored, model.identity, rms)


def write_run(folder: Path, teacher: Path, given: tuple[Document, ...], stored) -> Path:
    """A run folder with `corpus/` and `store/`, as `latentcomp extract` leaves it."""
    model = load_causal_lm(str(teacher))
    corpus = write_corpus(folder / "corpus", given, {"source": "test"})
    entries = [tokenize_document(model, document) for document in given]
    manifest = Manifest(
        teacher=model.identity,
        layers=stored,
        dtype="bfloat16",
        corpus_sha256=corpus.sha256,
        code_version=__version__,
    )
    reader = TransformersTeacher(model)
    with StoreWriter(folder / "store", manifest, entries) as writer:
        for index in writer.pending():
            (states,) = reader.states([list(map(int, entries[index].token_ids))], stored)  # type: ignore[arg-type]
            writer.write(index, states.to(torch.bfloat16))
    return folder


def store_batches(run: Path, model: CausalLM, **changes: Any) -> StoreBatches:
    """Batches of a run folder."""
    store = FeatureStore(run / "store")
    options: dict[str, Any] = {
        "batch_size": 2,
        "question_tokens": 96,
        "seed": 0,
        "layers": store.layers,
    }
    corpus = read_corpus(run / "corpus")
    return StoreBatches(store, corpus.documents, model, **(options | changes))


def live_batches(
    model: CausalLM,
    first: int,
    seed: int = 0,
    rank: int = 0,
    world: int = 1,
    requests: list[tuple[int, int]] | None = None,
) -> LiveBatches:
    """Live batches of one document from step `first`; `requests` collects (first index, count)."""

    def examples(start: int, count: int) -> list[Example]:
        if requests is not None:
            requests.append((start, count))
        made = (story(index, chunks=2).document for index in range(start, start + count))
        return [
            Example(describe_document(model, one), encode_questions(model, one.questions))
            for one in made
        ]

    sizes: dict[str, Any] = {"batch_size": 1, "question_tokens": 64, "workers": 0}
    settings = LiveSettings(seed=seed, lengths=(224, 256), rank=rank, world=world, **sizes)
    return LiveBatches(examples, lambda ids: torch.ones(*ids.shape, 1, 4), settings, first)


def recipe(of: Recipe = RECIPE, **changes: Any) -> Recipe:
    """A short training of a recipe; `batch_size`, `lr` and the like say what is changed in it."""
    options: dict[str, Any] = {
        "steps": 5,
        "batch_size": 2,
        "question_tokens": 96,
        "lr": 1e-3,
        "warmup_steps": 1,
    }
    given = options | changes
    return of.changed({_FIELDS.get(name, name): value for name, value in given.items()})


_FIELDS = {
    "steps": "budget.steps",
    "seconds": "budget.seconds",
    "batch_size": "data.batch_size",
    "question_tokens": "data.question_tokens",
    **{
        name: f"optimiser.{name}"
        for name in (
            "kind", "lr", "matrix_lr", "warmup_steps", "decay_start", "final_lr_fraction",
            "weight_decay", "clip_norm",
        )
    },
}  # fmt: skip


def training_run(
    run: Path,
    teacher: Path,
    folder: Path,
    of: Recipe = RECIPE,
    *,
    seed: int = 0,
    save_every: int = 2,
    **changes: Any,
) -> Run:
    """A run of the loop alone: the store of `run`, its own teacher."""
    model = load_causal_lm(str(teacher))
    made = recipe(of, **changes)
    reasoner = FrozenReasoner(model)
    source = store_batches(run, model, batch_size=made.data.batch_size, seed=seed)
    batches = LoadedBatches(source, 0, torch.device("cpu"))
    stored = FeatureStore(run / "store").manifest.layers
    torch.manual_seed(seed)
    spec = ModelSpec.between(
        made.model, model.identity, stored, model.identity, reasoner.embedding_rms()
    )
    record = TrialRecord(
        recipe=made,
        seed=seed,
        data=dict(batches.describe()),
        start=Start(origin="fresh", seed=seed),
    )
    accelerator = Accelerator(cpu=True)
    return Run(record, spec.build(), reasoner, batches, folder, accelerator, save_every)
