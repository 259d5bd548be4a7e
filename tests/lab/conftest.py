"""Stories of generator 4, and sequences written from them: made once a session."""

import random
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from latentcomp.corpus.chronicle4.chronicle import Draft, Told, tell
from latentcomp.corpus.chronicle4.presets import preset
from latentcomp.lab.curriculum import SYLLABI
from latentcomp.lab.lessons import SequenceWriter
from latentcomp.lab.tokenizer import build_tokenizer
from latentcomp.models.segments import CONTEXT

SEED = 23
LENGTH = 1200
"""Tokens of the sequences: most questions fit."""


@dataclass(frozen=True)
class Row:
    """A sequence with what it was written from."""

    story: Told
    drafts: dict[str, Draft]
    """Questions that could be asked, by text."""
    arrays: dict[str, Any]
    text: str
    """Of the context, without the head."""

    @property
    def notes(self) -> bool:
        """Whether notes stand for the document."""
        return self.text.startswith("Notes: ")

    @property
    def dated(self) -> bool:
        """Whether every day is written in; a text that ships with all of them is both."""
        return self.text == self.story.text(dated=True)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """So small are these tensors that more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tokenizer():
    """The one of models that are trained from nothing."""
    return build_tokenizer()


@pytest.fixture(scope="session")
def decode(tokenizer):
    """Token ids -> text, special tokens included."""
    return lambda ids: tokenizer.decode(list(map(int, ids)))


@pytest.fixture(scope="session")
def stories():
    """Stories of the training split, read up to some chunk."""
    told = [tell(preset("lab"), "train", SEED, index) for index in range(60)]
    rng = random.Random(SEED)
    return [replace(story, upto=rng.randint(1, story.upto)) for story in told]


@pytest.fixture(scope="session")
def write(tokenizer):
    """Writes sequences with hints."""
    return SequenceWriter(tokenizer, SYLLABI["hints"])


@pytest.fixture(scope="session")
def rows(write, decode, stories):
    """Two sequences of every story; all kinds of context are among them."""
    made = []
    for number, story in enumerate(stories * 2):
        drafts = story.drafts(random.Random(number), SYLLABI["hints"].per_family)
        arrays = write(story, random.Random(number), LENGTH)
        text = decode(arrays["ids"][arrays["segment"] == CONTEXT][1:])
        made.append(Row(story, {draft.text: draft for draft in drafts}, arrays, text))
    return made
