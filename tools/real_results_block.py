"""What a compressor keeps of real text, as the README and its page quote it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from .real_arms_block import RESULTS as TRAININGS
from .real_arms_block import embeddings_clause
from .speeds import result_file

RESULTS: Final = "real_text.json"
ARMS: Final = {
    "compressed": "latents",
    "truncation": "its first tokens, as many as latents",
    "truncation_tail": "its last tokens, as many",
    "bm25": "chunks by words (BM25), as many tokens",
    "shuffled": "another document's latents",
    "zero": "latents of zeros",
    "gaussian": "random latents",
    "pooled_embeddings": "mean embeddings",
    "undated": "the text as it ships, without its days",
}
"""Arm -> what the reader has, in the order of the table."""


def real_sentence(results: Path) -> str:
    """Markdown of the one sentence on real text for the first screen of the README.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    record = result_file(results / RESULTS)
    kept = record["headline"]["frozen"]
    one = next(iter(record["continuation"].values()))
    return (
        f"**On real text** (SmolLM2-135M, quantised Q4_1, teacher and frozen reader; "
        f"{one['documents']} held-out changelogs, release notes and addresses, "
        f"{len(one['seeds'])} trainings) latents save "
        f"{_listed(kept, _share)} of the nats that the whole text saves on what follows it; the "
        f"text's first tokens, as many as there are latents, save "
        f"{_listed(record['continuation'], lambda one: _point(one, 'truncation'))}. "
        f"{_content(record, results)} "
        "[What this shows and what not](docs/real_model.md#what-it-keeps-of-real-text)."
    )


def _content(record: Mapping[str, Any], results: Path) -> str:
    """What is left without habit: of the same trainings, between ends that were trained too."""
    kept, usual = record["content"]["continuation"], record["continuation"]
    least = _ratios(kept)[0]
    without, whole = (usual[least]["nats"][arm] for arm in ("floor", "ceiling"))
    habit = (without - kept[least]["nats"]["floor"]) / (without - whole)
    saved = record["headline"]["frozen"][least]["ce_utilisation"]
    shares = _listed(kept, lambda one: _interval(one["utilisation"]["compressed"]))
    much = "Most" if habit > saved / 2 else "Part"
    return (
        f"**{much} of that is habit, not content**: a compressor that was trained on the states of "
        "*other* documents, and knows nothing of the one at hand, "
        f"saves {habit:.0%}. Between such a one and one latent for every token, all trained alike, "
        f"latents keep {shares} of the content; {embeddings_clause(results)}."
    )


def real_results_block(results: Path) -> str:
    """Markdown of every arm by ratio, over continuations and over all, and of every family.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    record = result_file(results / RESULTS)
    ends, every = record["continuation"], record["all"]
    for ratio, pieces in result_file(results / TRAININGS)["text"].items():
        for part, pooled in (("continuation", ends), ("all", every)):
            pooled[ratio]["utilisation"] = pieces[part] | pooled[ratio]["utilisation"]
    first = next(iter(ends.values()))
    count, steps = len(first["seeds"]), sorted(set(record["checkpoints"].values()))
    head = " | ".join(f"{ratio}x" for ratio in _ratios(ends))
    lines = [
        f"From `docs/results/{RESULTS}`: CE utilisation with 95 % intervals over documents and "
        f"{count} trainings ({' or '.join(f'{n:,}' for n in steps)} steps "
        f"of {record['training']['recipe']['data']['batch_size']} documents). Continuations: "
        f"{first['questions']:,} of as many documents; with questions: "
        f"{next(iter(every.values()))['questions']:,} answers. {_trained(record['training'])}",
        "",
        f"| continuations: what the reader has | {head} |",
        "|---|" + "---|" * len(ends),
        _between(record, "continuation"),
        *(_arm(ends, arm, label) for arm, label in ARMS.items()),
        "",
        f"| questions and continuations | {head} |",
        "|---|" + "---|" * len(ends),
        _between(record, "all"),
        *(_arm(every, arm, label) for arm, label in ARMS.items()),
        "",
        "| family | answers | nats an answer token with the text | without | " + head + " |",
        "|---|---|---|---|" + "---|" * len(ends),
        *(_family(record, name, count) for name in _families(record)),
    ]
    return "\n".join(lines)


def _trained(training: Mapping[str, Any]) -> str:
    """From what, how wide and for which ratios."""
    recipe, gpus = training["recipe"], training["hardware"]["gpus"]
    return (
        f"Trained on {training['data']['documents']:,} documents, layers "
        f"{', '.join(map(str, recipe['layers']))}, width {recipe['model']['width']}, "
        f"ratios drawn from {', '.join(f'{ratio:g}' for ratio in recipe['ratios'])}, on "
        f"{len(gpus)} {gpus[0]}."
    )


def _ratios(cells: Mapping[str, Any]) -> list[str]:
    return sorted(cells, key=float)


def _listed(cells: Mapping[str, Any], show: Any) -> str:  # noqa: ANN401  a function of one cell
    """`95 % at 4x, 93 % at 8x`."""
    return ", ".join(f"{show(cells[ratio])} at {ratio}x" for ratio in _ratios(cells))


def _share(cell: Mapping[str, Any]) -> str:
    return f"{cell['ce_utilisation']:.0%}"


def _point(cell: Mapping[str, Any], arm: str) -> str:
    return f"{cell['utilisation'][arm]['point']:.0%}"


def _arm(pooled: Mapping[str, Any], arm: str, label: str) -> str:
    shown = " | ".join(
        _interval(pooled[ratio]["utilisation"].get(arm)) for ratio in _ratios(pooled)
    )
    return f"| {label} | {shown} |"


def _between(record: Mapping[str, Any], part: str) -> str:
    """What latents keep between habit and one latent a token, both trained."""
    pooled = record["content"][part]
    shown = (_interval(pooled[ratio]["utilisation"]["compressed"]) for ratio in _ratios(pooled))
    return f"| **latents, between trained ends** | {' | '.join(shown)} |"


def _interval(one: Mapping[str, Any] | None) -> str:
    if one is None or one["point"] is None:
        return "-"
    return f"{one['point']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"


def _families(record: Mapping[str, Any]) -> list[str]:
    return sorted(next(iter(record["families"].values())))


def _family(record: Mapping[str, Any], name: str, trainings: int) -> str:
    cells = {ratio: each[name] for ratio, each in record["families"].items()}
    first = cells[_ratios(cells)[0]]
    out = name in next(iter(record["left_out"].values()))
    nats = first["nats"]
    kept = (cells[ratio]["nats"]["compressed"]["point"] for ratio in _ratios(cells))
    return (
        f"| {f'({name})' if out else name} | {first['questions'] // trainings:,} | "
        f"{nats['ceiling']['point']:.2f} | {nats['floor']['point']:.2f} | "
        + " | ".join(f"{each:.2f}" for each in kept)
        + " |"
    )
