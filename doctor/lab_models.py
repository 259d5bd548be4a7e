"""Whether the models that ship are there and whole: teacher, student and compressors."""

from ..common.errors import LatentcompError
from ..models.files import identify_model, locate_model
from ..train.checkpoint import open_checkpoint
from .findings import Finding
from .settings import Settings

TEACHER = "lab"
LAB = (TEACHER, "lab-student")


def check_models(settings: Settings) -> Finding:
    """Read the files of each model, and open each compressor, whose hash is checked then."""
    try:
        known = {name: identify_model(locate_model(name)) for name in LAB}
        opened = {path.name: open_checkpoint(path) for path in settings.shipped}
    except LatentcompError as error:
        return _failed(str(error))
    for name, checkpoint in opened.items():
        teacher = checkpoint.state.spec.teacher
        if teacher.weights_sha256 != known[TEACHER].weights_sha256:
            return _failed(
                f"the compressor {name} reads a teacher with the weights "
                f"{teacher.weights_sha256[:12]}..., and the lab's has "
                f"{known[TEACHER].weights_sha256[:12]}..."
            )
    return Finding(
        status="ok",
        observed=f"{', '.join(LAB)} and the compressor of {', '.join(opened) or 'nothing'}: whole",
        details={name: model.weights_sha256 for name, model in known.items()},
    )


def _failed(observed: str) -> Finding:
    return Finding(
        status="failed", observed=observed, next_step="install latentcomp again from a whole copy"
    )
