"""The templates of a report's pages, and what all of them know."""

from pathlib import Path

import jinja2

from ..evaluate.numbers import figure, human, span


def environment(*, escape: bool) -> jinja2.Environment:
    """Templates beside this file, with filters for figures.

    Args:
        escape: whether the pages are HTML.
    """
    # Read by path and not by package name: a checkout is imported under more than one name.
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"figure": figure, "span": span, "human": human}
    return made
