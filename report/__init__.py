"""The story of a run on one page: HTML that needs no network, and a Markdown twin."""

from .write import write_report

__all__ = ["write_report"]
