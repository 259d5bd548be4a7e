"""A frozen reasoner from Python: it answers from latents, or from the text itself.

Shapes: B = documents, K = latents, E = width of a latent.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Self

import torch
from torch.nn.utils.rnn import pad_sequence

from ..common.errors import LatentcompError, UsageError
from ..compressor.model import Compressed
from ..corpus.records import Document, Question
from ..evaluate.arms.latents import prefixes_of
from ..evaluate.arms.text import ceiling, floor
from ..models.describe import describe_document
from ..models.loading import CausalLM, load_causal_lm
from ..reasoner.frozen import FrozenReasoner
from ..reasoner.generate import MOST_TOKENS, Prefix, greedy_answers
from .compressor import Compressor
from .documents import Texts, as_documents
from .latents import DocumentLatents, Latents
from .models import load_recorded
from .retrieval import retrieved

Asked = str | Question | Sequence[str | Question]
Questions = Asked | Mapping[str, Asked]
"""One question, several about every document, or by document id."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the reasoner answered to one question about one document."""

    document_id: str
    question: str
    text: str
    """Up to the end token or the first line break; greedy, so the same every time."""
    cut: bool
    """Whether the model was still writing when `most_tokens` ended it."""

    def __str__(self) -> str:
        return self.text


class Reasoner:
    """A causal language model that is never trained, and the projection that lets it read latents.

    >>> reasoner = Reasoner.from_pretrained(compressor=compressor)
    >>> reasoner.ask(latents, "Where does Ferrow live?")[0].text
    """

    def __init__(self, lm: CausalLM, compressor: Compressor | None = None) -> None:
        """Of a loaded model; `from_pretrained` takes a name or a path."""
        self.lm = lm
        self.compressor = compressor
        """Whose latents it reads; None if it reads text alone."""
        self._frozen = FrozenReasoner(lm)
        # A copy: the compressor may lie on another device.
        self._projection = (
            None if compressor is None else deepcopy(compressor.model.projection).to(lm.device)
        )
        adapters = None if compressor is None else compressor.model.adapters
        self._adapters = None if adapters is None else deepcopy(adapters).to(lm.device)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | None = None,
        *,
        compressor: Compressor | None = None,
        device: str | None = None,
        dtype: str = "float32",
    ) -> Self:
        """Load a reasoner.

        Args:
            name_or_path: `lab`, a folder or a hub id; None for the one that `compressor` was
                trained for. Another one than that is refused.
            compressor: whose latents it is to read; None to ask it about texts alone.
            device: as in torch, or `auto`; that of the compressor when None, else the CPU.
            dtype: float32, bfloat16 or float16.

        Raises:
            UsageError: neither a name nor a compressor was given.
            CheckpointError, TeacherError: another model than the compressor's, or not to be had.
        """
        place = device or (str(compressor.device) if compressor else "cpu")
        if compressor is None:
            if name_or_path is None:
                raise UsageError("give the name of a model, or compressor= to take its reasoner")
            return cls(load_causal_lm(name_or_path, device=place, dtype=dtype))
        expected, teacher = compressor.spec.reasoner, compressor.spec.teacher
        same = expected.weights_sha256 == teacher.weights_sha256
        if same and name_or_path is None and dtype == "float32" and place == str(compressor.device):
            return cls(compressor.teacher, compressor)
        lm = load_recorded("reasoner", expected, name_or_path, device=place, dtype=dtype)
        return cls(lm, compressor)

    def ask(
        self,
        about: Latents | Texts | None,
        questions: Questions,
        *,
        most_tokens: int = MOST_TOKENS,
        batch_size: int = 8,
    ) -> list[Answer]:
        """Ask every question about every document; each alone, right after the document.

        Args:
            about: latents; or texts, documents or the `Path` of a corpus, which are then read in
                full; or None, to see what is answered without any document.
            questions: one or several about every document, or a mapping from document id to those
                about it.
            most_tokens: longest answer; `Answer.cut` says where it ended one.
            batch_size: documents at once.

        Returns:
            Answers by document, then by question, in the order given.

        Raises:
            LatentcompError: latents of another compressor or for another reasoner, an unknown
                document id, a document too long for the model, or no question.
        """
        if most_tokens < 1 or batch_size < 1:
            raise UsageError(
                f"most_tokens {most_tokens}, batch_size {batch_size}: give 1 or more of each"
            )
        ids, prefixes = self._prefixes(about)
        rows = _by_document(questions, ids)
        return self._answers(ids, prefixes, rows, most_tokens, batch_size)

    def ask_retrieved(
        self,
        document: Document,
        questions: Asked,
        tokens: int,
        *,
        most_tokens: int = MOST_TOKENS,
        batch_size: int = 8,
    ) -> list[Answer]:
        """Ask about a document of which BM25 has chosen so many tokens for each question.

        Args:
            document: what is searched.
            questions: one or several.
            tokens: as many are read; give the number of latents to compare at equal tokens.
            most_tokens: longest answer.
            batch_size: questions at once.
        """
        texts = _texts(questions)
        prefixes = retrieved(self.lm, document, texts, tokens)
        ids = [document.document_id] * len(texts)
        return self._answers(ids, prefixes, [[text] for text in texts], most_tokens, batch_size)

    def _answers(
        self,
        ids: Sequence[str],
        prefixes: Sequence[Prefix],
        rows: Sequence[Sequence[str]],
        most_tokens: int,
        batch_size: int,
    ) -> list[Answer]:
        texts = greedy_answers(
            self.lm, prefixes, rows, most_tokens=most_tokens, batch_size=batch_size
        )
        return [
            Answer(name, question, text, self._is_cut(text, most_tokens))
            for name, row, given in zip(ids, rows, texts, strict=True)
            for question, text in zip(row, given, strict=True)
        ]

    def _is_cut(self, text: str, most_tokens: int) -> bool:
        # The end token counts: a whole answer leaves room for it.
        return len(self.lm.encode(f" {text}")) >= most_tokens

    def _prefixes(self, about: Latents | Texts | None) -> tuple[list[str], list[Prefix]]:
        if about is None:
            return [""], floor(self.lm, as_documents("none"))
        if isinstance(about, Latents):
            self.require_own(about)
            return list(about.document_ids), [self._prefix(one) for one in about]
        documents = as_documents(about)
        for document in documents:
            describe_document(self.lm, document)  # refuses what is longer than the model reads
        return [document.document_id for document in documents], ceiling(self.lm, documents)

    def require_own(self, latents: Latents) -> None:
        """Refuse latents that this reasoner cannot read: foreign ones would give silent nonsense.

        Raises:
            LatentcompError: names both sides.
        """
        record, own = latents.record, self.compressor
        if own is None:
            raise UsageError(
                f"latents of {record.compressor!r} are read through that compressor's projection; "
                "make the reasoner with Reasoner.from_pretrained(compressor=...)"
            )
        if record.compressor_sha256 != own.sha256:
            raise LatentcompError(
                f"these latents were made by another compressor, {record.compressor!r} (weights "
                f"{record.compressor_sha256[:12]}...), and not by {own.name!r} "
                f"({own.sha256[:12]}...); compress the documents again, or load that compressor"
            )
        if record.reasoner.weights_sha256 != self.lm.identity.weights_sha256:
            raise LatentcompError(
                f"these latents are for the reasoner {record.reasoner.name!r} (weights "
                f"{record.reasoner.weights_sha256[:12]}...), and not for "
                f"{self.lm.identity.name!r}; load that one"
            )

    @torch.inference_mode()
    def _prefix(self, document: DocumentLatents) -> Prefix:
        """What stands before the questions: the prompt's head, then the projected latents."""
        assert self._projection is not None
        z_BKE = pad_sequence([document.vectors.float()], batch_first=True).to(self.lm.device)
        at = document.positions
        compressed = Compressed(
            x_BKR=self._projection(z_BKE),
            mask_BK=torch.ones(z_BKE.shape[:2], dtype=torch.bool, device=self.lm.device),
            z_BKE=z_BKE,
            position_BK=None if at is None else at[None].to(self.lm.device),
            after_B=None if at is None else torch.tensor([document.tokens]).to(self.lm.device),
            adapters=self._adapters,
        )
        return prefixes_of(self._frozen, compressed)[0]


def _by_document(questions: Questions, ids: Sequence[str]) -> list[list[str]]:
    """The questions about each document. Raises: UsageError."""
    if isinstance(questions, Mapping):
        unknown = [name for name in questions if name not in ids]
        if unknown:
            raise UsageError(
                f"questions about {unknown[0]!r}, which is none of the {len(ids)} documents; the "
                f"first is {ids[0]!r}"
            )
        rows = [_texts(questions.get(name, ())) for name in ids]
    else:
        rows = [_texts(questions) for _ in ids]
    if not any(rows):
        raise UsageError("no question was given; give one, such as 'Where does Ann live?'")
    return rows


def _texts(given: Asked) -> list[str]:
    parts = [given] if isinstance(given, str | Question) else list(given)
    texts = [part.text if isinstance(part, Question) else part for part in parts]
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise UsageError(f"a question is a text that is not empty, got {text!r}")
    return texts
