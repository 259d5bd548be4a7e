"""`python -m latentcomp`, with or without an install (PYTHONPATH=.dev)."""

from .cli import main

if __name__ == "__main__":
    main()
