"""Thin command line (filled below)."""


def main() -> None:
    """Entry point."""
