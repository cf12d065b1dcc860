"""An SMTP server that says what a test says, in a thread: for programs that talk to a next hop."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

__all__ = ["DROP", "ScriptedPeer"]

DROP = "(drop)"
"""Instead of a reply: the connection is closed."""

GOOD = {
    "EHLO": "250-peer.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 100000",
    "MAIL": "250 2.1.0 OK",
    "RCPT": "250 2.1.5 OK",
    "DATA": "354 Go on",
    ".": "250 2.0.0 OK, queued as 1234",
    "RSET": "250 2.0.0 Reset",
    "NOOP": "250 2.0.0 OK",
    "QUIT": "221 2.0.0 Bye",
}


class ScriptedPeer:
    """Listens on a free port of 127.0.0.1 until `close`; one client at a time.

    :param replies: by verb, or by the whole line (``RCPT TO:<a@b>``); ``.`` for the end of the content.
    :ivar heard: all lines of all clients, but for content; ``(end)`` where one left.
    :ivar contents: the messages that were brought.
    """

    def __init__(
        self, replies: Mapping[str, str] | None = None, greeting: str = "220 peer.test ESMTP"
    ) -> None:
        self.replies = {**GOOD, **(replies or {})}
        self.greeting = greeting
        self.heard: list[str] = []
        self.contents: list[bytes] = []
        self._changed = threading.Condition()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more; a client that is still there keeps its connection."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # `accept` in the thread would go on otherwise
        self._socket.close()

    def wait_until_heard(self, *lines: str, seconds: float = 30) -> None:
        """:raises AssertionError: the last lines that were heard are others."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.heard[-len(lines) :] == list(lines), seconds):
                raise AssertionError(f"heard {self.heard}")

    def _note(self, line: str) -> None:
        with self._changed:
            self.heard.append(line)
            self._changed.notify_all()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client, client.makefile("rb") as lines:
                self._say(client, self.greeting)
                self._talk(client, lines)
            self._note("(end)")

    def _talk(self, client: socket.socket, lines: Any) -> None:
        for octets in lines:
            line = octets.decode().rstrip("\r\n")
            self._note(line)
            reply = self.replies.get(line) or self.replies.get(line[:4].upper(), "502 5.5.1 What?")
            if not self._say(client, reply) or line == "QUIT":
                return
            if line == "DATA" and reply.startswith("354"):
                content = []
                for octets in lines:
                    if octets == b".\r\n":
                        break
                    content.append(octets)
                else:
                    return
                self.contents.append(b"".join(content))
                if not self._say(client, self.replies["."]):
                    return

    def _say(self, client: socket.socket, reply: str) -> bool:
        if reply == DROP:
            return False
        client.sendall(reply.encode() + b"\r\n")
        return not reply.startswith("421")
