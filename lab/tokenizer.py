"""The lab tokenizer: byte-level BPE with merges constructed in three layers.

1. Every syllable of the open vocabulary is one token, so that an unseen name is spelled from
   the same pieces as a seen one. (BPE learned from counts cuts `Mahu` now as Ma-hu, now as
   M-ah-u; a teacher then has to learn every cut, and did worse on names.)
2. Every word of the templates is one token.
3. Everything else falls back to bytes, and digits always stand alone.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ..corpus.chronicle4.chronicle import chronicles
from ..corpus.chronicle4.strings import SYLLABLES
from .architecture import END_ID, VOCABULARY

END_TOKEN: Final = "<|endoftext|>"
SPACE: Final = "\u0120"
"""How byte-level BPE writes a leading space."""
DOCUMENTS: Final = 1000
LEAST_COUNT: Final = 12
"""A word that is in this many of the texts belongs to the templates: a name never is."""

Merge = tuple[str, str]


def build_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """The tokenizer; `seed` picks the documents in which template words are counted."""
    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    merges = _syllable_merges()
    for word in _template_words(split, seed):
        merges = _fold(merges, word)
    vocabulary = [END_TOKEN, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    vocabulary += dict.fromkeys("".join(merge) for merge in merges)
    assert len(vocabulary) <= VOCABULARY, f"{len(vocabulary)} tokens, room for {VOCABULARY}"
    tokenizer = Tokenizer(
        models.BPE(vocab={token: number for number, token in enumerate(vocabulary)}, merges=merges)
    )
    tokenizer.add_special_tokens([END_TOKEN])
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=END_TOKEN,
        eos_token=END_TOKEN,
        pad_token=END_TOKEN,
        clean_up_tokenization_spaces=False,
    )
    assert fast.convert_tokens_to_ids(END_TOKEN) == END_ID
    return fast


def _syllable_merges() -> list[Merge]:
    plain = [(syllable[0], syllable[1]) for syllable in SYLLABLES]
    spaced = [(SPACE, syllable) for syllable in SYLLABLES]
    initials = [(SPACE, onset) for onset in sorted({syllable[0].upper() for syllable in SYLLABLES})]
    capital = [(SPACE + syllable[0].upper(), syllable[1]) for syllable in SYLLABLES]
    return plain + spaced + initials + capital


def _template_words(split: pre_tokenizers.PreTokenizer, seed: int) -> list[str]:
    counts: Counter[str] = Counter()
    for text in _texts(seed):
        counts.update({piece for piece, _ in split.pre_tokenize_str(text) if len(piece) > 1})
    return sorted(word for word, count in counts.items() if count >= LEAST_COUNT)


def _fold(merges: list[Merge], word: str) -> list[Merge]:
    """Add the merges that join the pieces of `word` from the left, where any are missing."""
    pieces = _apply(merges, word)
    added: list[Merge] = []
    while len(pieces) > 1:
        added.append((pieces[0], pieces[1]))
        pieces = [pieces[0] + pieces[1], *pieces[2:]]
    return merges + added


def _apply(merges: list[Merge], word: str) -> list[str]:
    """BPE by definition: always the earliest merge that applies, wherever it applies."""
    rank = {merge: position for position, merge in enumerate(merges)}
    pieces = list(word)
    while len(pieces) > 1:
        pairs = list(zip(pieces, pieces[1:], strict=False))
        at = min(range(len(pairs)), key=lambda i: rank.get(pairs[i], len(rank)))
        if pairs[at] not in rank:
            break
        pieces[at : at + 2] = ["".join(pairs[at])]
    return pieces


def _texts(seed: int) -> Iterator[str]:
    for each in chronicles("lab", "train", DOCUMENTS, seed):
        document = each.dated_document()
        questions = [f"\nQuestion: {q.text}\nAnswer: {q.answer}" for q in document.questions]
        parts = ["Notes: ", document.text, "\nSummary in 96 tokens: ", document.summary or ""]
        yield "".join(parts + questions)


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write `tokenizer.json` and its configuration into a checkpoint folder."""
    tokenizer.save_pretrained(str(folder))
