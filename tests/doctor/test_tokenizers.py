"""Assumption 2: tokenizers that agree, that lack each other's tokens, and that cut differently."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from latentcomp.doctor.settings import Settings
from latentcomp.doctor.tokenizers import Vocabulary, check_tokenizers, compare, judge

SHARED = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
THINKING = ("<tool_response>", "</tool_response>", "<think>", "</think>")
TEXT = "On day 3, Ana Bel moved to Corvo. The code of the blue box is 4711; it was 0815 before."


def tokenizer(added=(), special=SHARED, text=TEXT):
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([text] * 20, trainer)
    made.add_special_tokens([AddedToken(token, special=True) for token in special])
    made.add_tokens([AddedToken(token, normalized=False) for token in added])
    return made


def save(made, folder, **roles):
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(roles))
    return str(folder)


def named(made, name="a", **roles):
    return Vocabulary(name, made, roles)


@pytest.fixture
def check(tmp_path):
    def run(first, second, **changes):
        folders = (save(first, tmp_path / "first"), save(second, tmp_path / "second"))
        return check_tokenizers(Settings(tokenizers=folders, **changes))

    return run


def test_they_agree(check):
    finding = check(tokenizer(THINKING), tokenizer(THINKING))
    assert finding.status == "ok"
    assert finding.details["differing_tokens"] == [] and finding.details["texts"] > 30


def test_the_tokens_that_one_lacks_are_listed(check):
    """As Qwen3 and Qwen2.5 differ: the same vocabulary, four tokens that only one has."""
    finding = check(tokenizer(THINKING), tokenizer())
    assert finding.status == "failed"
    listed = finding.details["differing_tokens"]
    assert [one["token"] for one in listed] == list(THINKING)
    first = tokenizer(THINKING).token_to_id("<tool_response>")
    assert listed[0]["ids"] == [first, None]
    assert all(token in finding.observed for token in THINKING)
    assert finding.details["differing_texts"] == []
    assert "all other text is cut alike" in (finding.next_step or "")


def test_a_corpus_that_holds_such_a_token(check, tmp_path):
    corpus = tmp_path / "mine.jsonl"
    corpus.write_text(json.dumps({"document_id": "a", "chunks": [{"text": "so <think> so"}]}))
    finding = check(tokenizer(THINKING), tokenizer(), corpus=corpus)
    assert finding.details["differing_texts"] == ["so <think> so"]
    assert "never the teacher's token ids" in (finding.next_step or "")


def test_special_tokens_in_another_order(check):
    finding = check(tokenizer(), tokenizer(special=tuple(reversed(SHARED))))
    assert finding.status == "failed"
    assert {one["token"] for one in finding.details["differing_tokens"]} == {SHARED[0], SHARED[2]}
    assert all(one["special"] for one in finding.details["differing_tokens"])


def test_other_merges(check):
    finding = check(tokenizer(), tokenizer(text="Zwölf Boxkämpfer jagen Viktor quer über Sylt."))
    assert finding.status == "failed"
    assert finding.details["differing_texts"]


def test_roles_are_told_and_not_judged():
    first = named(tokenizer(), eos_token="<|im_end|>")
    second = named(tokenizer(), eos_token="<|endoftext|>")
    comparison = compare(first, second, [TEXT])
    assert comparison.roles == {"eos_token": ("<|im_end|>", "<|endoftext|>")}
    assert judge(first, second, comparison).status == "ok"


def test_not_on_this_machine(tmp_path):
    here = save(tokenizer(), tmp_path / "here")
    finding = check_tokenizers(Settings(tokenizers=(here, "nobody/nowhere-7b")))
    assert finding.status == "unknown"
    assert finding.next_step is not None
    assert finding.next_step.startswith("`hf download nobody/nowhere-7b tokenizer.json")
    assert here not in finding.next_step


def test_a_folder_without_a_tokenizer(tmp_path):
    (tmp_path / "empty").mkdir()
    folders = (str(tmp_path / "empty"), "lab")
    assert check_tokenizers(Settings(tokenizers=folders)).status == "unknown"


def test_a_damaged_tokenizer(tmp_path):
    folder = save(tokenizer(), tmp_path / "here")
    (tmp_path / "here" / "tokenizer.json").write_text("{")
    finding = check_tokenizers(Settings(tokenizers=(folder, "lab")))
    assert finding.status == "failed" and "cannot be used" in finding.observed


def test_the_lab_models_agree():
    assert check_tokenizers(Settings(tokenizers=("lab", "lab-student"))).status == "ok"


SAME = named(tokenizer(THINKING))
LACKING = named(tokenizer())


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_any_text_agrees_with_itself_and_differs_only_at_a_missing_token(text):
    assert compare(SAME, SAME, [text]).agree
    holds = any(token in text for token in THINKING)
    assert bool(compare(SAME, LACKING, [text]).differing_texts) is holds
    assert compare(SAME, LACKING, [f"{text}<think>"]).differing_texts


@settings(max_examples=20, deadline=None)
@given(st.text(), st.text())
def test_order_does_not_matter(a, b):
    there, back = (compare(*pair, [a, b]) for pair in ((SAME, LACKING), (LACKING, SAME)))
    assert there.differing_texts == back.differing_texts
    assert [(one.token, one.first) for one in there.tokens] == [
        (one.token, one.second) for one in back.tokens
    ]
