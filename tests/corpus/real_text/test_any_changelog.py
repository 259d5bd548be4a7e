"""Whatever changelogs say, no question has another answer than the text; nothing is a traceback."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from latentcomp.corpus.outside import debian_changelog, git_notes, sotu, tz_news
from latentcomp.corpus.real_text.ask import ask
from latentcomp.corpus.real_text.check import check
from latentcomp.corpus.real_text.stretch import cut_source

VERSIONS = st.sampled_from(
    ["1.0-1", "1.0-2", "1.0-1.1", "1.0", "1:1.0-1", "2.0~rc1-1", "20100105-1", "10", "2.0-1+b1"]
)
MAKERS = st.sampled_from(["Ada", "Ada Stone", "Stone", "A. (B) Oak", "1.0-1"])
WORK = st.sampled_from(
    [
        "Closes: #12345",
        "closes: 12345",
        "LP: #123456",
        "Bug#12345 and bug 777777",
        "CVE-2010-12345",
        "CVE-2010-1234",
        "not CVE-2010-1234-x",
        "see #12345-old",
        "back to 1.0-1",
        "Sat, 01 Jan 2010",
        "mill (1.0-1) unstable; urgency=low",
        "-- Ada <a@b>  Sat, 02 Jan 2010 00:00:00 +0000",
        "#1234567",
        "Oil the axle.",
        "x" * 300,
    ]
)
ENTRIES = st.lists(
    st.tuples(
        VERSIONS,
        st.sampled_from(["low", "medium", "HIGH"]),
        st.lists(WORK, min_size=1, max_size=4),
        MAKERS,
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=8,
)


def rendered(entries):
    day, texts = date(2010, 1, 1), []
    for version, urgency, work, maker, later in entries:
        day += timedelta(days=later)
        bullets = "\n".join(f"  * {line}" for line in work)
        texts.append(
            f"mill ({version}) unstable; urgency={urgency}\n\n{bullets}\n\n"
            f" -- {maker} <a@b.org>  {day:%a, %d %b %Y} 10:00:00 +0000\n"
        )
    return "\n".join(reversed(texts))


@settings(max_examples=60, deadline=None)
@given(ENTRIES)
def test_generator_and_reader_agree_on_any_changelog(entries):
    for source in debian_changelog.parse("mill", rendered(entries)).sources:
        for stretch in cut_source(source, 200, 2000):
            document = ask("d", stretch, debian_changelog.NOTES)
            assert check(document, "debian-changelog") == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.text(), WORK, VERSIONS.map("Release {} - 2010-01-01 1".format))))
def test_no_text_makes_a_traceback(lines):
    text = "\n".join(lines)
    for parse in (debian_changelog.parse, tz_news.parse, git_notes.parse):
        for source in parse("1799-Stone-1.txt", text).sources:
            assert all(one.text for one in cut_source(source, 200, 2000))
    assert sotu.parse("1799-Stone-1.txt", text).undated <= 1
