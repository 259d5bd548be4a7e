"""Hints: whom a question leads to, whom a sentence is about and what that comes to.

What is right comes from the independent solver, which reads the text.
"""

import random
from collections import Counter

import numpy as np
import pytest

from latentcomp.corpus.chronicle4.asking import owner_words
from latentcomp.corpus.chronicle4.findings import _follow
from latentcomp.corpus.chronicle4.ledger import keep
from latentcomp.corpus.chronicle4.lexicon import BY_KEY, ROLE_NOUNS, being
from latentcomp.corpus.chronicle4.reading import ROLES, read
from latentcomp.corpus.chronicle4.solver_words import ROLE_NOUNS as ROLE_OF_NOUN
from latentcomp.corpus.chronicle4.solving import readings, solve
from latentcomp.lab.curriculum import SYLLABI
from latentcomp.lab.hints import question_hints, sentence_hints
from latentcomp.lab.lessons import HEAD, SequenceWriter
from latentcomp.lab.sequences import FROM_MARK, NO_HINT
from latentcomp.models.segments import CONTEXT

from .conftest import LENGTH


def read_up_to_now(story, dated=False):
    """(texts, days) of the chunks that are read."""
    chunks = slice(story.upto + 1)
    return story.prose.texts(dated=dated)[chunks], story.asker.world.days[chunks]


def sentences_by_the_solver(story, dated):
    """End of every sentence with somebody in it -> (kind, (who, what that comes to))."""
    texts, days = read_up_to_now(story, dated)
    _, statements = read(texts)
    ledger = keep(days, statements)
    comes_to = {
        (entry.said[0], person): entry.value
        for (person, _), history in ledger.entries.items()
        for entry in history
    }
    starts = np.cumsum([0, *(len(text) + 1 for text in texts)])
    return {
        int(starts[it.place.chunk]) + it.place.end: (
            it.kind,
            (it.who, it.other if it.kind in ROLES else comes_to.get((it.place, it.who), "")),
        )
        for it in statements
        if it.who
    }


@pytest.mark.parametrize("dated", [False, True])
def test_a_sentence_names_who_it_is_about_and_what_that_comes_to(stories, dated):
    kinds: Counter[str] = Counter()
    for story in stories:
        wanted = sentences_by_the_solver(story, dated)
        given = {end: words for end, words in sentence_hints(story, dated) if any(words)}
        assert given == {end: words for end, (_, words) in wanted.items()}
        for kind, words in wanted.values():
            kinds[kind] += bool(words[1])
    # In none of these the value is written; of a role the patient counts.
    for kind in ("swap", "takeover", "granted", "share", *ROLES):
        assert kinds[kind], kind
    for kind in ("wish", "refused", "untrue", "line_swap", "front", "trade"):
        assert not kinds[kind], f"{kind}: nothing comes of it"


def first_token(tokenizer, word):
    """Of a name or value after a space, which digits have as a token of its own."""
    ids = tokenizer.encode(f" {word}", add_special_tokens=False)
    return ids[1] if tokenizer.decode(ids[:1]) == " " else ids[0]


def test_a_hint_of_a_sentence_stands_on_the_token_that_ends_it(rows, tokenizer):
    """And is the first token of the name or value, one row each."""
    counted = 0
    for row in rows:
        (places,) = np.nonzero(row.arrays["segment"] == CONTEXT)
        hints = row.arrays["hint"][:, places]
        if row.notes:
            assert (hints == NO_HINT).all(), "notes have no sentences"
            continue
        coded = tokenizer.backend_tokenizer.encode(HEAD + row.text, add_special_tokens=False)
        assert coded.ids == row.arrays["ids"][places].tolist()
        at = {end - len(HEAD): number for number, (_, end) in enumerate(coded.offsets)}
        wanted = np.full_like(hints, NO_HINT)
        for end, (_, words) in sentences_by_the_solver(row.story, row.dated).items():
            assert row.text[end - 1] == "."
            for depth, word in enumerate(words):
                if word:
                    wanted[depth, at[end]] = first_token(tokenizer, word)
        assert np.array_equal(hints, wanted)
        counted += int((wanted != NO_HINT).sum())
    assert counted > 1000


def by_the_solver(document, query):
    """Whom a question leads to after its first hop and after its last, by the text's readings."""
    ledger = document.as_written
    if query.kind in ("value", "is_value") and query.hops:
        words = (owner_words(query.person, query.hops[:n]) for n in (1, len(query.hops)))
        (first,), (last,) = ([person for person, _ in _follow(ledger, w)] for w in words)
        return first, last
    if query.kind == "what_to":
        pair = {query.person, query.other}
        (agent,) = (a for _, a, patient, _ in ledger.ties if {a, patient} == pair)
        return agent, ""
    if query.kind in ("holder_trade", "longest_value"):
        attribute = BY_KEY[query.attribute]
        noun = attribute.asked[0]
        asks = f"Who has had the present {noun} the longest?"
        if query.kind == "holder_trade":
            asks = f"Whose {noun} is {being(attribute.form, query.value)}?"
        (person,) = solve(document, asks).as_written.answers
        return "", person
    return "", ""


def test_a_question_names_whom_it_leads_to(stories):
    kinds: Counter[tuple[str, int]] = Counter()
    for number, story in enumerate(stories):
        document = readings(*read_up_to_now(story))
        for draft in story.drafts(random.Random(number), 6):
            wanted = by_the_solver(document, draft.query)
            assert question_hints(story, draft.query) == wanted, draft.text
            kinds[draft.query.kind, len(draft.query.hops)] += any(wanted)
    hinted = {kind for kind, count in kinds.items() if count}
    assert {("value", 1), ("value", 2), ("is_value", 1), ("what_to", 0)} <= hinted
    assert {("holder_trade", 0), ("longest_value", 0)} <= hinted
    assert {kind for kind, _ in hinted} == {
        *("value", "is_value", "what_to", "holder_trade", "longest_value")
    }


def test_what_one_is_to_another_turns_on_who_has_the_role(stories):
    """Either of the two may be asked about: the hint is the same, the answer is not."""
    sides: Counter[bool] = Counter()
    for number, story in enumerate(stories):
        for draft in story.drafts(random.Random(number), 6):
            if draft.query.kind == "what_to":
                assert draft.finding.answer in ROLE_NOUNS
                _, side = ROLE_OF_NOUN[draft.finding.answer]
                first, _ = question_hints(story, draft.query)
                assert (first == draft.query.person) == (side == "agent")
                sides[side == "agent"] += 1
    assert min(sides[True], sides[False]) > 5


def test_hints_of_a_question_stand_on_the_last_tokens_of_its_prompt(rows, tokenizer, decode):
    counted = 0
    for row in rows:
        segment, hint = row.arrays["segment"], row.arrays["hint"]
        for number in range(1, int(segment.max()) + 1):
            (places,) = np.nonzero(segment == number)
            if not (row.arrays["family"][places] >= 0).any():
                assert (hint[:, places] == NO_HINT).all(), "a summary has none"
                continue
            prompt = places[row.arrays["weight"][places] == 0]
            assert decode(row.arrays["ids"][prompt[-FROM_MARK:]]) == "?\nAnswer:"
            text = decode(row.arrays["ids"][prompt]).removeprefix("\nQuestion: ")
            query = row.drafts[text.removesuffix("\nAnswer:")].query
            for depth, name in enumerate(question_hints(row.story, query)):
                wanted = tokenizer.encode(f" {name}", add_special_tokens=False) if name else []
                here = hint[depth, places]
                on_mark = here[len(prompt) - FROM_MARK : len(prompt)]
                assert on_mark[: len(wanted)].tolist() == wanted
                assert (here == NO_HINT).sum() == len(here) - len(wanted)
                counted += len(wanted)
    assert counted > 200


def test_no_input_shows_a_hint_and_a_syllabus_without_hints_has_none(write, tokenizer, stories):
    unaided = SequenceWriter(tokenizer, SYLLABI["no-hints"])
    for number, story in enumerate(stories[:10]):
        one, other = (w(story, random.Random(number), LENGTH) for w in (write, unaided))
        assert all(np.array_equal(one[key], other[key]) for key in one if key != "hint")
        assert (other["hint"] == NO_HINT).all()
        assert (one["hint"] != NO_HINT).any()
