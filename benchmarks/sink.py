"""What an attention sink does to everything here that averages, normalises or quantises.

`python benchmarks/sink.py --corpus runs/squad` reads real passages with a pretrained model and
measures each place with the sinks that `models/sinks.py` finds and without them. Of the lab
teacher it measures that none of its tokens is a sink by that rule, in any layer. It writes
`docs/results/sink.json`.
"""

import argparse
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from latentcomp.common.atomic import write_json
from latentcomp.common.provenance import collect
from latentcomp.compressor.residual import unit
from latentcomp.corpus.files import read_corpus
from latentcomp.corpus.generators import LAB_GENERATOR, generator
from latentcomp.corpus.records import Document
from latentcomp.evaluate.arms.dense import alone, nearness
from latentcomp.evaluate.arms.pooling import stretch_means
from latentcomp.extract.read_documents import read_documents
from latentcomp.models.files import LAB_FOLDERS
from latentcomp.models.layers import resolve_layers
from latentcomp.models.loading import CausalLM, load_causal_lm
from latentcomp.models.sinks import FEW, LARGER, SHARE, ordinary_tokens
from latentcomp.models.world import generator_for
from latentcomp.store.format.dtypes import DTYPES
from latentcomp.store.format.encoding import encoding_of
from latentcomp.store.format.statistics import OUTLIERS
from latentcomp.store.read.features import DocumentFeatures

LAYERS: Final = (-6, -18, -30)
RATIO: Final = 4
LAB_DOCUMENTS: Final = 16
EVERYTHING: Final = "sinks, head and what questions share"
"""What the arm `dense` leaves out."""


def rms(x: Tensor) -> Tensor:
    """Root mean square over the last axis."""
    return x.square().mean(-1).sqrt()


def sizes(read: Sequence[DocumentFeatures]) -> list[dict[str, Any]]:
    """By layer: root mean squares of the first, the median and the largest other token."""
    rows = []
    for layer in range(read[0].states.shape[1]):
        sizes_ = [rms(one.states[:, layer].float()) for one in read]
        of_median = [each[1:].max() / each.median() for each in sizes_]
        rows.append(
            {
                "first": float(torch.stack([each[0] for each in sizes_]).mean()),
                "median": float(torch.cat(sizes_).median()),
                "others_largest_over_median": float(torch.stack(of_median).max()),
                "largest_number": float(
                    torch.stack([one.states[:, layer].abs().max() for one in read]).max()
                ),
            }
        )
    return rows


def places(read: Sequence[DocumentFeatures]) -> dict[str, int]:
    """Position of sinks -> in how many documents."""
    counts: dict[str, int] = {}
    for one in read:
        for position in (~ordinary_tokens(one.states)).nonzero()[:, 0].tolist():
            counts[str(position)] = counts.get(str(position), 0) + 1
    return counts


def kept(one: DocumentFeatures, sinks: bool) -> Tensor:
    """States [T, L, D] of one document, with or without its sinks."""
    h_TLD = one.states.float()
    return h_TLD if sinks else h_TLD[ordinary_tokens(h_TLD)]


def pooled(read: Sequence[DocumentFeatures], sinks: bool) -> float:
    """Size of the median pooled state in parts of that of the embeddings, which all together have.

    What the arm `pooled_states` injects: scaled by one number a document.
    """
    parts = []
    for one in read:
        state_TD = kept(one, sinks).mean(dim=1)
        mean_KD = stretch_means(state_TD, len(state_TD) // RATIO)
        parts.append(rms(mean_KD).median() / mean_KD.square().mean().sqrt())
    return float(torch.stack(parts).mean())


def mean_state(read: Sequence[DocumentFeatures], sinks: bool) -> Tensor:
    """Mean over all tokens of all documents [L, D]: what the arm `metadata` puts in each."""
    return torch.cat([kept(one, sinks) for one in read]).mean(dim=0)


def retrieval(
    lm: CausalLM,
    documents: Sequence[Document],
    read: Sequence[DocumentFeatures],
    questions: Sequence[DocumentFeatures],
    left_out: str,
) -> dict[str, float]:
    """How often the arm `dense` ranks first a chunk with the answer, and how often chunk 0."""
    head = len(lm.encode(lm.prompt.head))
    hits = first = holds = count = 0
    rest = iter(questions)

    def telling(one: DocumentFeatures) -> Tensor:
        good_T = torch.ones(len(one.states), dtype=torch.bool)
        if "sinks" in left_out:
            good_T &= ordinary_tokens(one.states)
        if "head" in left_out:
            good_T[:head] = False
        return good_T

    for document, one in zip(documents, read, strict=True):
        good_T, spans = telling(one), one.spans.tolist()
        chunk_NLD = torch.stack(
            [one.states[a:b][good_T[a:b]].float().mean(dim=0) for a, b in pairwise(spans)]
        )
        asked = [next(rest) for _ in document.questions]
        asking_QLD = torch.stack([each.states[telling(each)].float().mean(dim=0) for each in asked])
        # One by one, a question goes without the mean of the chunks instead of that of questions.
        groups = [asking_QLD] if "questions" in left_out else asking_QLD.split(1)
        near_QN = torch.cat([nearness(chunk_NLD, group) for group in groups])
        for question, best in zip(document.questions, near_QN.argmax(dim=1).tolist(), strict=True):
            hits += best in question.evidence
            first += best == 0
            holds += 0 in question.evidence
            count += 1
    times = {"right": hits, "first_chunk": first, "first_chunk_is_right": holds}
    return {name: number / count for name, number in times.items()} | {"questions": count}


def residual(read: Sequence[DocumentFeatures], sinks: bool) -> dict[str, float]:
    """The first segment's mean of unit states: its size, and how alike it is between documents."""
    means = [unit(kept(one, sinks)).mean(dim=1) for one in read]
    latents = [stretch_means(each, len(each) // RATIO) for each in means]
    first_BD = torch.stack([each[0] for each in latents])
    second_BD = torch.stack([each[5] for each in latents])

    def alike(x_BD: Tensor) -> float:
        unit_BD = torch.nn.functional.normalize(x_BD, dim=-1)
        near = unit_BD @ unit_BD.T
        return float((near.sum() - near.trace()) / (len(near) * (len(near) - 1)))

    return {
        "first_size": float(rms(first_BD).mean()),
        "other_size": float(torch.stack([rms(each[1:]).median() for each in latents]).mean()),
        "first_alike": alike(first_BD),
        "sixth_alike": alike(second_BD),
    }


def quantised(read: Sequence[DocumentFeatures], layer: int) -> dict[str, float]:
    """Relative errors of int8: token by token, and as the store sums them, with and without."""
    form = encoding_of(DTYPES["bfloat16"], read[0].states.shape[-1], "int8")

    def back(h_TD: Tensor) -> Tensor:
        bits = DTYPES["bfloat16"].to_bits(h_TD).copy()
        return DTYPES["bfloat16"].to_tensor(form.decode(form.encode(bits, len(bits)))).float()

    exact = [one.states[:, layer] for one in read]
    good = torch.cat([ordinary_tokens(one.states) for one in read])
    all_TD = torch.cat(exact).float()
    wrong_TD = torch.cat([back(each) for each in exact]) - all_TD
    alone = torch.cat([back(each[1:])[:8] for each in exact])
    beside = torch.cat([back(each)[1:9] for each in exact])
    errors_T = wrong_TD.norm(dim=-1) / all_TD.norm(dim=-1)

    def summed(rows: Tensor) -> dict[str, float]:
        squares, errors = all_TD[rows].square().sum(0), wrong_TD[rows].square().sum(0)
        rest = squares.argsort(descending=True)[OUTLIERS:]
        return {
            "all": float((errors.sum() / squares.sum()).sqrt()),
            "without_outliers": float((errors[rest].sum() / squares[rest].sum()).sqrt()),
        }

    everything = summed(torch.ones_like(good))
    ordinary = summed(good)
    return {
        "sink": float(errors_T[~good].mean()) if bool((~good).any()) else float("nan"),
        "ordinary_median": float(errors_T[good].median()),
        "ordinary_worst": float(errors_T[good].max()),
        "store_says": everything["all"],
        "store_says_without_outliers": everything["without_outliers"],
        "without_sinks": ordinary["all"],
        "without_sinks_and_outliers": ordinary["without_outliers"],
        "neighbours_equal": float((alone == beside).float().mean()),
    }


def statistics(read: Sequence[DocumentFeatures], layer: int) -> dict[str, float]:
    """Root mean squares as `store info` prints them, with and without sinks and top dimensions."""
    rows = {}
    for name, sinks in (("all", True), ("without_sinks", False)):
        squares_D = torch.cat([kept(one, sinks)[:, layer] for one in read]).square().mean(0)
        rest = squares_D.argsort(descending=True)[OUTLIERS:]
        rows[name] = float(squares_D.mean().sqrt())
        rows[f"{name}_without_outliers"] = float(squares_D[rest].mean().sqrt())
    return rows


def lab_has_none() -> dict[str, dict[str, float]]:
    """Of the lab models, over all layers: sinks by the rule, and how near they come to it."""
    rows = {}
    for name in LAB_FOLDERS:
        lm = load_causal_lm(name)
        documents = list(generator(generator_for(name)).generate("lab", "test", LAB_DOCUMENTS, 5))
        layers = resolve_layers(range(-1, -lm.identity.blocks - 2, -1), lm.identity.blocks)
        sinks, longest, fewest = 0, 0.0, 0.0
        for one in read_documents(lm, documents, layers, 4):
            squares_TLD = one.states.float().square()
            lengths_TL = squares_TLD.sum(-1).sqrt()
            times_TL = lengths_TL / lengths_TL.median(dim=0).values
            few_TL = squares_TLD.topk(FEW, dim=-1).values.sum(-1) / squares_TLD.sum(-1)
            sinks += int((~ordinary_tokens(one.states)).sum())
            longest = max(longest, float(times_TL.max()))
            fewest = max([fewest, *few_TL[times_TL > LARGER / 2].tolist()])
        rows[name] = {"sinks": sinks, "longest": longest, "share_of_few_in_long_ones": fewest}
    return rows


def lab_dense() -> dict[str, dict[str, float]]:
    """The arm `dense` of the lab teacher, whose head is one token and no sink."""
    lm = load_causal_lm("lab")
    documents = list(generator(LAB_GENERATOR).generate("lab", "test", LAB_DOCUMENTS, 2028))
    layers = resolve_layers(LAYERS, lm.identity.blocks)
    read = list(read_documents(lm, documents, layers, 4))
    questions = list(read_documents(lm, alone(documents), layers, 16))
    return {
        left_out: retrieval(lm, documents, read, questions, left_out)
        for left_out in ("nothing", "sinks and head", EVERYTHING)
    }


def measure(lm: CausalLM, documents: Sequence[Document]) -> dict[str, Any]:
    """All places, for one model."""
    layers = resolve_layers(LAYERS, lm.identity.blocks)
    read = list(read_documents(lm, documents, layers, 4))
    questions = list(read_documents(lm, alone(documents), layers, 8))
    with_LD, without_LD = (mean_state(read, sinks) for sinks in (True, False))
    share_L = 1 - (without_LD.norm(dim=-1) / with_LD.norm(dim=-1)).square()
    both = {"with": True, "without": False}
    return {
        "layers": [-1 - lm.identity.blocks + each.blocks_completed for each in layers],
        "sizes": sizes(read),
        "sinks_at": places(read),
        "sinks_of_questions_at": places(questions),
        "pooled_states": {name: pooled(read, sinks) for name, sinks in both.items()},
        "mean_state": {
            "cosine": torch.cosine_similarity(with_LD, without_LD, dim=-1).tolist(),
            "share_of_sinks": share_L.tolist(),
        },
        "dense": {
            left_out: retrieval(lm, documents, read, questions, left_out)
            for left_out in ("nothing", "sinks", "sinks and head", EVERYTHING)
        },
        "mean_pool_residual": {name: residual(read, sinks) for name, sinks in both.items()},
        "int8": [quantised(read, layer) for layer in range(len(layers))],
        "statistics": [statistics(read, layer) for layer in range(len(layers))],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=40)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--out", type=Path, default=Path("docs/results/sink.json"))
    given = parser.parse_args()
    corpus = read_corpus(given.corpus)
    documents = [one for one in corpus.documents if one.questions]
    documents = documents[:: len(documents) // given.documents][: given.documents]
    lm = load_causal_lm(given.model)
    result = {
        "model": lm.identity.model_dump(mode="json"),
        "documents": len(documents),
        "rule": {"longer_than_median": LARGER, "numbers": FEW, "share": SHARE},
        **measure(lm, documents),
        "lab": lab_has_none(),
        "lab_dense": lab_dense(),
        "provenance": collect({}, {"corpus": corpus.sha256}).model_dump(mode="json"),
    }
    write_json(given.out, result)


if __name__ == "__main__":
    main()
