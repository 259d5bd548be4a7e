"""The plan's arithmetic by hand, the measured rate, and the files of a run's record."""

import io
import time
from contextlib import nullcontext

import pytest
import torch
from rich.console import Console

from latentcomp.common.errors import CorpusError, StoreError, UsageError
from latentcomp.common.provenance import collect
from latentcomp.corpus import source
from latentcomp.corpus.files import read_corpus, write_corpus
from latentcomp.corpus.source import GeneratedCorpus, choose_corpus, run_corpus
from latentcomp.extract.batches import plan_windows
from latentcomp.extract.plan import check_space, make_plan, render_plan, show_seconds
from latentcomp.extract.rate import measure_rate
from latentcomp.extract.record import (
    ExtractionRecord,
    ExtractionSettings,
    Session,
    check_settings,
    read_extraction_record,
    write_extraction_record,
)
from latentcomp.store.format.schema import LayerRecord, Manifest, ModelIdentity

MANIFEST = Manifest(
    teacher=ModelIdentity(
        name="big",
        revision=None,
        architecture="Qwen3MoeForCausalLM",
        blocks=48,
        hidden_size=2048,
        weights_sha256="0",
        tokenizer_sha256="0",
    ),
    layers=tuple(LayerRecord(blocks_completed=n, post_norm=False) for n in (19, 31, 43)),
    dtype="bfloat16",
    corpus_sha256="0",
    code_version="0",
)


def plan_of(lengths, pending, rate=None, batch_tokens=100):
    windows = tuple(plan_windows(lengths, batch_tokens))
    return make_plan(MANIFEST, lengths, windows, frozenset(pending), rate)


def test_numbers():
    plan = plan_of([60, 50, 40, 100], range(4), rate=25.0)
    assert plan.bytes_per_token == 12_288  # 3 layers x 2,048 x 2 bytes
    assert (plan.documents, plan.tokens) == (4, 250)
    assert plan.gigabytes == pytest.approx(250 * 12_288 / 1e9)
    # Sorted by length into batches of 100: [40, 50] -> 100 computed, [60], [100].
    assert plan.computed_tokens_left == 100 + 60 + 100
    assert plan.seconds_left == pytest.approx(260 / 25)


def test_what_is_left():
    plan = plan_of([60, 50, 40, 100], [1], rate=25.0)
    assert (plan.documents_left, plan.tokens_left) == (1, 50)
    assert plan.computed_tokens_left == 100  # its neighbour of 40 is read again with it
    assert plan.gigabytes_left == pytest.approx(50 * 12_288 / 1e9)


def rendered(plan, path):
    text = io.StringIO()
    console = Console(width=100, file=text)
    console.print(render_plan(plan, path))
    return text.getvalue()


def test_rendered(tmp_path):
    text = rendered(plan_of([1_000_000] * 3, [2], rate=2000.0), tmp_path)
    for fact in (
        "big (48 blocks x 2048)",
        "after 19 blocks, after 31 blocks, after 43 blocks; kept as bfloat16",
        "1 left of 3",
        "1,000,000 left of 3,000,000",
        "12.288 GB left of 36.864 GB",
        "8 min at 2,000 tokens/s",
    ):
        assert fact in text
    assert "no rate was measured" in rendered(plan_of([5], [0]), tmp_path)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2.0 h")]
)
def test_durations(seconds, text):
    assert show_seconds(seconds) == text


def test_space_is_looked_up_where_the_store_will_be(tmp_path):
    check_space(plan_of([10], [0]), tmp_path / "not" / "yet" / "there")
    with pytest.raises(StoreError, match=r"needs [0-9.]+ GB more"):
        check_space(plan_of([10**15], [0]), tmp_path / "not" / "yet" / "there")


class SteadyTeacher:
    """Takes a fixed time for every document."""

    identity = MANIFEST.teacher

    def __init__(self, seconds):
        self.seconds = seconds
        self.batches = []

    def states(self, documents, layers):
        self.batches.append(len(documents))
        time.sleep(self.seconds * len(documents))
        return [torch.zeros(len(document), len(layers), 2048) for document in documents]


def test_a_slow_teacher_is_measured_on_little():
    teacher = SteadyTeacher(0.3)
    rate = measure_rate(teacher, [[1] * 30] * 50, MANIFEST.layers)
    assert teacher.batches == [1, 1, 2]
    assert rate == pytest.approx(100, rel=0.2)


def test_a_fast_teacher_is_measured_on_the_whole_batch():
    teacher = SteadyTeacher(0.0001)
    measure_rate(teacher, [[1] * 30] * 6, MANIFEST.layers)
    assert teacher.batches == [1, 1, 2, 4, 6]


SETTINGS = ExtractionSettings(batch_tokens=8192, compute_dtype="float32", device="cpu")


def test_record_round_trip(tmp_path):
    assert read_extraction_record(tmp_path) is None
    session = Session(provenance=collect({}, {}), documents=3, computed_tokens=99)
    record = ExtractionRecord(settings=SETTINGS).started(session).started(session)
    record = record.finished(session, 2.5)
    write_extraction_record(tmp_path, record)
    assert read_extraction_record(tmp_path) == record
    assert [session.seconds for session in record.sessions] == [None, 2.5]


@pytest.mark.parametrize("content", ["", "{", "{}", '{"settings": {}, "more": 1}'])
def test_a_damaged_record_is_refused(tmp_path, content):
    (tmp_path / "extract.json").write_text(content)
    with pytest.raises(StoreError, match=r"extract\.json cannot be read"):
        read_extraction_record(tmp_path)


def test_settings_must_stay(tmp_path):
    check_settings(SETTINGS, SETTINGS, tmp_path)
    changed = SETTINGS.model_copy(update={"device": "cuda"})
    with pytest.raises(StoreError, match="--device cpu, not cuda; give --device cpu"):
        check_settings(SETTINGS, changed, tmp_path)


def test_choosing_a_corpus(tmp_path):
    assert choose_corpus(None, seed=3) == GeneratedCorpus(seed=3)
    assert choose_corpus(tmp_path) == tmp_path
    with pytest.raises(UsageError, match="--split test is for generated documents"):
        choose_corpus(tmp_path, split="test")


def test_the_runs_corpus(tmp_path):
    folder = tmp_path / "corpus"
    wanted = GeneratedCorpus(documents=3, seed=9)
    unwritten = run_corpus(wanted, folder, write=False)
    assert not folder.exists()
    written = run_corpus(wanted, folder, write=True)
    assert written.sha256 == unwritten.sha256 == read_corpus(folder).sha256
    assert {"preset": "lab", "split": "train", "documents": 3, "seed": 9}.items() <= (
        written.meta.items()
    )
    assert run_corpus(GeneratedCorpus(), folder, write=True).sha256 == written.sha256
    assert run_corpus(folder, tmp_path / "copy", write=True).sha256 == written.sha256
    with pytest.raises(CorpusError, match="seed 9, not 4; leave --seed out"):
        run_corpus(GeneratedCorpus(seed=4), folder, write=True)


@pytest.mark.parametrize(("theirs", "same"), [(9, True), (4, False)])
def test_another_process_writes_the_runs_corpus_first(tmp_path, monkeypatch, theirs, same):
    """While this one still makes it: the folder is theirs, and must hold the same."""
    folder, make = tmp_path / "corpus", source.generate_corpus

    def make_slowly(wanted):
        corpus = make(wanted)
        other = make(GeneratedCorpus(documents=3, seed=theirs))
        write_corpus(folder, other.documents, {"by": "the other"})
        return corpus

    monkeypatch.setattr(source, "generate_corpus", make_slowly)
    wanted = GeneratedCorpus(documents=3, seed=9)
    refused = nullcontext() if same else pytest.raises(CorpusError, match="holds another corpus")
    with refused:
        assert run_corpus(wanted, folder, write=True).sha256 == make(wanted).sha256
    assert read_corpus(folder).meta == {"by": "the other"}
