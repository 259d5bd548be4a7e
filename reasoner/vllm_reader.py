"""Greedy answers by vLLM: one prompt of embeddings a question, the prefix and then its tokens.

For reasoners that are large: vLLM packs the prompts of many documents, and generates them together.
The weights are in memory twice, here and in the `CausalLM`, which the rest of an evaluation reads.

vLLM gives the vectors of a prompt the positions 0, 1, 2 and on, and cannot be given others, so what
stands elsewhere is refused. Its cache of prefixes is off: the key of a block leaves out which
places of a mixed prompt are vectors (vllm #56655). The prompts here are vectors throughout, whose
key has them all in vLLM 0.32; but no answer shall hang on what was answered before, nor on that.
Every question therefore reads its prefix again.

vLLM is imported when a reader is started. Shapes: P = prefix positions, S = positions of a prompt,
D = width of the reasoner, V = vocabulary.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from ..common.errors import LatentcompError, TeacherError
from ..corpus.records import Document
from ..models.loading import CausalLM
from ..models.precision import dtype_name
from ..models.vllm_process import set_environment, vllm_reasons
from ..models.vllm_versions import attention_numbers, why_absent, why_not_heads, why_not_on
from .generate import MOST_TOKENS, Prefix, answer_of, is_cut, text_of
from .selftest import (
    QUESTIONS,
    bound_of,
    largest,
    longest_and_shortest,
    relative_distance,
    text_logits,
)

INSTEAD: Final = "give --backend transformers"
"""What works wherever vLLM does not."""
OTHER_POSITIONS: Final = (
    "its latents stand at the positions of their tokens (model.positions=tokens), and vLLM numbers "
    f"the positions of a prompt itself; {INSTEAD}"
)
ADAPTED: Final = (
    "its latents are read with adapters on the reasoner (model.reader_rank), and vLLM has the "
    f"weights alone; {INSTEAD}"
)
_SMALLER: Final = f"a narrower --dtype, or {INSTEAD.removeprefix('give ')}"

_CPU_BLOCK: Final = 32
"""Tokens of a block of the cache on a CPU; its kernels want a multiple of 32."""
_CPU_PROMPTS: Final = 16
"""Prompts computed together on a CPU, for which its cache has room whatever their length."""
_GPU_SHARE: Final = 0.9
"""Of the memory of a GPU that is free when vLLM starts."""
_HELD_NUMBERS: Final = 1 << 29
"""Numbers of the embeddings that are handed over at once: 1 GB in bfloat16. A prompt holds its
whole prefix, and a document has many questions."""
_LIKELIEST: Final = 20
"""Tokens whose probabilities are compared in the self-test, the most that vLLM gives unasked."""


class VllmReader:
    """vLLM with the weights of a reasoner; called as `greedy_answers` is (`Answerer`)."""

    def __init__(self, lm: CausalLM, longest: int) -> None:
        """Start vLLM in this process; one at a time.

        Args:
            lm: the reasoner, loaded from a folder.
            longest: tokens of the longest prompt with its answer.

        Raises:
            TeacherError: vLLM is missing, or it does not fit or start; the message has the reason.
        """
        check_served(lm)
        self._lm, self._longest = lm, longest
        with vllm_reasons("vLLM cannot start", INSTEAD, _SMALLER):
            self._llm = _start(reader_arguments(lm, longest))
        if self.config.cache_config.enable_prefix_caching:
            self.close()
            raise TeacherError(f"this vLLM caches prefixes though it was not to; {INSTEAD}")

    def close(self) -> None:
        """Stop vLLM and free its memory."""
        self._llm.llm_engine.engine_core.shutdown()

    @property
    def config(self) -> Any:  # noqa: ANN401 - vLLM's
        """The configuration that the engine runs with."""
        return self._llm.llm_engine.vllm_config

    def __call__(
        self,
        lm: CausalLM,
        prefixes: Sequence[Prefix],
        questions: Sequence[Sequence[str]],
        *,
        most_tokens: int = MOST_TOKENS,
        batch_size: int = 8,
        on_cut: Callable[[int], None] = lambda answers: None,
    ) -> list[list[str]]:
        """Answer `questions[i]` after reading `prefixes[i]`, for every i; as `greedy_answers`.

        `batch_size` is vLLM's own choice.

        Raises:
            LatentcompError: a prefix stands at positions that vLLM does not give, or is too long.
            TeacherError: vLLM failed.
        """
        del batch_size
        if lm is not self._lm:
            raise ValueError("vLLM was started with the weights of another model")
        prompts = self._prompts(prefixes, questions, most_tokens)
        ended = iter(self._generate(prompts, most_tokens, stop=[lm.eos_token_id]))
        answers, unended = [], list[str]()
        for texts in questions:
            row = []
            for tokens in [list(next(ended).token_ids) for _ in texts]:
                row.append(text := text_of(lm, tokens))
                if lm.eos_token_id not in tokens:
                    unended.append(text)
            answers.append([answer_of(text) for text in row])
        on_cut(sum(map(is_cut, unended)))
        return answers

    def check(self, documents: Sequence[Document]) -> float:
        """Compare vLLM with the model's own forward on text, on some of a run's documents.

        The longest and the shortest, with `QUESTIONS` questions each; two tokens of every answer.
        vLLM reads vectors, the forward reads tokens.

        Returns:
            Largest distance of the logits of the likeliest tokens, relative to their own spread.

        Raises:
            TeacherError: it is above what rounding explains.
        """
        distance = largest(map(self._distance, longest_and_shortest(documents)))
        if not distance <= bound_of(self._lm):
            raise TeacherError(
                f"model {self._lm.identity.name!r} ({self._lm.identity.architecture}) answers "
                f"otherwise in vLLM than in transformers (distance of logits {distance:.1e}, at "
                f"most {bound_of(self._lm):.0e}); {INSTEAD}"
            )
        return distance

    @torch.inference_mode()
    def _distance(self, document: Document) -> float:
        lm, ids = self._lm, self._lm.encode_after_head(document.text)
        texts = [one.text for one in document.questions[:QUESTIONS]]
        prompts = self._prompts([Prefix.counted(_embedded(lm, ids))], [texts], 2)
        outputs = self._generate(prompts, 2, stop=[], logprobs=_LIKELIEST)
        distances = []
        for text, output in zip(texts, outputs, strict=True):
            logits_2V = text_logits(lm, [*ids, *lm.encode_question(text), output.token_ids[0]])
            for logits_V, likeliest in zip(logits_2V.float().cpu(), output.logprobs, strict=True):
                logprobs = torch.tensor([one.logprob for one in likeliest.values()])
                distances.append(relative_distance(logprobs, logits_V[list(likeliest)]))
        return largest(distances)

    def _prompts(
        self, prefixes: Sequence[Prefix], questions: Sequence[Sequence[str]], most_tokens: int
    ) -> Iterator[Tensor]:
        """Embeddings [S, D] of every prefix and question, on the CPU, in order; checked first."""
        lm = self._lm
        encoded = [[lm.encode_question(text) for text in texts] for texts in questions]
        for prefix, rows in zip(prefixes, encoded, strict=True):
            check_counted(prefix)
            longest = len(prefix.x_PD) + max(map(len, rows), default=0) + most_tokens
            if longest > self._longest:
                raise LatentcompError(
                    f"{len(prefix.x_PD):,} vectors with a question and its answer take "
                    f"{longest:,} places, and vLLM was started for {self._longest:,}; {INSTEAD}"
                )
        return (
            torch.cat([prefix.x_PD.to(lm.model.dtype), _embedded(lm, ids).to(prefix.x_PD.device)])
            .detach()
            .cpu()
            for prefix, rows in zip(prefixes, encoded, strict=True)
            for ids in rows
        )

    def _generate(
        self, prompts: Iterable[Tensor], most_tokens: int, stop: list[int], **more: int
    ) -> Iterator[Any]:
        """vLLM's output for each prompt, in order; as many at once as memory is meant for."""
        from vllm import SamplingParams

        params = SamplingParams(
            temperature=0.0,
            max_tokens=most_tokens,
            stop_token_ids=stop,
            ignore_eos=True,  # but for `stop`: the config of the weights may name other end tokens
            detokenize=False,
            **more,
        )
        for group in _groups(prompts):
            with vllm_reasons("vLLM failed", INSTEAD, _SMALLER):
                inputs = [{"prompt_embeds": x_SD} for x_SD in group]
                outputs = self._llm.generate(inputs, params, use_tqdm=False)
            yield from (output.outputs[0] for output in outputs)


def check_served(lm: CausalLM) -> None:
    """Refuse what the vLLM of this environment cannot answer for.

    Raises:
        TeacherError: there is none, or none for this device or this attention.
    """
    kind, text_config = lm.device.type, lm.model.config.get_text_config()
    reason = why_absent() or why_not_on(kind) or why_not_heads(text_config, kind)
    if reason is None and lm.device.index:
        reason = f"vLLM takes the first GPU, the device is {lm.device}; set CUDA_VISIBLE_DEVICES"
    if reason is not None:
        raise TeacherError(f"--backend vllm: {reason}; {INSTEAD}")


def check_counted(prefix: Prefix) -> None:
    """Refuse positions other than 0, 1, 2 and on, with the question right behind.

    Raises:
        LatentcompError: says why, and what works.
    """
    length = len(prefix.x_PD)
    counted = torch.arange(length, device=prefix.position_P.device)
    if prefix.after != length or not torch.equal(prefix.position_P, counted):
        raise LatentcompError(f"--backend vllm: {OTHER_POSITIONS}")


def reader_arguments(lm: CausalLM, longest: int) -> dict[str, Any]:
    """The arguments of `vllm.LLM`.

    Args:
        lm: the reasoner.
        longest: tokens of the longest prompt with its answer.
    """
    arguments: dict[str, Any] = {
        "model": lm.model.name_or_path,
        "skip_tokenizer_init": True,
        "trust_remote_code": False,
        "load_format": "safetensors",
        "use_tqdm_on_load": False,
        "generation_config": "vllm",  # and not the sampling that a checkpoint recommends
        "dtype": dtype_name(lm),
        "max_model_len": longest,
        "enable_prompt_embeds": True,
        "enable_prefix_caching": False,
        "disable_log_stats": True,
        "seed": 0,
    }
    if lm.device.type != "cpu":
        free, total = torch.cuda.mem_get_info(lm.device)
        return arguments | {"gpu_memory_utilization": _GPU_SHARE * free / total}
    numbers = attention_numbers(lm.model.config.get_text_config(), lm.identity.blocks)
    places = _CPU_PROMPTS * (longest + _CPU_BLOCK) + 2 * _CPU_BLOCK
    return arguments | {
        "enforce_eager": True,  # compiling on a CPU takes longer than reading
        "block_size": _CPU_BLOCK,
        "max_num_seqs": _CPU_PROMPTS,
        "kv_cache_memory_bytes": places * numbers * lm.model.dtype.itemsize,
    }


def _start(arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - vLLM's
    set_environment()  # before anything of vLLM is imported
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that vLLM imports
        from vllm import LLM

        return LLM(**arguments)


@torch.inference_mode()
def _embedded(lm: CausalLM, ids: Sequence[int]) -> Tensor:
    table: Any = lm.model.get_input_embeddings()
    embedded: Tensor = table(torch.tensor(list(ids), dtype=torch.int64, device=lm.device))
    return embedded


def _groups(prompts: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Prompts in order, together as long as they have fewer numbers than may be held."""
    group, numbers = list[Tensor](), 0
    for x_SD in prompts:
        if group and numbers + x_SD.numel() > _HELD_NUMBERS:
            yield group
            group, numbers = [], 0
        group.append(x_SD)
        numbers += x_SD.numel()
    if group:
        yield group
