"""The parts of the compressor once more, obvious and slow: loops over tokens, in float64.

Plain lists of floats stand for vectors; nothing of the package is used but the weights.
"""

import math

import torch


def rows(tensor):
    """A tensor as nested lists of floats."""
    return tensor.detach().double().tolist()


def mapped(linear, x):
    """A linear map of one vector."""
    out = [sum(w * v for w, v in zip(row, x, strict=True)) for row in rows(linear.weight)]
    if linear.bias is None:
        return out
    return [value + bias for value, bias in zip(out, rows(linear.bias), strict=True)]


def normed(norm, x):
    """RMS norm of one vector, with the gain of the module."""
    size = math.sqrt(sum(v * v for v in x) / len(x) + 1e-6)
    gain = rows(norm.weight) if norm.weight is not None else [1.0] * len(x)
    return [g * v / size for g, v in zip(gain, x, strict=True)]


def gelu(v):
    return v * 0.5 * (1 + math.erf(v / math.sqrt(2)))


def silu(v):
    return v / (1 + math.exp(-v))


def added(*vectors):
    return [sum(parts) for parts in zip(*vectors, strict=True)]


def gated_mlp(mlp, x):
    """SwiGLU of one vector."""
    up = mapped(mlp.up, x)
    half = len(up) // 2
    return mapped(mlp.down, [silu(g) * v for g, v in zip(up[:half], up[half:], strict=True)])


def turned(x, position):
    """One head of one query or key, rotated to its place."""
    half = len(x) // 2
    out = [0.0] * len(x)
    for i in range(half):
        angle = position * 10_000.0 ** (-i / half)
        left, right = x[i], x[half + i]
        out[i] = left * math.cos(angle) - right * math.sin(angle)
        out[half + i] = right * math.cos(angle) + left * math.sin(angle)
    return out


def attended(attention, queries, places, sources, source_places, allowed):
    """What each query reads of those sources for which `allowed(query, source)`."""
    size = len(queries[0]) // attention.heads
    keys_values = [mapped(attention.key_value, x) for x in sources]
    out = []
    for q, x in enumerate(queries):
        query = mapped(attention.query, x)
        read = []
        for head in range(attention.heads):
            part = slice(head * size, (head + 1) * size)
            turned_query = turned(query[part], places[q])
            scores, values = [], []
            for k, both in enumerate(keys_values):
                if allowed(q, k):
                    key = turned(both[: len(x)][part], source_places[k])
                    dot = sum(a * b for a, b in zip(turned_query, key, strict=True))
                    scores.append(dot / math.sqrt(size))
                    values.append(both[len(x) :][part])
            weights = [math.exp(score - max(scores)) for score in scores]
            total = sum(weights)
            read += added(
                *([w / total * v for v in row] for w, row in zip(weights, values, strict=True))
            )
        out.append(mapped(attention.out, read))
    return out


def shares(mass, count):
    """Share of each token in each of `count` cells of mass one, by walking along the document."""
    table = [[0.0] * len(mass) for _ in range(count)]
    reached = 0.0
    for token, own in enumerate(mass):
        for cell in range(count):
            table[cell][token] = max(0.0, min(reached + own, cell + 1) - max(reached, cell))
        reached += own
    return [[v / sum(row) for v in row] if sum(row) > 1e-9 else row for row in table]


def masses(head, tokens, count, floor=0.0):
    """Mass of each token of one document: they add up to `count`."""
    raw = []
    for x in tokens:
        hidden = [gelu(v) for v in mapped(head.up, normed(head.norm, x))]
        (said,) = mapped(head.down, hidden)
        raw.append(math.exp(min(4.0, max(-4.0, 4.0 * said))))
    equal = count / len(tokens)
    return [floor * equal + (1 - floor) * count * own / sum(raw) for own in raw]


def weighted(table, tokens):
    """Mean of vectors by each row of shares."""
    return [
        added(*([share * v for v in x] for share, x in zip(row, tokens, strict=True)))
        for row in table
    ]


def close(made, expected, tolerance=2e-5):
    """Whether a float32 tensor is the list of rows, to rounding."""
    wanted = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(made.detach().double(), wanted, rtol=tolerance, atol=tolerance)
