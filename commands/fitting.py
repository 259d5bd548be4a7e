"""Whether a recipe can be trained with these models and this store."""

from ..common.errors import RecipeError, StoreError, UsageError
from ..models.layers import EMBEDDINGS
from ..store.format.schema import LayerRecord, ModelIdentity
from ..store.read.reader import FeatureStore
from ..train.objectives import OBJECTIVES
from ..train.recipe import Recipe


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
        UsageError: a student is asked for, and the reasoner is the teacher.
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
    same = teacher.weights_sha256 == reasoner.weights_sha256  # it has embeddings, stored or not
    for layer in layers:
        if store is None or layer.blocks_completed in store.layers or same and layer == EMBEDDINGS:
            continue
        raise StoreError(
            f"{store.path}: no layer after {layer.blocks_completed} blocks here, only after "
            f"{', '.join(map(str, store.layers))}; extract with --layers "
            f"{','.join(map(str, recipe.layers))} into another --run, or train with those there are"
        )
