"""Whether a recipe can be trained with these models and this store."""

import math
from collections.abc import Sequence

from ..common.errors import CorpusError, RecipeError, StoreError, UsageError
from ..corpus.records import Document
from ..models.loading import CausalLM
from ..reasoner.attention import check_attention
from ..reasoner.body import blocks_of, final_norm_of
from ..reasoner.packing import encode_questions
from ..store.format.schema import LayerRecord, ModelIdentity
from ..store.read.reader import FeatureStore
from ..train.objectives import OBJECTIVES
from ..train.recipe import Recipe
from .stored_layers import check_layers


def check_models(
    recipe: Recipe,
    teacher: ModelIdentity,
    reasoner: ModelIdentity,
    layers: tuple[LayerRecord, ...],
    store: FeatureStore | None,
) -> None:
    """Refuse models and states that a recipe cannot be trained with.

    Raises:
        StoreError: of a control the reasoner is not the teacher, or a layer was not stored.
        UsageError: a student is questions for, and the reasoner is the teacher.
        RecipeError: an objective needs one tokenizer, and there are two.
    """
    if recipe.reasoner == "teacher" and teacher.weights_sha256 != reasoner.weights_sha256:
        raise StoreError(
            f"{recipe.name} is a control: its reasoner must be the teacher, but the store "
            f"is of {teacher.name!r} (weights {teacher.weights_sha256[:12]}...) and the reasoner "
            f"is {reasoner.name!r} ({reasoner.weights_sha256[:12]}...); "
            "give --reasoner or extract with this teacher"
        )
    if recipe.reasoner == "student" and teacher.weights_sha256 == reasoner.weights_sha256:
        raise UsageError(
            f"{recipe.name} asks for a smaller reasoner, and {reasoner.name!r} is the teacher "
            "itself; give another --reasoner"
        )
    reading = [name for name in recipe.objectives if OBJECTIVES[name].reads_document]
    if reading and teacher.tokenizer_sha256 != reasoner.tokenizer_sha256:
        raise RecipeError(
            f"objectives.{reading[0]} lets the reasoner {reasoner.name!r} read the tokens of the "
            f"teacher {teacher.name!r}, and their tokenizers differ; give a reasoner with the same "
            f"tokenizer, or --set objectives.{reading[0]}=null"
        )
    if store is not None:
        same = teacher.weights_sha256 == reasoner.weights_sha256
        check_layers(recipe, layers, store.manifest, store.path, embedded=same)


def check_positions(
    recipe: Recipe, reasoner: CausalLM, store: FeatureStore, documents: Sequence[Document]
) -> None:
    """Refuse documents whose questions would lie beyond what the reasoner was made to read.

    Latents that stand where their tokens were, and objectives for which the reasoner reads the
    document itself, need places for all of its tokens; others for the latents alone.

    Raises:
        CorpusError: names the longest of them, what it takes and what there is.
    """
    whole = recipe.model.positions == "tokens"
    whole |= any(OBJECTIVES[name].reads_document for name in recipe.objectives)
    shortest, longest = min(recipe.ratios), recipe.data.question_tokens
    by_id = {document.document_id: document for document in documents}
    worst, most = "", 0
    for name, tokens in zip(store.document_ids, store.lengths.tolist(), strict=True):
        places = tokens if whole else math.ceil(tokens / shortest) + 1
        # Longer questions are left out of a batch; most documents need no closer look.
        if name not in by_id or places + longest <= reasoner.context_tokens:
            continue
        questions = encode_questions(reasoner, by_id[name].training_questions)
        places += max((len(one) for one in questions if len(one) <= longest), default=0)
        if places > most:
            worst, most = name, places
    if most > reasoner.context_tokens:
        raise CorpusError(
            f"{store.path}: document {worst!r} takes {most:,} places with its longest question and "
            f"answer, and {reasoner.identity.name!r} reads at most {reasoner.context_tokens:,}; "
            "split such documents, or leave them out, and extract again"
        )


def shortest_and_longest(store: FeatureStore, documents: Sequence[Document]) -> list[Document]:
    """The documents of a store with the fewest and the most tokens, for the test of a reader."""
    names = {store.document_ids[int(at)] for at in (store.lengths.argmin(), store.lengths.argmax())}
    return [document for document in documents if document.document_id in names]


def check_reasoner(recipe: Recipe, lm: CausalLM) -> None:
    """Refuse a reasoner that lacks what an objective looks into, before anything is written.

    Raises:
        TeacherError: names the part and the objective to leave out.
    """
    if any(OBJECTIVES[name].needs_attention for name in recipe.objectives):
        check_attention(blocks_of(lm), lm.identity.name)
    if "reconstruction" in recipe.objectives:
        final_norm_of(lm)
