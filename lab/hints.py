"""What half-way blocks are to know: whom a question leads to, and what every sentence comes to.

Answers alone teach two hops slowly. Neither hop pays before the other is there, and a teacher that
answers `relation` in its last blocks has none left for the second hop (docs/LOG.md). A hint asks
for a hop early. It is a target for half-way blocks only: no input shows it, and no answer is read
there. Row 0 of H = 2 is for the earlier depth, row 1 for the later one.
"""

from collections.abc import Iterator

from ..corpus.chronicle4.chronicle import Told
from ..corpus.chronicle4.queries import ANSWERS, Query, person_of
from ..corpus.records import CHUNK_SEPARATOR


def question_hints(story: Told, query: Query) -> tuple[str, str]:
    """Whom a question leads to after its first hop and after its last; empty where to no person.

    What one person is to another turns on which of the two has the role: that one comes first.
    """
    first = last = ""
    if query.kind in ("value", "is_value") and query.hops:
        first = _end(story, Query("", query.person, query.hops[:1]))
        last = _end(story, query)
    elif query.kind == "what_to":
        first = _agent(story, query)
    elif query.kind in ("holder_trade", "longest_value"):
        kind = "holder" if query.kind == "holder_trade" else "longest"
        whose = Query(kind, attribute=query.attribute, value=query.value)
        finding = ANSWERS[kind](story.view, whose)
        last = finding.answer if finding else ""
    return first, last


def _end(story: Told, query: Query) -> str:
    who = person_of(story.view, query)
    return who[0] if who else ""


def _agent(story: Told, query: Query) -> str:
    pair = {query.person, query.other}
    return next((tie.agent for tie in story.view.ties if {tie.agent, tie.patient} == pair), "")


def sentence_hints(story: Told, dated: bool) -> Iterator[tuple[int, tuple[str, str]]]:
    """Where each sentence ends in the text, whom it is about and what that comes to.

    What it comes to is the value that the person has from then on, whether it is written there or
    not (`swapped`, `got what was wished for`), and the other one where a sentence states a role.

    Args:
        story: read up to some chunk.
        dated: whether the text is the one with every day written in.

    Yields:
        the character behind a sentence, and two words, empty where there is none.
    """
    world = story.asker.world
    acts = {act.number: act for act in world.acts}
    values = {
        (setting.act, item[0]): setting.value
        for item, history in world.histories.items()
        for setting in history
    }
    spans = story.prose.spans(dated=dated)
    start = 0
    for chunk, text in enumerate(story.prose.texts(dated=dated)[: story.upto + 1]):
        for sentence in story.prose.sentences[chunk]:
            act = acts[sentence.act]
            last = act.other if act.kind == "role" else values.get((act.number, act.person), "")
            yield start + spans[act.number][2], (act.person, last)
        start += len(text) + len(CHUNK_SEPARATOR)
