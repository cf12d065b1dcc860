"""A network in memory, with its own time: hosts, addresses, and servers that behave as a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionRefusedError, UserError
from twisted.internet.interfaces import IReactorPluggableNameResolver
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto.testing import ELSEWHERE, MemoryTransport

DELAY = 0.01
"""Seconds from one end to the other."""

REFUSE, SILENT, CLOSE, GARBAGE = "refuse", "silent", "close", "garbage"
"""What a server may do instead of answering; `REFUSE` and `SILENT` of connections as well."""

TAKING: Mapping[str, Any] = {
    "connect": "",
    "greeting": "220 mx.example",
    "EHLO": "250-mx.example\r\n250 PIPELINING",
    "MAIL": "250 2.1.0 Sender OK",
    "RCPT": "250 2.1.5 Recipient OK",
    "DATA": "354 Go on",
    ".": "250 2.0.0 Queued",
    "RSET": "250 OK",
    "QUIT": "221 Bye",
}
"""What a server says at each stage that takes everything.

A value may be a sequence, for the first, second, ... time on a connection; its last one stays.
A reply may end in ``|close``, after which the server closes, or begin with ``5.5|``, seconds
that it takes.  "content" may be `CLOSE`: before its end.  "idle" is seconds until it closes when
nothing is said.
"""


def serving(**changes: Any) -> dict[str, Any]:
    """`TAKING`, but for ``changes``; ``final`` is that of the end of the content."""
    if "final" in changes:
        changes["."] = changes.pop("final")
    return {**TAKING, **changes}


class Server(MemoryTransport):
    """One connection, seen from both ends.

    :ivar heard: the lines that came, without content.
    """

    def __init__(self, network: Network, host: str, script: Mapping[str, Any], protocol: Any) -> None:
        self.network, self.host, self.script = network, host, script
        self.heard: list[str] = []
        self._stages: dict[str, int] = {}
        self._input = b""
        self._content: bytes | None = None
        self._recipients: list[str] = []
        self._idle: Any = None
        self._saying: Any = None
        self._mute = False
        network.connections.append(self)
        super().__init__(protocol, network.peer, capacity=1 << 30)
        self._act("greeting")

    def write(self, data: bytes) -> None:
        super().write(data)
        self.network.callLater(DELAY, self._came)

    def loseConnection(self) -> None:
        super().loseConnection()
        self.network.callLater(DELAY, self._came)

    def _came(self) -> None:
        self._input += self.read()
        self._go_on()

    def _go_on(self) -> None:
        while self.is_open and self._saying is None:
            if self._content is not None:
                self._read_content()
                if self._content is not None:
                    return
            else:
                line, end, rest = self._input.partition(b"\r\n")
                if not end:
                    return
                self._input = rest
                self.heard.append(line.decode())
                stage = line[:4].decode().upper()
                if stage == "MAIL":
                    self._recipients = []
                self._act(stage)

    def _read_content(self) -> None:
        assert self._content is not None
        self._content += self._input
        self._input = b""
        if self._content and self.script.get("content") == CLOSE:
            self.drop()
            return
        content, end, rest = self._content.partition(b"\r\n.\r\n")
        if self._content.startswith(b".\r\n"):
            content, end, rest = b"", b".\r\n", self._content[3:]
        if end:
            self._content, self._input = None, rest
            self._act(".", content)

    def _act(self, stage: str, content: bytes = b"") -> None:
        number = self._stages[stage] = self._stages.get(stage, 0) + 1
        said: Any = self.script.get(stage, "500 What?")
        if not isinstance(said, str):
            said = said[min(number, len(said)) - 1]
        if stage == "." and content and said[:1] not in "45":
            # For all that the client can know.
            self.network.taken += [(recipient, content) for recipient in self._recipients]
        if self._mute or said == SILENT:
            self._mute = True
            return
        seconds, _, late = said.partition("|")
        if late and seconds.replace(".", "").isdigit() and len(seconds) != 3:
            said, wait = late, float(seconds)
        else:
            wait = 0.0
        self._saying = self.network.callLater(DELAY + wait, self._say, stage, said)

    def _say(self, stage: str, said: str) -> None:
        self._saying = None
        if not self.is_open:
            return
        said, _, then = said.partition("|")
        if stage == "RCPT" and said.startswith("250"):
            self._recipients.append(self.heard[-1])
        if stage == "DATA" and said.startswith("354"):
            self._content = b""
        if said == CLOSE:
            self.drop()
            return
        self._watch()
        self.send(b"\xff\x00 nonsense\r\n" if said == GARBAGE else said.encode() + b"\r\n")
        if then == CLOSE or said.startswith("221"):
            self.drop()
        self._go_on()

    def _watch(self) -> None:
        if self._idle is not None and self._idle.active():
            self._idle.cancel()
        if "idle" in self.script:
            self._idle = self.network.callLater(self.script["idle"], self.drop)

    def _lose(self, reason: Failure) -> None:
        for timer in (self._idle, self._saying):
            if timer is not None and timer.active():
                timer.cancel()
        super()._lose(reason)


class Connector:
    """An attempt to connect (`IConnector`)."""

    def __init__(self, network: Network, host: str, factory: Any) -> None:
        self.network, self.host, self.factory = network, host, factory
        self.call: Any = None
        self.is_over = False

    def getDestination(self) -> Any:
        return IPv4Address("TCP", self.host, 25)

    def stopConnecting(self) -> None:
        self.fail(UserError())

    def fail(self, error: Exception) -> None:
        if not self.is_over:
            self.is_over = True
            if self.call is not None and self.call.active():
                self.call.cancel()
            self.factory.clientConnectionFailed(self, Failure(error))

    def arrive(self, number: int) -> None:
        script = self.network.script(self.host, number)
        if script["connect"] == REFUSE:
            self.fail(ConnectionRefusedError())
        if script["connect"] in (REFUSE, SILENT):
            return
        self.is_over = True
        protocol = self.factory.buildProtocol(self.getDestination())
        if protocol is not None:
            Server(self.network, self.host, script, protocol)


@implementer(IReactorPluggableNameResolver)
class Network(Clock):
    """A reactor whose hosts are in memory.

    :param script: for a host's address and the number of the connection, from 0, what its server
        does (see `TAKING`).
    :ivar names: the addresses of each host; any other has none.
    :ivar peer: the address that every server seems to have.
    :ivar asked: the addresses that were tried.
    :ivar connections: that were made.
    :ivar taken: each recipient and content that came to its end, and was not refused.
    """

    def __init__(
        self, script: Callable[[str, int], Mapping[str, Any]], names: Mapping[str, Sequence[str]]
    ) -> None:
        super().__init__()
        self.script = script
        self.names = names
        self.asked: list[str] = []
        self.connections: list[Server] = []
        self.taken: list[tuple[str, bytes]] = []
        self.peer = ELSEWHERE
        self.nameResolver = self

    def installNameResolver(self, resolver: Any) -> None:
        raise NotImplementedError

    def resolveHostName(self, receiver: Any, host: str, portNumber: int = 0, **_: Any) -> None:  # noqa: N803
        receiver.resolutionBegan(self)
        for each in self.names.get(host, ()):
            kind = IPv6Address if ":" in each else IPv4Address
            receiver.addressResolved(kind("TCP", each, portNumber))
        self.callLater(DELAY, receiver.resolutionComplete)

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 0,
        bindAddress: Any = None,  # noqa: N803
    ) -> Any:
        connector = Connector(self, host, factory)
        factory.doStart()
        factory.startedConnecting(connector)
        connector.call = self.callLater(DELAY, connector.arrive, len(self.asked))
        self.asked.append(host)
        return connector

    @property
    def open_connections(self) -> list[Server]:
        """Of the client's end."""
        return [each for each in self.connections if each.is_open]

    def run(self, until: Callable[[], bool], seconds: float = 4000, steps: int = 100_000) -> float:
        """Let time pass.  :returns: how much did.  :raises AssertionError: it was not enough."""
        began = self.seconds()
        while not until():
            due = min((call.getTime() for call in self.getDelayedCalls()), default=None)
            assert due is not None, "nothing will ever happen again"
            assert due <= began + seconds, f"not within {seconds} s"
            steps -= 1
            assert steps, "something is done over and over"
            self.advance(max(due - self.seconds(), 0))
        return self.seconds() - began
