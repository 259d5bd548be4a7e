"""Latents, the mean states of the same tokens, and what can be said of those tokens: for probes.

Shapes: B = documents, K = latents, T = tokens, L = layers, D = teacher width, E = latent width, n =
latents of all documents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...common.errors import UsageError
from ...compressor.allocation import allocate_by_mass, allocate_equally
from ...compressor.model import Compressed, compress
from ...compressor.states import States, pad_states
from ...corpus.records import Document
from ...store.read.features import DocumentFeatures
from ..bench import Bench
from ..stats import FloatArray
from .people import NO_PERSON, Encode, codes, named, owned, people_of

CURRENT: Final = 1
STALE: Final = 0
UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class SegmentRows:
    """One row for each latent of each document."""

    latents: FloatArray
    """[n, E]"""
    means: FloatArray
    """[n, L * D]: mean of the teacher states of its tokens, each layer at an RMS of one."""
    document: NDArray[np.int64]
    """[n]: index of its document."""
    day: NDArray[np.int64]
    """[n]: of its middle token; -1 for none."""
    tokens: list[frozenset[int]]
    """The tokens that it stands for: of its equal segment, or of its part of the learned mass."""
    value: NDArray[np.int64]
    """[n]: whether a value in it still holds at the end: `CURRENT`, `STALE`, or `UNKNOWN`."""
    named: NDArray[np.int64]
    """[n]: index of the one person who is named in it; `NO_PERSON` for none or several."""
    owner: NDArray[np.int64]
    """[n]: index of the person whose value stands in it without the name; `NO_PERSON` likewise."""
    people: tuple[FloatArray, ...]
    """By document, the codes of its people [P, 64]."""


@torch.inference_mode()
def segment_rows(bench: Bench, documents: Sequence[Document], encode: Encode) -> SegmentRows:
    """Every latent of every document, as the compressor writes it at this ratio.

    Args:
        bench: compressor, states and ratio.
        documents: with questions, whose answers say which values hold.
        encode: text to the tokens of the teacher.
    """
    model = bench.model.to(bench.device).eval()
    if model.spec.config.memory == "revise":
        raise UsageError(
            "probes ask what tokens a latent stands for, and in a memory that is rewritten "
            "(model.memory=revise) it stands for none; evaluate measures such trials"
        )
    columns: list[list[NDArray[np.float64]]] = [[], []]
    rows: list[_Row] = []
    features, index = iter(bench.read(documents)), 0
    while batch := list(islice(features, bench.batch_size)):
        states = pad_states(batch).to(bench.device)
        compressed = compress(model, states, bench.ratio)
        mask_BK = compressed.mask_BK
        pool_BKT = _pool(compressed, states)
        h_BTLD = states.h_BTLD.float()
        unit_BTF = functional.rms_norm(h_BTLD, h_BTLD.shape[-1:], eps=1e-6).flatten(2)
        for column, x_BKF in zip(columns, (compressed.z_BKE, pool_BKT @ unit_BTF), strict=True):
            column.append(x_BKF[mask_BK].double().cpu().numpy())
        for one, pool_KT, mask_K in zip(batch, pool_BKT.cpu(), mask_BK.cpu(), strict=True):
            rows += _told(index, documents[index], one, pool_KT[mask_K], encode)
            index += 1
    document, day, tokens, value, who, whose = zip(*rows, strict=True)
    latents, means = (np.concatenate(column) for column in columns)
    return SegmentRows(
        latents,
        means,
        np.array(document),
        np.array(day),
        list(tokens),
        np.array(value),
        np.array(who),
        np.array(whose),
        tuple(codes(people_of(one), encode) for one in documents),
    )


_Row = tuple[int, int, frozenset[int], int, int, int]
"""Document, day, tokens, value, who is named, whose value it is."""


def _pool(compressed: Compressed, states: States) -> Tensor:
    """Share of every token in each latent [B, K, T]: of equal segments, or of learned mass.

    Where tokens go whole (`model.mass_edges=token`) it is right to within half a latent, and those
    of a day stand for the first token of their chunk: so each row has a token to be probed for.
    """
    counts_B, most = compressed.mask_BK.sum(1), compressed.mask_BK.shape[1]
    if compressed.mass_BT is not None:
        return allocate_by_mass(compressed.mass_BT, counts_B, most).pool_BKT
    if compressed.latent_BT is not None:
        member_BKT = functional.one_hot(compressed.latent_BT, most).movedim(2, 1)
        member_BKT = member_BKT * states.mask_BT[:, None]
        return member_BKT / member_BKT.sum(-1, keepdim=True).clamp(min=1)
    return allocate_equally(states.mask_BT, counts_B, most).pool_BKT


def _told(
    index: int, document: Document, features: DocumentFeatures, pool_KT: Tensor, encode: Encode
) -> list[_Row]:
    """What each latent of a document stands for."""
    ids, days = features.token_ids.tolist(), features.day.tolist()
    values = _values(document, features, encode)
    names, owners = named(document, features, encode), owned(document, features, encode)
    rows: list[_Row] = []
    for share_T in pool_KT:
        places = share_T.nonzero().flatten().tolist()
        value = _only(values, places, UNKNOWN)
        who, whose = _only(names, places, NO_PERSON), _only(owners, places, NO_PERSON)
        if whose in {names[t] for t in places if t in names}:
            whose = NO_PERSON  # the name stands there: nothing has to be known of the owner
        middle = places[len(places) // 2]
        held = frozenset(ids[t] for t in places)
        rows.append((index, days[middle], held, value, who, whose))
    return rows


def _only(labels: dict[int, int], places: Sequence[int], otherwise: int) -> int:
    """The one label of some tokens; `otherwise` for none or several."""
    held = {labels[t] for t in places if t in labels}
    return held.pop() if len(held) == 1 else otherwise


def _values(document: Document, features: DocumentFeatures, encode: Encode) -> dict[int, int]:
    """Token -> whether the value that it belongs to still holds at the end of the document.

    Answers of the family `latest` hold, in the chunks that settle them; their stale answers, in
    chunks before those, do not.
    """
    ids, spans = features.token_ids.tolist(), features.spans.tolist()
    labels: dict[int, int] = {}
    for question in document.questions:
        if question.family != "latest" or not question.evidence:
            continue
        last = question.evidence[-1]
        kinds: list[tuple[str, int, tuple[int, ...]]] = [(question.answer, CURRENT, (last,))]
        kinds += [(stale, STALE, tuple(range(last))) for stale in question.stale_answers]
        for text, label, chunks in kinds:
            wanted = encode(f" {text}")
            for chunk in chunks:
                for start in range(spans[chunk], spans[chunk + 1] - len(wanted) + 1):
                    if ids[start : start + len(wanted)] == wanted:
                        labels |= dict.fromkeys(range(start, start + len(wanted)), label)
    return labels
