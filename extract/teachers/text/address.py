"""Default address of the text teacher; imports nothing, so that the command line starts fast."""

from typing import Final

PORT: Final = 8000
DEFAULT_URL: Final = f"http://127.0.0.1:{PORT}/v1"
