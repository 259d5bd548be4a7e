"""Which generator's documents a model was trained to read; of other models, the lab's."""

from pathlib import Path

from ..common.errors import LatentcompError
from ..corpus.generators import GENERATORS, LAB_GENERATOR, UNRECORDED
from .files import PROMPT_FILE, read_json
from .local import find_local


def generator_for(model: str, given: int | None = None) -> int:
    """Version of the generator whose documents suit a model.

    Args:
        model: `lab`, `lab4`, a folder or a hub id; nothing is downloaded for it.
        given: by the user; it wins.

    Raises:
        LatentcompError: its `latentcomp.json` names an unknown version.
        TeacherError: that file is damaged, or a lab model is missing from the package.
    """
    if given is not None:
        return given
    files = find_local(model, PROMPT_FILE)
    return LAB_GENERATOR if files is None else generator_of(files.folder)


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
