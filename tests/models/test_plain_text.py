"""The tokens of a document spell that document, whatever tokenizer a model comes with."""

import json
import shutil

import numpy as np
import pytest
from tokenizers import normalizers

from latentcomp.common.errors import CorpusError, TeacherError
from latentcomp.corpus.records import Chunk, Document, Question
from latentcomp.models.loading import load_text_side
from latentcomp.models.tokens import tokenize_document
from latentcomp.reasoner.likelihood import encode_choice
from latentcomp.reasoner.packing import encode_questions
from latentcomp.tools.tiny_checkpoint import byte_tokenizer, save_tiny
from latentcomp.tools.tiny_models import MODELS

TEXT = "On day 3,  Ana Bel moved to\n\tCorvo. na\u00efve \u4f60\u597d"
CONTROL = "<|im_end|>"


def document(text=TEXT):
    return Document("d", (Chunk(0, text),))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    model = next(model for model in MODELS if model.name == "llama")
    return save_tiny(model, tmp_path_factory.mktemp("saved") / "llama")


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "llama")


def change(file, **fields):
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def spelled(folder, text=TEXT):
    side = load_text_side(str(folder))
    ids = np.asarray(tokenize_document(side, document(text)).token_ids)[1:].tolist()
    return side.tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=False)


@pytest.mark.parametrize("named", ["LlamaTokenizerFast", "LlamaTokenizer", "CodeLlamaTokenizer"])
@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma"])
def test_the_tokenizer_is_that_of_the_file(folder, kind, named):
    """DeepSeek-R1-Distill-Llama: a byte-level file under a model type with another tokenizer."""
    change(folder / "config.json", model_type=kind)
    change(folder / "tokenizer_config.json", tokenizer_class=named)
    assert spelled(folder) == TEXT
    raw = byte_tokenizer().backend_tokenizer.encode(TEXT, add_special_tokens=False).ids
    assert load_text_side(str(folder)).encode(TEXT) == raw


def test_a_file_that_cuts_text_short_does_not(folder):
    tokenizer = byte_tokenizer().backend_tokenizer
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=200)
    tokenizer.save(str(folder / "tokenizer.json"))
    assert spelled(folder) == TEXT


def lowercase(tokenizer):
    tokenizer.normalizer = normalizers.Lowercase()


def strip_accents(tokenizer):
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])


def drop_spaces(tokenizer):
    tokenizer.normalizer = normalizers.Replace(" ", "")


@pytest.mark.parametrize(
    ("damage", "shown"),
    [(lowercase, "'On day"), (strip_accents, "naive"), (drop_spaces, "'Onday3")],
)
def test_a_tokenizer_that_changes_the_text_is_refused(folder, damage, shown):
    tokenizer = byte_tokenizer().backend_tokenizer
    damage(tokenizer)
    tokenizer.save(str(folder / "tokenizer.json"))
    with pytest.raises(CorpusError, match="does not keep its text") as caught:
        tokenize_document(load_text_side(str(folder)), document())
    assert shown in str(caught.value) and "\n" not in str(caught.value)


def test_canonically_equal_is_equal(folder):
    tokenizer = byte_tokenizer().backend_tokenizer
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.save(str(folder / "tokenizer.json"))
    assert spelled(folder, "cafe\u0301") == "caf\u00e9"


def with_control(folder):
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": [CONTROL]})
    tokenizer.save_pretrained(folder)
    side = load_text_side(str(folder))
    return side, side.tokenizer.convert_tokens_to_ids(CONTROL)


def test_what_spells_a_control_token_is_text(folder):
    side, control = with_control(folder)
    text = f"a {CONTROL} b<|endoftext|>"
    entry = tokenize_document(side, document(text))
    head, *ids = np.asarray(entry.token_ids).tolist()
    assert head == side.eos_token_id, "the head of the prompt may mean it"
    assert control not in ids and side.eos_token_id not in ids
    assert side.tokenizer.decode(ids) == text
    assert np.asarray(entry.chunk_of_token).tolist() == [0] * (len(ids) + 1)


def test_text_without_control_tokens_is_cut_as_ever(folder):
    side, _ = with_control(folder)
    assert side.encode_after_head(TEXT) == side.encode(side.prompt.head + TEXT)
    assert side.encode_question(TEXT) == side.encode(side.prompt.ask(TEXT))


def test_questions_and_answers_are_text_too(folder):
    side, control = with_control(folder)
    question = Question("q", "fact", f"What is {CONTROL}?", f"an {CONTROL}")
    (packed,) = encode_questions(side, [question])
    choice = encode_choice(side, question, [question.answer])
    for ids in (packed.prompt_ids, packed.answer_ids, choice.prompt_ids, choice.answers[0]):
        assert control not in ids
    assert packed.prompt_ids == choice.prompt_ids == tuple(side.encode_question(question.text))
    assert packed.answer_ids == choice.answers[0]
    assert side.tokenizer.decode(list(packed.prompt_ids)) == side.prompt.ask(question.text)


def test_another_use_of_the_tokenizer_still_knows_control_tokens(folder):
    side, control = with_control(folder)
    tokenize_document(side, document(CONTROL))
    assert side.encode(CONTROL) == [control]
    assert side.tokenizer.backend_tokenizer.encode(CONTROL).ids == [control]


def test_a_token_without_a_row_is_refused(folder):
    side, control = with_control(folder)
    change(folder / "config.json", vocab_size=max(side.encode(" moved")))
    few = load_text_side(str(folder))
    with pytest.raises(TeacherError, match="its embeddings have") as caught:
        tokenize_document(few, document("a b moved"))
    assert "document 'd'" in str(caught.value)
    tokenize_document(few, document("abc")), "tokens that no document has do no harm"


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({"max_position_embeddings": 77}, 77),
        ({"model_type": "bloom", "seq_length": 99}, 99),
        ({"model_type": "bloom"}, 1 << 20),
        ({"model_type": "mpt", "max_seq_len": 55}, 55),
        ({"model_type": "gpt2", "n_positions": 33}, 33),
        ({"model_type": "mamba"}, 1 << 20),
    ],
)
def test_how_much_a_model_reads(folder, fields, tokens):
    config = {"vocab_size": 320, "hidden_size": 32, "num_hidden_layers": 2, "n_head": 2}
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", **config, **fields}))
    assert load_text_side(str(folder)).context_tokens == tokens
