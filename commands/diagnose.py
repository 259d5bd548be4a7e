"""The command `latentcomp diagnose`."""

from ..common.terminal import stdout_console
from .diagnose_options import DiagnoseOptions as DiagnoseOptions


def diagnose(options: DiagnoseOptions) -> None:
    """Look into a checkpoint: size and neighbours of its vectors, its layers, linear probes.

    Nothing here judges a phase. Documents are of the validation split unless another is named.
    Example: `latentcomp diagnose --phase 4 --documents 40`
    """
    from ..evaluate.diagnosis.result import print_diagnosis
    from ..evaluate.progress import arm_progress
    from .diagnosis import diagnose_checkpoint

    console = stdout_console()
    with arm_progress(console) as progress:
        result, file = diagnose_checkpoint(options, progress)
    print_diagnosis(result, console)
    console.print(f"{file}: written")
