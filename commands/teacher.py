"""The commands `latentcomp teacher serve | summaries | answers`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..common.terminal import stdout_console
from ..extract.teachers.text.address import DEFAULT_URL, PORT

if TYPE_CHECKING:
    from ..corpus.source import GeneratedCorpus
    from .text_work import Written

teacher_app = typer.Typer(
    help="A server that writes text: summaries and answers.", rich_markup_mode="markdown"
)

NO_THOUGHTS = '{"chat_template_kwargs": {"enable_thinking": false}}'

_OUT = typer.Option(help="Folder of the results and of the cache.")
_DEFAULT_OUT = Path("runs/teacher")
_CORPUS = typer.Option(metavar="PATH", help="Corpus folder or JSONL file; else it is generated.")
_PRESET = typer.Option(help="Size of generated documents: lab or qwen3-30b.")
_SPLIT = typer.Option(help="Split of generated documents: train, test ...")
_DOCUMENTS = typer.Option(min=1, help="Number of generated documents.")
_GENERATOR = typer.Option(min=1, help="Version of their world. [default: the lab teacher's]")
_CORPUS_SEED = typer.Option("--seed", min=0, help="Seed of the generator.")
_URL = typer.Option(help="An OpenAI-compatible server, up to and with /v1.")
_MODEL = typer.Option(help="As the server names it; by default the only one it has.")
_CACHE = typer.Option(help="Folder of the replies; OUT/cache by default.")
_CONCURRENCY = typer.Option(min=1, help="Most requests under way at once.")
_TIMEOUT = typer.Option(min=0.001, help="Seconds that one attempt may take.")
_RETRIES = typer.Option(min=0, help="Further attempts of a request that failed.")
_TEMPERATURE = typer.Option(min=0.0, help="0 takes the likeliest token each time.")
_API = typer.Option(help="How it is asked; auto: completions where it has no chat template.")
_BODY = typer.Option(
    metavar="JSON", help="More fields of each request; give {} to a server that refuses these."
)


@teacher_app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def serve(
    context: typer.Context,
    model: Annotated[str, typer.Option(help="Folder or hub id.")] = "Qwen/Qwen3-30B-A3B",
    revision: Annotated[
        str | None, typer.Option(help="Commit, tag or branch of a hub model.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = PORT,
    gpus: Annotated[int, typer.Option(min=1, help="Cards that the model is spread over.")] = 1,
    gpu_memory: Annotated[
        float, typer.Option(min=0.05, max=1.0, help="Share of the card that vLLM may take.")
    ] = 0.9,
    dtype: Annotated[str, typer.Option(help="Precision; auto is that of the model.")] = "auto",
    max_model_len: Annotated[
        int | None, typer.Option(min=1, help="Most tokens of prompt and reply.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the command only.")] = False,
) -> None:
    """Start vLLM as the text teacher; arguments after `--` are passed to it.

    Example: `latentcomp teacher serve --model Qwen/Qwen3-30B-A3B --dry-run`
    """
    from shlex import join

    from ..extract.teachers.text.serve import ServeRequest, check_port, check_vllm, compose, start

    command = compose(
        ServeRequest(
            model=model,
            revision=revision,
            host=host,
            port=port,
            gpus=gpus,
            gpu_memory=gpu_memory,
            dtype=dtype,
            max_model_len=max_model_len,
            more=tuple(context.args),
        )
    )
    stdout_console().print(join(command))
    if dry_run:
        return
    check_vllm()
    check_port(host, port)
    start(command)


@teacher_app.command()
def summaries(
    out: Annotated[Path, _OUT] = _DEFAULT_OUT,
    corpus: Annotated[Path | None, _CORPUS] = None,
    preset: Annotated[str | None, _PRESET] = None,
    split: Annotated[str | None, _SPLIT] = None,
    documents: Annotated[int | None, _DOCUMENTS] = None,
    seed: Annotated[int | None, _CORPUS_SEED] = None,
    generator: Annotated[int | None, _GENERATOR] = None,
    ratio: Annotated[
        float, typer.Option(min=1.0, help="Tokens of the document for each token of its summary.")
    ] = 4.0,
    tokenizer: Annotated[
        str, typer.Option(help="Model whose tokens --ratio counts: who will read the summary.")
    ] = "lab",
    budget: Annotated[
        int | None, typer.Option(min=1, help="Tokens of every summary, instead of --ratio.")
    ] = None,
    teacher_url: Annotated[str, _URL] = DEFAULT_URL,
    model: Annotated[str | None, _MODEL] = None,
    cache: Annotated[Path | None, _CACHE] = None,
    concurrency: Annotated[int, _CONCURRENCY] = 16,
    timeout: Annotated[float, _TIMEOUT] = 120.0,
    retries: Annotated[int, _RETRIES] = 5,
    temperature: Annotated[float, _TEMPERATURE] = 0.0,
    body: Annotated[str, _BODY] = NO_THOUGHTS,
    api: Annotated[Literal["auto", "chat", "completions"], _API] = "auto",
) -> None:
    """Have every document summarised: `OUT/summaries.parquet`, for `evaluate --summaries`.

    Replies are cached, so no call is made twice. Example:
    `latentcomp teacher summaries --corpus runs/held-out --ratio 4`
    """
    wanted, more = _checked(corpus, preset, split, documents, seed, generator, body, tokenizer)
    from ..extract.teachers.text.reply_progress import reply_progress
    from ..extract.teachers.text.server import Server
    from .teacher_text import Budget, summarise_corpus
    from .text_work import TextRequest

    request = TextRequest(
        out=out,
        corpus=wanted,
        server=Server(teacher_url, timeout, retries, concurrency),
        model=model,
        cache=cache,
        temperature=temperature,
        more=more,
        api=api,
    )
    console = stdout_console()
    with reply_progress(console) as on_plan:
        written = summarise_corpus(request, Budget(ratio, tokenizer, budget), on_plan)
    console.print(_line(written))


@teacher_app.command()
def answers(
    out: Annotated[Path, _OUT] = _DEFAULT_OUT,
    corpus: Annotated[Path | None, _CORPUS] = None,
    preset: Annotated[str | None, _PRESET] = None,
    split: Annotated[str | None, _SPLIT] = None,
    documents: Annotated[int | None, _DOCUMENTS] = None,
    seed: Annotated[int | None, _CORPUS_SEED] = None,
    generator: Annotated[int | None, _GENERATOR] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of an answer.")] = 64,
    teacher_url: Annotated[str, _URL] = DEFAULT_URL,
    model: Annotated[str | None, _MODEL] = None,
    cache: Annotated[Path | None, _CACHE] = None,
    concurrency: Annotated[int, _CONCURRENCY] = 16,
    timeout: Annotated[float, _TIMEOUT] = 120.0,
    retries: Annotated[int, _RETRIES] = 5,
    temperature: Annotated[float, _TEMPERATURE] = 0.0,
    body: Annotated[str, _BODY] = NO_THOUGHTS,
    api: Annotated[Literal["auto", "chat", "completions"], _API] = "auto",
) -> None:
    """Have every question answered with its document: `OUT/answers.parquet`.

    Example: `latentcomp teacher answers --corpus runs/held-out`
    """
    wanted, more = _checked(corpus, preset, split, documents, seed, generator, body)
    from ..extract.teachers.text.reply_progress import reply_progress
    from ..extract.teachers.text.server import Server
    from .teacher_text import answer_corpus
    from .text_work import TextRequest

    request = TextRequest(
        out=out,
        corpus=wanted,
        server=Server(teacher_url, timeout, retries, concurrency),
        model=model,
        cache=cache,
        temperature=temperature,
        more=more,
        api=api,
    )
    console = stdout_console()
    with reply_progress(console) as on_plan:
        written = answer_corpus(request, max_tokens, on_plan)
    console.print(f"{_line(written)}; {written.record.correct:,} are right")


def _checked(
    corpus: Path | None,
    preset: str | None,
    split: str | None,
    documents: int | None,
    seed: int | None,
    generator: int | None,
    body: str,
    *models: str,
) -> "tuple[Path | GeneratedCorpus, dict[str, Any]]":
    """What is read and the fields of --body, looked at before torch is imported.

    Raises:
        LatentcompError: the first fault, with the others as its notes.
    """
    from ..corpus.source import choose_corpus
    from .early import check_input, check_wanted, refuse_all

    wanted, more, _ = refuse_all(
        lambda: check_wanted(choose_corpus(corpus, preset, split, documents, seed, generator)),
        lambda: _more(body),
        lambda: check_input(None, *models),
    )
    return wanted, more


def _more(body: str) -> dict[str, Any]:
    """The fields of --body. Raises: UsageError."""
    import json

    from ..common.errors import UsageError

    try:
        fields = json.loads(body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise UsageError(f"--body {body!r} is no JSON object; give one such as '{NO_THOUGHTS}'")
    return fields


def _line(written: "Written") -> str:
    record = written.record
    cut = f", {record.incomplete:,} cut by the limit of tokens" if record.incomplete else ""
    return f"{written.file}: {record.rows:,} rows, {record.calls_made:,} calls made now{cut}"
