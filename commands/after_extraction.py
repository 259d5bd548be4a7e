"""After an extraction: the run learns where its teacher lies, and the user what comes next."""

from pathlib import Path

from rich.console import Console

from ..experiment.known_models import remember_model
from ..experiment.phases import PHASES
from ..experiment.run_folder import RunFolder
from ..experiment.suggest import train_command
from ..models.layers import negative
from ..store.format.layout import MANIFEST, SEAL
from ..store.format.ledger import read_sealed
from ..store.format.schema import Manifest
from ..store.places.open import place_of


def tell_next(run: Path, teacher: str, console: Console) -> None:
    """Note by which name the teacher was given, and suggest the training that the store allows.

    Of an unfinished store, a dry run or one elsewhere than in a folder, nothing is said.

    Raises:
        LatentcompError: the run folder cannot be written.
    """
    folder = RunFolder(run)
    if not (folder.store / SEAL).is_file():
        return
    manifest = read_sealed(place_of(folder.store), MANIFEST, Manifest)
    remember_model(folder, manifest.teacher, teacher)
    blocks, recipe = manifest.teacher.blocks, PHASES[0].recipe
    stored = [negative(layer, blocks) for layer in reversed(manifest.layers)]
    layers = () if {*recipe.layers} <= {*stored} else stored
    console.print(f"now `{train_command(folder, recipe.name, layers=layers)}`")
