"""The text pieces around a document: a model's own, or plain ones."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..common.errors import TeacherError
from .files import PROMPT_FILE, ModelFiles
from .json_files import read_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PLAIN_QUESTION = "\nQuestion: {question}\nAnswer:"
PLAIN_SUMMARY = "\nSummary in {budget} tokens:"


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """The text pieces around a document; an answer follows as " <answer>" and the end token."""

    head: str
    """Before the document: usually the token that starts a text."""
    question: str
    """After the document; holds `{question}`."""
    summary: str
    """After the document; holds `{budget}`, the number of tokens that the summary may have."""
    notes: str = "{summary}"
    """How a summary stands where the document stood; holds `{summary}`."""

    def ask(self, question: str) -> str:
        """The text between the document and the answer to one question."""
        return self.question.replace("{question}", question)

    def summarise(self, budget: int) -> str:
        """The text between the document and its summary in at most `budget` tokens."""
        return self.summary.replace("{budget}", str(budget))

    def instead(self, summary: str) -> str:
        """A summary as it is read in place of the document."""
        return self.notes.replace("{summary}", summary)


def read_prompt(files: ModelFiles, tokenizer: "PreTrainedTokenizerFast") -> PromptTemplate:
    """The `prompt` of the model's `latentcomp.json`, or a plain one where there is no such file.

    Raises:
        TeacherError: the file is damaged or a piece is missing or unusable.
    """
    file = files.folder / PROMPT_FILE
    if not file.is_file():
        return PromptTemplate(str(tokenizer.bos_token or ""), PLAIN_QUESTION, PLAIN_SUMMARY)
    pieces = read_json(file).get("prompt")
    wanted = {"head": "", "question": "{question}", "summary": "{budget}"}
    if not isinstance(pieces, dict) or pieces.keys() - {"notes"} != wanted.keys():
        raise TeacherError(
            f"{file}: `prompt` must have exactly the keys {', '.join(wanted)}, and may have notes"
        )
    if "notes" in pieces:
        wanted["notes"] = "{summary}"
    for key, mark in wanted.items():
        if not isinstance(pieces[key], str) or mark not in pieces[key]:
            raise TeacherError(f"{file}: `prompt.{key}` must be a text with {mark!r} in it")
    return PromptTemplate(**pieces)
