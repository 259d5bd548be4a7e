"""The fake server writes nothing where the command under test writes its one line."""

import socket
import struct
from urllib.parse import urlsplit

from .fake_server import FakeServer


def test_a_client_that_goes_away_leaves_no_traceback_on_stderr(capfd):
    server = FakeServer()
    address = ("127.0.0.1", urlsplit(server.url).port or 0)
    half = socket.create_connection(address)
    half.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n")
    half.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    half.close()  # with a reset, as that of a cancelled call
    whole = socket.create_connection(address)
    whole.sendall(b"GET /v1/models HTTP/1.0\r\n\r\n")
    assert b"200 OK" in whole.makefile("rb").read()
    server.close()
    assert capfd.readouterr().err == ""
