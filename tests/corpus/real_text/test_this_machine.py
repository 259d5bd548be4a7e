"""The texts that lie on the machine that runs this: every question of every document is right."""

import pytest

from latentcomp.common.errors import CorpusError
from latentcomp.corpus.outside.formats import text_format
from latentcomp.corpus.real_text.kinds import usual_place
from latentcomp.corpus.real_text.make import Wanted, make
from latentcomp.corpus.real_text.separate import SPLITS


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tz-news", "debian-changelog", "git-notes"])
@pytest.mark.parametrize("characters", [None, (300, 900), (4500, 18000)])
def test_the_reader_refuses_nothing_and_splits_share_no_entry(name, characters):
    kind = text_format(name)
    assert kind is not None
    try:
        path = usual_place(name, kind)
        made = {
            split: make(name, kind, path, Wanted(split, characters, keep_unasked=True))
            for split in SPLITS
        }
    except CorpusError as error:
        pytest.skip(str(error))
    assert [one.refused for one in made.values()] == [0, 0, 0]
    texts = [
        {chunk.text for document in one.documents for chunk in document.chunks}
        for one in made.values()
    ]
    heads = [{text for text in own if len(text) > 200} for own in texts]
    shared = (heads[0] & heads[1]) | (heads[0] & heads[2]) | (heads[1] & heads[2])
    assert len(shared) < 0.002 * sum(map(len, heads))
