# The names of __init__.py for type checkers and editors. A stub, because an import in __init__.py
# would make a circle with every module that asks it for the version.
from .api import Answer as Answer
from .api import Chunk as Chunk
from .api import Compressor as Compressor
from .api import Document as Document
from .api import DocumentLatents as DocumentLatents
from .api import Evaluation as Evaluation
from .api import LatentcompError as LatentcompError
from .api import Latents as Latents
from .api import Question as Question
from .api import Reasoner as Reasoner
from .api import Store as Store
from .api import StoredDocument as StoredDocument
from .api import read_corpus as read_corpus

__version__: str
__all__: list[str]
