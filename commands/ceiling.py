"""The command `latentcomp ceiling`."""

from ..common.terminal import stdout_console
from .ceiling_options import CeilingOptions as CeilingOptions


def ceiling(options: CeilingOptions) -> None:
    """Measure the interface: latents optimised for each document, and what a frozen reader answers.

    Nothing is amortised: whatever writes that many latents cannot be expected to do better on the
    questions optimised for, and what does worse loses it in its own writing. Killed and started
    again with the same options, it goes on with the next batch of documents.
    Example: `latentcomp ceiling --ratio 8 --ratio 16 --documents 24`
    """
    from ..evaluate.interface.table import print_interface, unit_progress
    from .interface import RESULT, measure_interface

    console = stdout_console()
    with unit_progress(console) as on_unit:
        result = measure_interface(options, on_unit)
    print_interface(result, console)
    console.print(f"{options.out / RESULT}: written")
    if options.json is not None:
        result.write(options.json)
        console.print(f"{options.json}: written")
    if options.save_latents is not None:
        console.print(
            f"{options.save_latents}: latents of {result.documents} documents, for "
            "`latentcomp train --set objectives.regression=1 --targets FILE`"
        )
