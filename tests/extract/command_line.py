"""Running the program as a user does, inside the test process, and looking at what it left."""

from dataclasses import dataclass
from pathlib import Path

from latentcomp import cli


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line on stderr of a command that refused to work."""
        assert self.code == 2, (self.code, self.out, self.err)
        (line,) = self.err.splitlines()
        assert line.startswith("error: "), line
        return line


def run_command(capsys, *arguments) -> Ran:
    """Run `latentcomp <arguments>`."""
    capsys.readouterr()
    code = cli.run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return Ran(code, captured.out, captured.err)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by relative path; hidden ones too."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
