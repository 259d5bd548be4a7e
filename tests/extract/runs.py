"""The command line of the extractions that several test modules share."""

DOCUMENTS = 24
SEED = 5


def options(teacher, run, **changes):
    """A command line that makes several shards of several batches."""
    chosen = {
        "teacher": teacher,
        "run": run,
        "layers": "-2,-4",
        "documents": DOCUMENTS,
        "seed": SEED,
        "batch-tokens": 3000,
        "tokens-per-second": 1000,
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return ["extract", *(str(x) for name, value in chosen.items() for x in (f"--{name}", value))]
