"""The command `latentcomp report`."""

from ..common.terminal import DEFAULT_RUN, RunOption, stdout_console


def report(run: RunOption = DEFAULT_RUN) -> None:
    """Write the run's report: one self-contained HTML page and its Markdown twin."""
    from ..experiment.present_run import require_run

    require_run(run)
    from ..report import write_report

    page = write_report(run)
    stdout_console().print(f"{page}: open it in a browser; {page.with_name('report.md')}: the same")
