"""A socket of UDP for one question."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Datagrams"]


@implementer(IReadDescriptor)
class Datagrams:
    """Sends one datagram to a server, and hears what that server sends, but nobody else.

    The system chooses a random port.  This is none of Twisted's ports, because Twisted logs when each of
    them is opened and closed.

    :param reactor: Twisted's reactor.
    :param server: its IP address and port.
    :param limit: octets of the longest datagram; of a longer one, its beginning is heard.
    :param heard: called with each datagram.
    :param failed: called with the reason, in words, when nothing more can be heard.
    :raises OSError: there is no socket, or no way to the server.
    """

    def __init__(
        self,
        reactor: Any,
        server: tuple[str, int],
        octets: bytes,
        limit: int,
        heard: Callable[[bytes], None],
        failed: Callable[[str], None],
    ) -> None:
        self._reactor = reactor
        self._limit = limit
        self._heard = heard
        self._failed = failed
        self._socket = socket.socket(
            socket.AF_INET6 if ":" in server[0] else socket.AF_INET, socket.SOCK_DGRAM
        )
        try:
            self._socket.setblocking(False)
            self._socket.connect(server)
            self._socket.send(octets)
        except OSError:
            self._socket.close()
            raise
        reactor.addReader(self)

    def close(self) -> None:
        """Hear no more."""
        if self._socket.fileno() >= 0:
            self._reactor.removeReader(self)
            self._socket.close()

    # -- called by the reactor

    def doRead(self) -> None:
        """Something has come: a datagram, or an error of the network."""
        try:
            datagram = self._socket.recv(self._limit)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._failed(_refusal(error))
            return
        self._heard(datagram)

    def connectionLost(self, reason: Failure) -> None:
        """An error of the network has come, as some reactors tell it."""
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if self.fileno() >= 0 else 0
        self._failed(_refusal(OSError(code, "") if code else ConnectionRefusedError()))

    def fileno(self) -> int:
        """The socket's; -1 once it is closed."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """As it is seen in tracebacks."""
        return type(self).__name__


def _refusal(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing answers there (connection refused)"
    return f"it cannot be reached: {error.strerror or error}"
