"""The lab tokenizer: byte-level BPE with merges constructed in three layers; there is but one.

1. Every syllable of the open vocabulary is one token, so that an unseen name is spelled from
   the same pieces as a seen one. (BPE learned from counts cuts `Mahu` now as Ma-hu, now as
   M-ah-u; a teacher then has to learn every cut, and did worse on names.)
2. Every word of the templates is one token after a space. A plural is its noun and an s, and the
   few words that begin a line are spelled: they stand there always alike, as names do not.
3. Everything else falls back to bytes, and digits always stand alone.

The words come from the generator's tables. (Counted in documents, as they were for generator 3,
they depend on the documents: two seeds gave half of all tokens another id, and the second stage
of a training another language than the first.)
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ..corpus.chronicle4 import asking, frames, lexicon
from ..corpus.chronicle4.strings import SYLLABLES
from .architecture import END_ID, VOCABULARY

END_TOKEN: Final = "<|endoftext|>"
SPACE: Final = "\u0120"
"""How byte-level BPE writes a leading space."""
SLOT: Final = "_"
"""Mark in place of a name, a value or a noun; no template has it."""

_SYLLABIC: Final = re.compile(rf"{SPACE}?(?:{'|'.join(SYLLABLES)})+", re.IGNORECASE)

Merge = tuple[str, str]


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer of every lab model that is trained from nothing."""
    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    merges = _syllable_merges()
    for word in _template_words(split):
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
    first = [(syllable[0].upper(), syllable[1]) for syllable in SYLLABLES]  # of a line
    return plain + spaced + initials + capital + first


def _template_words(split: pre_tokenizers.PreTokenizer) -> list[str]:
    words: dict[str, None] = {}
    for text in _template_texts():
        words |= dict.fromkeys(piece for piece, _ in split.pre_tokenize_str(text))
    return sorted(word for word in words if len(word) > 1 and SLOT not in word)


def _fold(merges: list[Merge], word: str) -> list[Merge]:
    """Add the merges that join the pieces of `word`, where any are missing.

    Two syllables are joined last: a token of `resi` from `residence` would be one of names too.
    """
    pieces = _apply(merges, word)
    added: list[Merge] = []
    while len(pieces) > 1:
        pairs = enumerate(zip(pieces, pieces[1:], strict=False))
        at = next((i for i, pair in pairs if not all(map(_SYLLABIC.fullmatch, pair))), 0)
        added.append((pieces[at], pieces[at + 1]))
        pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
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


def _template_texts() -> Iterator[str]:
    """Every text of the generator's tables after a space, and the words around the documents."""
    sentences = [text for kind in frames.FRAMES.values() for text in kind]
    sentences += [text for role in lexicon.ROLES for text in role.said]
    sentences += [*frames.LEADS, *lexicon.FILLERS]
    phrases = [text for kind in asking.WORDS.values() for text in kind]
    phrases += [word for pair in asking.QUESTION_WORDS.values() for word in pair]
    phrases += [*asking.SAME.values(), *asking.LINE_NOUNS]
    phrases += [noun for a in lexicon.ATTRIBUTES for noun in (*a.said, *a.asked)]
    phrases += [*lexicon.TRADES, *lexicon.ROLE_NOUNS, *lexicon.COLOURS, *lexicon.PLACES_IN_LINE]
    phrases += ["a an in is was has had have first on day front back yes no of and", "Is Was"]
    begun = [*lexicon.SMALL_NUMBERS, "the", "she", "he", "her", "his"]
    for text in (*sentences, *phrases, *begun, "days ago", "days later"):
        yield " " + re.sub(r"{\w+}", SLOT, text)
    for text in (*sentences, *begun):
        bare = re.sub(r"{\w+}", SLOT, text)
        yield " " + bare[:1].upper() + bare[1:]
    yield from ("Day", "Notes:", "\nSummary in 96 tokens:", "\nQuestion:", "\nAnswer:", "A's")


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write `tokenizer.json` and its configuration into a checkpoint folder."""
    tokenizer.save_pretrained(str(folder))
