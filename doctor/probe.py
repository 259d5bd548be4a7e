"""Test texts that expose differences between tokenizers."""

from pathlib import Path
from typing import Final

from ..corpus.files import read_corpus
from ..corpus.generators import LAB_GENERATOR, generator

# What tokenizers disagree about: white space, digits, case, accents, scripts, emoji, code.
TRICKY: Final = (
    "",
    " ",
    "\n\n\n",
    "a  b   c\td\r\ne",
    "   leading and trailing   ",
    "1 12 123 1234 12345 0007 3.14159 1,000,000 1e-9",
    "can't won't I'LL THEY'RE d'être",
    "CamelCase snake_case kebab-case ALLCAPS mIxEd",
    "na\u00efve caf\u00e9 e\u0301 \u00df \u0130 \ufb01",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002 \u3053\u3093\u306b\u3061\u306f \uc548\ub155",
    "\u041f\u0440\u0438\u0432\u0435\u0442 \u03b3\u03b5\u03b9\u03ac",
    "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \u0928\u092e\u0938\u094d\u0924\u0947",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1f5\U0001f1f9",
    "\u2192 \u221e \u20ac",
    "\u00a0\u2003\u200b\ufeff|",
    "def f(x):\n    return x ** 2  # square\n\nif __name__ == '__main__':\n\tprint(f(3))",
    '{"key": [1, 2.5, null, true], "nested": {"a": "b\\n"}}',
    "https://example.org/path?q=1&r=%20#top user@example.org",
    "<html><body class='x'>&amp;</body></html>",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "Day 17. Ana Bel moved to room 4711; the code of the blue box was 0815 before.",
)

_GENERATED = 20
"""Chronicles of each size that is tried; they are what the experiment reads."""


def probe_texts(corpus: Path | None) -> tuple[str, ...]:
    """The built-in texts, some chronicles, and every document of a corpus if one is named.

    Raises:
        CorpusError: the corpus cannot be read.
    """
    generate = generator(LAB_GENERATOR).generate
    chronicles = [one.text for one in generate("lab", "train", _GENERATED, 0)]
    own = [one.text for one in read_corpus(corpus).documents] if corpus is not None else []
    return (*TRICKY, *chronicles, *own)
