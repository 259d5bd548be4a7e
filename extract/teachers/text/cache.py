"""Replies on disk, found by the content of the call: what was asked once is never asked again."""

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
    """A folder with one JSON file a call, which holds the call beside its reply.

    Every file is whole or absent, so a killed run loses nothing that was answered, and several
    runs may share a folder. A file that is damaged, or whose call is not the one that its name
    stands for, counts as absent: the call is made again and the file replaced.
    """

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which is made when the first reply comes."""
        self.folder = folder

    def path(self, call: Call) -> Path:
        """Where the reply to a call lies or would lie."""
        return self.folder / call.key[:2] / f"{call.key}.json"

    def get(self, call: Call) -> Reply | None:
        """The reply to a call; None where it has to be asked.

        Raises:
            StoreError: the file is there and the disk does not give it.
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
        return entry.reply if entry.call == call else None

    def put(self, call: Call, reply: Reply) -> None:
        """Keep a reply, durably once this returns.

        Raises:
            StoreError: the disk is full or the folder cannot be written.
        """
        write_json(self.path(call), _Entry(call=call, reply=reply).model_dump(mode="json"))

    def served(self, url: str) -> ServedModel | None:
        """The model that `url` served when these replies were written; None if not known.

        A rerun that names no model means this one, and so needs no server to be told its name.
        """
        return self._served().get(url)

    def remember(self, url: str, model: ServedModel) -> None:
        """Keep which model a server has. Raises: StoreError."""
        known = self._served()
        if known.get(url) != model:
            entries = (known | {url: model}).items()
            write_json(self.folder / SERVED, {at: one.model_dump() for at, one in entries})

    def _served(self) -> dict[str, ServedModel]:
        try:
            return _SERVED.validate_json((self.folder / SERVED).read_bytes())
        except (OSError, ValidationError):
            return {}
