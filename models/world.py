"""Which generator's documents a model was trained to read; of other models, the lab's."""

from pathlib import Path

from ..common.errors import LatentcompError
from ..corpus.generators import GENERATORS, LAB_GENERATOR, UNRECORDED
from .files import LAB_FOLDERS, PROMPT_FILE, read_json


def generator_for(model: str, given: int | None = None) -> int:
    """Version of the generator whose documents suit a model.

    Args:
        model: a name of `LAB_FOLDERS`, a folder or a hub id, which is not looked up: no model of a
            hub is of a generator.
        given: by the user; it wins.

    Raises:
        LatentcompError: its `latentcomp.json` names an unknown version.
        TeacherError: that file is damaged.
    """
    if given is not None:
        return given
    folder = LAB_FOLDERS.get(model, Path(model).expanduser())
    return generator_of(folder) if (folder / PROMPT_FILE).is_file() else LAB_GENERATOR


def generator_of(folder: Path) -> int:
    """The same of the folder of a lab model.

    Raises:
        LatentcompError: its `latentcomp.json` names an unknown version.
        TeacherError: that file is damaged.
    """
    file = folder / PROMPT_FILE
    version = read_json(file).get("generator", UNRECORDED) if file.is_file() else UNRECORDED
    if version not in GENERATORS:
        known = " or ".join(map(str, GENERATORS))
        raise LatentcompError(f"{file}: generator is {version!r}, expected {known}")
    return int(version)
