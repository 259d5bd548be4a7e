"""Loading causal language models: frozen, with tokenizer, identity and prompt.

Weights come from safetensors only, and no code of a checkpoint is ever run.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import torch

from ..common.errors import TeacherError
from ..store.format.schema import ModelIdentity
from .blocks import cut_class, model_class
from .context import context_tokens, vocabulary_rows
from .files import (
    ModelFiles,
    identify_model,
    locate_model,
    one_line,
    read_config,
)
from .plain_text import encode_plain, spells_control
from .prompt import PLAIN_QUESTION as PLAIN_QUESTION
from .prompt import PromptTemplate as PromptTemplate
from .prompt import read_prompt
from .weights import weight_files

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

MOST_TOKENS: Final = 1 << 31
_TEXT: Final = "{the text of a document}"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class TextSide:
    """Everything of a model but its weights: tokenizer, identity, prompt, context length."""

    tokenizer: "PreTrainedTokenizerFast"
    identity: ModelIdentity
    prompt: PromptTemplate
    context_tokens: int
    """Tokens that the model can read at once, by its config."""
    vocabulary: int = field(default=MOST_TOKENS, kw_only=True)
    """Rows of its embeddings; a tokenizer may have more tokens."""

    @property
    def eos_token_id(self) -> int:
        """The token that ends an answer."""
        return cast(int, self.tokenizer.eos_token_id)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, with nothing added before or after it."""
        return cast(list[int], self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def encode_text(self, text: str) -> list[int]:
        """Token ids of a user's text: what spells a control token in it stays text."""
        return list(encode_plain(self.tokenizer, text).ids)

    def encode_within(self, template: str, mark: str, text: str) -> list[int]:
        """Token ids of a template with a user's text in the place of its `mark`.

        The whole is cut in one piece, as it always was, unless the text spells a control token:
        then the text is cut alone, as text.
        """
        if not spells_control(self.tokenizer, text):
            return self.encode(template.replace(mark, text))
        before, *behind = template.split(mark)
        ids = self.encode(before)
        for after in behind:
            ids += [*self.encode_text(text), *self.encode(after)]
        return ids

    def encode_after_head(self, text: str) -> list[int]:
        """Token ids of the prompt's head and a document's text."""
        return self.encode_within(self.prompt.head + _TEXT, _TEXT, text)

    def encode_question(self, question: str) -> list[int]:
        """Token ids of the text between the document and the answer to a question."""
        return self.encode_within(self.prompt.question, "{question}", question)

    def decode(self, token_ids: list[int]) -> str:
        """Text of token ids, special tokens left out."""
        return cast(str, self.tokenizer.decode(token_ids, skip_special_tokens=True))


@dataclass(frozen=True, slots=True)
class CausalLM(TextSide):
    """A frozen model in evaluation mode, with its `TextSide`."""

    model: "PreTrainedModel"

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        return self.model.device


def load_text_side(name: str, *, revision: str | None = None) -> TextSide:
    """Tokenizer, identity and prompt of a model; its weights are hashed, not loaded.

    Raises:
        TeacherError: a file is missing or damaged; the message says which.
    """
    return _text_side(locate_model(name, revision=revision))


def load_causal_lm(
    name: str,
    *,
    revision: str | None = None,
    dtype: str = "float32",
    device: str = "cpu",
) -> CausalLM:
    """Load a model, frozen and in evaluation mode, with its tokenizer and prompt.

    Args:
        name: `lab`, `lab-student` or another of `LAB_FOLDERS`, a local folder or a hub id.
        revision: commit, tag or branch of a hub model.
        dtype: precision of weights and arithmetic, one of `DTYPES`.
        device: as in torch, or `auto` for the GPU where there is one.

    Raises:
        TeacherError: the model cannot be found, read or placed; the message says why.
    """
    place = resolve_device(device)
    if dtype not in DTYPES:
        raise TeacherError(f"dtype {dtype!r} is unknown; give one of {', '.join(DTYPES)}")
    files = locate_model(name, revision=revision)
    text = _text_side(files)
    return CausalLM(
        tokenizer=text.tokenizer,
        identity=text.identity,
        prompt=text.prompt,
        context_tokens=text.context_tokens,
        vocabulary=text.vocabulary,
        model=load_weights(files, DTYPES[dtype], place),
    )


def load_tokenizer(files: ModelFiles) -> "PreTrainedTokenizerFast":
    """The fast tokenizer of a model; a fast one, because the place of each token is needed.

    Raises:
        TeacherError: it is missing, damaged, not a fast one, or ends no text.
    """
    from transformers import PreTrainedTokenizerFast

    file = files.tokenizer
    try:
        # Not AutoTokenizer: for some model types it builds another tokenizer out of the
        # vocabulary, without the file's own way of cutting and joining text.
        tokenizer = PreTrainedTokenizerFast.from_pretrained(files.folder)
    except Exception as error:  # the tokenizers library raises bare Exception on bad files
        raise TeacherError(
            f"model {files.name!r}: {file} cannot be used ({one_line(error)}); "
            "download or save the tokenizer again"
        ) from error
    if not tokenizer.is_fast or tokenizer.eos_token_id is None:
        raise TeacherError(
            f"model {files.name!r}: the tokenizer in {files.folder} must be a fast one "
            f"with an end token, got {type(tokenizer).__name__} with {tokenizer.eos_token!r}"
        )
    tokenizer.backend_tokenizer.no_truncation()  # a file may hold one, and cut documents short
    tokenizer.backend_tokenizer.no_padding()
    return cast("PreTrainedTokenizerFast", tokenizer)


def resolve_device(device: str) -> torch.device:
    """The torch device of a name; `auto` is the GPU where there is one, else the CPU.

    Raises:
        TeacherError: torch knows no such device, or this machine lacks it.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise TeacherError(
            f"device {device!r} cannot be used ({one_line(error)}); give auto, cpu or cuda"
        ) from error
    return place


def _text_side(files: ModelFiles) -> TextSide:
    text_config = read_config(files).get_text_config()
    tokenizer = load_tokenizer(files)
    return TextSide(
        tokenizer=tokenizer,
        identity=identify_model(files),
        prompt=read_prompt(files, tokenizer),
        context_tokens=context_tokens(text_config, tokenizer.model_max_length),
        vocabulary=vocabulary_rows(text_config),
    )


def load_weights(
    files: ModelFiles,
    dtype: torch.dtype,
    device: torch.device,
    kept: int | None = None,
) -> "PreTrainedModel":
    """The model itself, frozen and in evaluation mode.

    Args:
        files: where its weights lie.
        dtype: precision of weights and arithmetic.
        device: where to put it.
        kept: number of blocks to load; None for all.

    Raises:
        TeacherError: the weights do not fit the config or the device, or a tensor is missing.
    """
    from transformers.utils import logging as hf_logging

    hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    verbosity = hf_logging.get_verbosity()
    if kept is not None:  # what a cut model leaves unread would be listed tensor by tensor
        hf_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    weight_files(files.name, files.folder)  # raises where transformers would load something else
    chosen, config = model_class(read_config(files))
    if kept is not None:
        chosen = cut_class(chosen, kept)
    load: Any = chosen.from_pretrained  # its type leaves out the loading info
    try:
        model, loading = load(
            files.folder,
            config=config,
            dtype=dtype,
            device_map={"": str(device)},
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except TeacherError:
        raise
    except torch.OutOfMemoryError as error:
        raise TeacherError(
            f"model {files.name!r} does not fit into the memory of {device}; "
            "give a narrower dtype or another device"
        ) from error
    except Exception as error:  # transformers lets through what torch, json or numpy raise
        raise TeacherError(
            f"model {files.name!r} cannot be loaded from {files.folder} ({one_line(error)}); "
            "check that config.json and the weights belong together"
        ) from error
    finally:
        hf_logging.set_verbosity(verbosity)
    # Without this check transformers goes on with random numbers for what is missing.
    if missing := sorted(loading["missing_keys"]):
        raise TeacherError(
            f"model {files.name!r}: the weights in {files.folder} lack {len(missing)} tensors "
            f"(first: {missing[0]}); download the model again"
        )
    model.requires_grad_(False)
    return cast("PreTrainedModel", model.eval())
