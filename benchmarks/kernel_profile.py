"""Where the milliseconds of a forward pass go: GPU kernels by what they are for."""

import re
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

GROUPS = {
    "compiled: permute, weigh and combine for experts": r"^triton.*(index|gather|scatter)",
    "compiled: gate of the experts": r"^triton.*silu",
    "compiled: norms, rotary, router, residuals": r"^triton(?!.*(mm_tem|flash))",
    "attention": r"flash|fmha|cudnn.*(sdpa|attn)|attention|mha",
    "expert matmuls": r"group(ed|_gemm|problemshape)",
    "other matmuls": r"gemm|nvjet|cutlass|xmma|cublas|matmul|triton_mm|_tem_|splitk",
    "routing and permuting": r"sort|radix|topk|histc|histogram|scan|gather|scatter|index",
    "copies": r"memcpy|memset|copy",
    "plain elementwise and reductions": r"elementwise|reduce|softmax|cat|norm",
}
"""Group -> pattern; the first that fits counts."""
OTHER = "other"


def group_of(kernel: str) -> str:
    """What a kernel is for, by its name."""
    for group, pattern in GROUPS.items():
        if re.search(pattern, kernel, re.IGNORECASE):
            return group
    return OTHER


def profiled(work: Callable[[], object], tokens: int, largest: int = 25) -> dict[str, Any]:
    """Run `work` once under the profiler.

    Returns:
        milliseconds of GPU time a group, the wall time, what of it the GPU stood still, and the
        `largest` kernels by name; and all of it in nanoseconds a token.
    """
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    plain_ms = 1e3 * (time.perf_counter() - start)
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiler:
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        wall_ms = 1e3 * (time.perf_counter() - start)
    kernels = [
        (event.key, event.self_device_time_total / 1e3, event.count)
        for event in profiler.key_averages()
        if event.self_device_time_total > 0 and event.device_type.name != "CPU"
    ]
    groups: dict[str, float] = {}
    for name, milliseconds, _ in kernels:
        groups[group_of(name)] = groups.get(group_of(name), 0.0) + milliseconds
    busy = sum(groups.values())
    groups["GPU idle (launch gaps), without the profiler"] = max(0.0, plain_ms - busy)
    kernels.sort(key=lambda kernel: -kernel[1])
    return {
        "tokens": tokens,
        "wall_ms": plain_ms,
        "wall_ms_under_profiler": wall_ms,
        "gpu_busy_ms": busy,
        "kernels_launched": sum(count for _, _, count in kernels),
        "groups_ms": groups,
        "groups_ns_per_token": {name: 1e6 * ms / tokens for name, ms in groups.items()},
        "largest": [
            {"kernel": name[:160], "group": group_of(name), "ms": ms, "launches": count}
            for name, ms, count in kernels[:largest]
        ],
    }
