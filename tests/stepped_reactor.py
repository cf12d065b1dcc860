"""A reactor that takes a turn when a test says so, for transports that are Twisted's own."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure

from mailproto.testing import LOOPBACK

__all__ = ["SteppedReactor", "heard", "tcp_pair"]


class SteppedReactor(Clock):
    """Knows what it watches, and looks at it when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []
        self.writers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        if reader not in self.readers:
            self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        if reader in self.readers:
            self.readers.remove(reader)

    def addWriter(self, writer: Any) -> None:
        if writer not in self.writers:
            self.writers.append(writer)

    def removeWriter(self, writer: Any) -> None:
        if writer in self.writers:
            self.writers.remove(writer)

    def turn(self) -> None:
        """What a reactor does when all that it watches can be read and written."""
        for reader in list(self.readers):
            self._served(reader, reader.doRead())
        for writer in list(self.writers):
            self._served(writer, writer.doWrite())

    def _served(self, descriptor: Any, why: Any) -> None:
        if why is not None:
            self.removeReader(descriptor)
            self.removeWriter(descriptor)
            descriptor.connectionLost(Failure(why))


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection on this machine: the client's, which does not block, and the server's."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        server, _ = listening.accept()
    for end in (client, server):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.setblocking(False)
    return client, server


def heard(client: socket.socket) -> bytes:
    """All that has come, without waiting."""
    read = b""
    try:
        while piece := client.recv(1 << 22):
            read += piece
    except OSError:
        pass
    return read
