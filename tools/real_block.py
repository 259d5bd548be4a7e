"""What pages quote of the real pretrained model: parity, prompts, and what its sink does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from .speeds import result_file

PARITY: Final = "real_parity.json"
PROMPTS: Final = "real_prompts.json"
SINK: Final = "sink.json"
LEFT_OUT: Final = "sinks, head and what questions share"
"""What the arm `dense` leaves out, as `benchmarks/sink.py` names it."""


def parity_block(results: Path) -> str:
    """Markdown of the errors of stored states against transformers, by way and layer.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    record = result_file(results / PARITY)
    lines = [
        f"From `docs/results/{PARITY}` ({record['model']['name']}, {record['documents']} passages "
        f"of SQuAD; verdict: {record['verdict']}, bound {record['bound']:.1e}).",
        "",
        "| read | layer | tokens | median error of a token | worst | tokens equal to the bit |",
        "|---|---|---|---|---|---|",
    ]
    for way, layers in record["ways"].items():
        for layer in sorted(layers, key=int):
            one = layers[layer]
            lines.append(
                f"| {way} | {layer} | {one['tokens']:,} | {one['median']:.1e} | "
                f"{one['worst']:.1e} | {one['equal']:.0%} |"
            )
    lost = record["bfloat16"]
    lines += [
        "",
        f"Weights are kept in float32: bfloat16 would change {lost['changed']:.0%} of the "
        f"{lost['numbers']:,} numbers, by {lost['relative_error']:.2%} of their size in all.",
    ]
    return "\n".join(lines)


def prompts_block(results: Path) -> str:
    """Markdown of what each form of prompt gives.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    record = result_file(results / PROMPTS)
    lines = [
        f"From `docs/results/{PROMPTS}` ({record['model']['name']}, {record['documents']} passages "
        f"of SQuAD, {record['questions']} questions; nats an answer token, its end included).",
        "",
        "| form | tokens of the head | with the passage | with another | with none | exact | "
        "answer in the reply | F1 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    forms = record["forms"]
    for name in sorted(forms, key=lambda name: float(forms[name]["nats"]["passage"])):
        one = forms[name]
        nats, right = one["nats"], one["answers"]
        lines.append(
            f"| {name} | {one['head_tokens']} | {nats['passage']:.2f} | {nats['another']:.2f} | "
            f"{nats['none']:.2f} | {right['squad']:.2f} | {right['contains']:.2f} | "
            f"{right['f1']:.2f} |"
        )
    return "\n".join(lines)


def sink_block(results: Path) -> str:
    """Markdown of every place that averages or quantises, with and without sinks.

    Args:
        results: folder of the committed result files.

    Raises:
        LatentcompError: the file is missing or damaged.
    """
    record = result_file(results / SINK)
    layers = record["layers"]

    def by_layer(key: str, name: str, form: str) -> str:
        return " / ".join(f"{one[name]:{form}}" for one in record[key])

    dense, pooled = record["dense"], record["pooled_states"]
    nothing, sinks, both, now = (
        dense[name] for name in ("nothing", "sinks", "sinks and head", LEFT_OUT)
    )
    residual, mean = record["mean_pool_residual"], record["mean_state"]
    shares = " / ".join(f"{share:.0%}" for share in mean["share_of_sinks"])
    lines = [
        f"From `docs/results/{SINK}` ({record['model']['name']}, {record['documents']} passages of "
        f"SQuAD; layers {' / '.join(map(str, layers))}).",
        "",
        "| what | with the sink | without it |",
        "|---|---|---|",
        f"| RMS of the first token, and of the median token | {by_layer('sizes', 'first', ',.1f')} "
        f"| {by_layer('sizes', 'median', ',.1f')} |",
        f"| RMS of a layer, as `store info` prints it | {by_layer('statistics', 'all', '.1f')} | "
        f"{by_layer('statistics', 'without_sinks', '.1f')} |",
        "| the same without the 8 largest dimensions | "
        f"{by_layer('statistics', 'all_without_outliers', '.1f')} | "
        f"{by_layer('statistics', 'without_sinks_without_outliers', '.1f')} |",
        f"| share of sinks in the mean state (`metadata`) | {shares} | 0 % |",
        f"| size of the median pooled state (`pooled_states`) | {pooled['with']:.2f} | "
        f"{pooled['without']:.2f} |",
        f"| `dense` ranks first the right chunk | {nothing['right']:.2f} | {sinks['right']:.2f}, "
        f"without the head too {both['right']:.2f}, without what questions share too "
        f"{now['right']:.2f} |",
        "| `dense` ranks first the first chunk, which is right for "
        f"{nothing['first_chunk_is_right']:.2f} | {nothing['first_chunk']:.2f} | "
        f"{sinks['first_chunk']:.2f}, without the head too {both['first_chunk']:.2f}, without "
        f"what questions share too {now['first_chunk']:.2f} |",
        f"| size of the first latent's mean of unit states, and of others | "
        f"{residual['with']['first_size']:.2f}, {residual['with']['other_size']:.2f} | "
        f"{residual['without']['first_size']:.2f}, {residual['without']['other_size']:.2f} |",
        f"| int8: error of the median token | {by_layer('int8', 'ordinary_median', '.2%')} | "
        f"{by_layer('int8', 'ordinary_median', '.2%')} |",
        f"| int8: loss that the store states | {by_layer('int8', 'store_says', '.2%')} | "
        f"{by_layer('int8', 'without_sinks', '.2%')} |",
        "| int8: the same without the 8 largest dimensions | "
        f"{by_layer('int8', 'store_says_without_outliers', '.1%')} | "
        f"{by_layer('int8', 'without_sinks_and_outliers', '.1%')} |",
    ]
    return "\n".join([*lines, "", _lab_line(record["lab"], record["lab_dense"])])


def _lab_line(lab: Mapping[str, Any], chunks: Mapping[str, Any]) -> str:
    """What the lab models have of it."""
    longest = ", ".join(f"{name} {one['longest']:.0f}" for name, one in lab.items())
    return (
        f"Sinks in the lab models, over all layers: {sum(one['sinks'] for one in lab.values())}. "
        f"Their longest tokens, in median tokens: {longest}; the share of their four largest "
        f"numbers is at most {max(one['share_of_few_in_long_ones'] for one in lab.values()):.2f}. "
        "Its head is one token and no sink, and still took part: of "
        f"{chunks['nothing']['questions']} lab questions `dense` ranks the right chunk first for "
        f"{chunks['nothing']['right']:.3f} with the head in its means, for "
        f"{chunks['sinks and head']['right']:.3f} without, and for {chunks[LEFT_OUT]['right']:.3f} "
        "without what the questions of a document share."
    )
