"""The command line of the extractions that several test modules share."""

DOCUMENTS = 24
SEED = 5
GENERATOR = 3
"""Where kills fall is counted in files: the documents are those of one version."""


def options(teacher, run, **changes):
    """A command line that makes three shards of several batches."""
    version = {} if "corpus" in changes else {"generator": GENERATOR}
    chosen = (
        version
        | {
            "teacher": teacher,
            "run": run,
            "layers": "-2,-4",
            "documents": DOCUMENTS,
            "seed": SEED,
            "batch-tokens": 3000,
            "tokens-per-second": 1000,
        }
        | {name.replace("_", "-"): value for name, value in changes.items()}
    )
    return ["extract", *(str(x) for name, value in chosen.items() for x in (f"--{name}", value))]
