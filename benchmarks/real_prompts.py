"""Which form of prompt a pretrained model answers best in, on real passages and questions.

`python benchmarks/real_prompts.py --corpus runs/squad` reads a corpus of `latentcomp import
squad`, asks the first questions of some documents in each form of `FORMS`, and measures

- nats per answer token (end token included) with the passage, with the passage of another
  document, and without any,
- greedy answers with the passage: exact match as SQuAD scores it, the answer within the reply, F1.

The rule, fixed before: the fewest nats with the passage; within 0.05 nats of the best the highest
exact match; then the shortest head. Writes `docs/results/real_prompts.json`.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any, Final

from rich.console import Console

from latentcomp.common.atomic import write_json
from latentcomp.common.provenance import collect
from latentcomp.corpus.files import read_corpus
from latentcomp.corpus.records import Document
from latentcomp.evaluate.arms.text import ceiling, floor
from latentcomp.evaluate.scores import SCORERS
from latentcomp.evaluate.text_match import token_f1
from latentcomp.models.loading import CausalLM, load_causal_lm
from latentcomp.models.prompt import PromptTemplate
from latentcomp.reasoner.generate import Prefix, greedy_answers
from latentcomp.reasoner.likelihood import encode_choice, log_likelihoods

_END: Final = "<|im_end|>\n<|im_start|>assistant\n"
_USER: Final = "<|im_start|>user\n"
_SYSTEM: Final = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    f"<|im_end|>\n{_USER}"
)
_TASK: Final = (
    "<|im_start|>system\nAnswer questions about a text in a few words.<|im_end|>\n" + _USER
)
_WORDS: Final = "\n\nQuestion: {question}\nAnswer in a few words."
_COPY: Final = "\n\nQuestion: {question}\nAnswer with the fewest words of the text."

FORMS: Final = {
    "plain": ("<|endoftext|>", "\nQuestion: {question}\nAnswer:"),
    "chat": (_USER, "\n\n{question}" + _END),
    "chat, its system text": (_SYSTEM, "\n\n{question}" + _END),
    "chat, Answer:": (_USER, "\n\nQuestion: {question}" + _END + "Answer:"),
    "chat, few words": (_USER, _WORDS + _END),
    "chat, few words, Answer:": (_USER, _WORDS + _END + "Answer:"),
    "chat, words of the text, Answer:": (_USER, _COPY + _END + "Answer:"),
    "chat, task as system text, Answer:": (_TASK, "\n\nQuestion: {question}" + _END + "Answer:"),
}
"""Head and question of each form."""


def nats(lm: CausalLM, prefixes: Sequence[Prefix], documents: Sequence[Document]) -> float:
    """Mean over all answer tokens."""
    choices = [
        [encode_choice(lm, each, [each.answer]) for each in one.questions] for one in documents
    ]
    read = log_likelihoods(lm, prefixes, choices, batch_size=4)
    answers = [answer for document in read for question in document for answer in question]
    return -sum(one.total for one in answers) / sum(one.tokens for one in answers)


def measure(lm: CausalLM, documents: Sequence[Document]) -> dict[str, Any]:
    """The figures of one form."""
    whole = ceiling(lm, documents)
    others = [*whole[1:], whole[0]]
    texts = [[each.text for each in one.questions] for one in documents]
    rows = greedy_answers(lm, whole, texts, most_tokens=24)
    replies = [reply for row in rows for reply in row]
    answers = [each.answers for one in documents for each in one.questions]
    scored = {
        name: mean(
            any(SCORERS[name](reply, answer) for answer in right)
            for reply, right in zip(replies, answers, strict=True)
        )
        for name in ("squad", "contains")
    }
    return {
        "nats": {
            "passage": nats(lm, whole, documents),
            "another": nats(lm, others, documents),
            "none": nats(lm, floor(lm, documents), documents),
        },
        "answers": scored
        | {
            "f1": mean(
                token_f1(reply, right) for reply, right in zip(replies, answers, strict=True)
            )
        },
        "head_tokens": len(lm.encode(lm.prompt.head)),
        "replies": replies[:5],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=16)
    parser.add_argument("--questions", type=int, default=3, help="of each document")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--out", type=Path, default=Path("docs/results/real_prompts.json"))
    given = parser.parse_args()
    lm = load_causal_lm(given.model)
    corpus = read_corpus(given.corpus)
    documents = [one for one in corpus.documents if len(one.questions) >= given.questions]
    # Spread over the file, which has one article after the other.
    documents = documents[:: len(documents) // given.documents][: given.documents]
    documents = [
        dataclasses.replace(one, questions=one.questions[: given.questions]) for one in documents
    ]
    forms = {}
    for name, (head, question) in FORMS.items():
        prompt = PromptTemplate(head, question, lm.prompt.summary)
        forms[name] = measure(dataclasses.replace(lm, prompt=prompt), documents)
        forms[name] |= {"head": head, "question": question}
        Console().print(name, forms[name]["nats"], forms[name]["answers"])
    write_json(
        given.out,
        {
            "model": lm.identity.model_dump(mode="json"),
            "documents": len(documents),
            "questions": sum(len(one.questions) for one in documents),
            "forms": forms,
            "provenance": collect({}, {"corpus": corpus.sha256}).model_dump(mode="json"),
        },
    )


if __name__ == "__main__":
    main()
