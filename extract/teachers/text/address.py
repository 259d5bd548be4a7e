"""Where the text teacher is by default; imports nothing, for the command line's sake."""

from typing import Final

PORT: Final = 8000
DEFAULT_URL: Final = f"http://127.0.0.1:{PORT}/v1"
