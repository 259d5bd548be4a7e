"""Cache of replies on disk, keyed by the content of the call; no call is made twice."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ....common.atomic import disk_errors, write_json
from .calls import Call, Reply
from .server import ServedModel

SERVED = "served.json"

_SERVED = TypeAdapter(dict[str, ServedModel])


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    call: Call
    reply: Reply


class ReplyCache:
    """A folder with one JSON file a call, containing the call and its reply.

    Files are written atomically, so a killed run keeps all its replies, and several runs may
    share a folder. A file that is damaged, or whose call does not match its name, counts as
    absent: the call is made again and the file replaced.
    """

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which is created with the first reply."""
        self.folder = folder

    def path(self, call: Call) -> Path:
        """Path of the file of a call, which need not exist."""
        return self.folder / call.key[:2] / f"{call.key}.json"

    def get(self, call: Call) -> Reply | None:
        """The cached reply to a call; None if there is none.

        Raises:
            StoreError: the file exists and cannot be read.
        """
        path = self.path(call)
        with disk_errors(path):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return None
        try:
            entry = _Entry.model_validate_json(data)
        except ValidationError:
            return None
        return entry.reply if entry.call == call and entry.reply.usable else None

    def put(self, call: Call, reply: Reply) -> None:
        """Write a reply; it is durable once this returns.

        Raises:
            StoreError: the disk is full or the folder cannot be written.
        """
        write_json(self.path(call), _Entry(call=call, reply=reply).model_dump(mode="json"))

    def served(self, url: str) -> ServedModel | None:
        """The model that `url` served when these replies were written; None if unknown.

        A rerun uses it where the server is gone by then.
        """
        return self._served().get(url)

    def remember(self, url: str, model: ServedModel) -> None:
        """Write which model a server has. Raises: StoreError."""
        known = self._served()
        if known.get(url) != model:
            entries = (known | {url: model}).items()
            write_json(self.folder / SERVED, {at: one.model_dump() for at, one in entries})

    def _served(self) -> dict[str, ServedModel]:
        try:
            return _SERVED.validate_json((self.folder / SERVED).read_bytes())
        except (OSError, ValidationError):
            return {}
