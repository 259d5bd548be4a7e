"""The command `latentcomp report`."""

from pathlib import Path
from typing import Annotated

import typer

from ..common.terminal import DEFAULT_RUN, RunOption, stdout_console


def report(
    run: RunOption = DEFAULT_RUN,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Two run folders side by side in one page, instead.", metavar="RUN RUN"),
    ] = None,
) -> None:
    """Write the run's report: one self-contained HTML page and its Markdown twin.

    With --compare one page on two runs: report/compare.html of the first.
    """
    from ..experiment.present_run import require_run

    if compare is not None:
        from ..report.compare import write_comparison

        for each in compare:
            require_run(each)
        page = write_comparison(*compare)
        stdout_console().print(f"{page}: open it in a browser")
        return
    require_run(run)
    from ..report import write_report

    page = write_report(run)
    stdout_console().print(f"{page}: open it in a browser; {page.with_name('report.md')}: the same")
