"""latentcomp: can a large model's reading of a document survive compression into a few latents?"""

from pathlib import Path

__version__ = "0.2.0"

# A checkout is imported through the link .dev/latentcomp. Modules load from their own
# place all the same, so tracebacks and breakpoints name the file that is edited.
__path__ = [str(Path(__file__).resolve().parent)]
