"""Clients that ask much of a server, and those beside them that only ask how long it takes."""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from _parts.fairness_mail import PASSWORD
from _parts.program import WrongAnswer

__all__ = ["Client", "IMAPClient", "POP3Client", "SMTPClient", "Target", "TimeIsUp", "address"]

TAG = b"zz9"


class TimeIsUp(Exception):
    """A row has taken as long as it may."""


def address(account: str) -> str:
    """An account's name and mail address."""
    return f"{account}@example.org"


class Client:
    """A blocking client: it sends and reads, and knows when a row's time is up."""

    def __init__(self, target: Target, protocol: str, source: str) -> None:
        self._target = target
        self.is_over = False
        self._rest = b""
        self.socket = socket.create_connection(
            ("127.0.0.1", target.ports[protocol]), 120, source_address=(source, 0)
        )
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        target.clients.append(self)
        self.greeting = self.line()

    def fileno(self) -> int:
        return self.socket.fileno()

    def close(self) -> None:
        """Hang up, whatever is still to be read."""
        self.socket.close()

    def send(self, octets: bytes) -> None:
        """Send all of it, and meanwhile read and forget what comes."""
        left = memoryview(octets)
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
            while left and not self.is_over:
                for _, events in selector.select(self._target.seconds_left()):
                    try:
                        if events & selectors.EVENT_READ:
                            self._rest += self.receive()
                        if events & selectors.EVENT_WRITE:
                            left = left[self.socket.send(left[: 1 << 18]) :]
                    except OSError:  # the server has had enough
                        self.is_over = True

    def receive(self) -> bytes:
        """The next octets; b"" when the server has hung up.

        :raises TimeIsUp: nothing came.
        """
        self.socket.settimeout(self._target.seconds_left())
        try:
            data = self.socket.recv(1 << 20)
        except TimeoutError:
            raise TimeIsUp from None
        except OSError:
            data = b""
        self.is_over = self.is_over or not data
        return data

    def line(self) -> bytes:
        """The next line; b"" when the server has hung up."""
        while b"\n" not in self._rest and (data := self.receive()):
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def count(self, beginnings: tuple[bytes, ...], number: int) -> list[int]:
        """Read until ``number`` lines have come that begin with one of ``beginnings``.

        :returns: how many began with each; fewer if the server said why and hung up.
        """
        found = [0] * len(beginnings)
        data = b"\n" + self._rest
        while True:
            cut = data.rfind(b"\n")
            for index, beginning in enumerate(beginnings):
                found[index] += data.count(b"\n" + beginning, 0, cut + 1)
            # Of a long line, only its beginning may count.
            rest = data[cut:] if len(data) - cut < 1000 else data[cut : cut + 500]
            if sum(found) >= number or self.is_over or not (more := self.receive()):
                self._rest = rest[1:]
                return found
            data = rest + more


class IMAPClient(Client):
    """A client of IMAP."""

    def __init__(self, target: Target, account: str | None = None, source: str = "127.0.0.1") -> None:
        super().__init__(target, "imap", source)
        if account is not None:
            self.give(f"LOGIN {address(account)} {PASSWORD}")
            if self.count((TAG + b" ",), 1) != [1] or self.is_over:
                raise WrongAnswer(f"LOGIN {account}")

    def give(self, *commands: str | bytes) -> None:
        """Send commands in one piece."""
        given = (one if isinstance(one, bytes) else one.encode() for one in commands)
        self.send(b"".join(TAG + b" " + one + b"\r\n" for one in given))

    def answers(self, number: int, *, may_refuse: bool = False) -> None:
        """Read the answers to ``number`` commands.

        :param may_refuse: whether NO, BAD and BYE are answers, too.
        :raises WrongAnswer: when one is wrong or missing.
        """
        ok, no, bad, bye = self.count((TAG + b" OK", TAG + b" NO", TAG + b" BAD", b"* BYE"), number)
        is_right = ok + no + bad >= number or bye > 0 if may_refuse else ok >= number
        if not is_right and self._target.is_checked:
            raise WrongAnswer(f"{number} commands: {ok} OK, {no} NO, {bad} BAD, {bye} BYE")

    def do(self, *commands: str | bytes, may_refuse: bool = False) -> None:
        """Give commands, and read the answers."""
        self.give(*commands)
        self.answers(len(commands), may_refuse=may_refuse)


class POP3Client(Client):
    """A client of POP3."""

    def __init__(self, target: Target, account: str | None = None, source: str = "127.0.0.1") -> None:
        super().__init__(target, "pop3", source)
        if account is not None:
            self.do(f"USER {address(account)}", f"PASS {PASSWORD}")

    def do(self, *commands: str, may_refuse: bool = False) -> None:
        """Give commands in one piece, and read the first lines of their replies."""
        self.send("".join(f"{command}\r\n" for command in commands).encode())
        ok, err = self.count((b"+OK", b"-ERR"), len(commands))
        is_right = ok + err >= len(commands) if may_refuse else ok >= len(commands)
        if not is_right and self._target.is_checked:
            raise WrongAnswer(f"{len(commands)} commands of POP3: {ok} OK, {err} ERR")


class SMTPClient(Client):
    """A client of SMTP or LMTP that has said hello."""

    def __init__(self, target: Target, protocol: str) -> None:
        super().__init__(target, protocol, "127.0.0.1")
        self.say("LHLO localhost" if protocol == "lmtp" else "EHLO localhost")

    def say(self, line: str) -> bytes:
        """Send a line, and read the reply: its last line."""
        self.send(line.encode() + b"\r\n")
        return self.reply()

    def reply(self) -> bytes:
        """The last line of a reply."""
        while (line := self.line())[3:4] == b"-":
            pass
        return line


@dataclass
class Target:
    """A server under attack.

    :ivar ports: by protocol.
    :ivar is_checked: whether wrong answers are errors: ours.
    :ivar seconds: how long a row may take, and a flood goes on.
    :ivar clients: those that a row has made, to be closed after it.
    """

    ports: dict[str, int]
    is_checked: bool
    seconds: float
    flood_seconds: float
    clients: list[Any] = field(default_factory=list)
    _until: float = 0.0

    def begin(self, seconds: float | None = None) -> None:
        """The time of a row begins; or of something else, which may take ``seconds``."""
        self._until = time.monotonic() + (self.seconds if seconds is None else seconds)

    def seconds_left(self) -> float:
        """Until the row's time is up.

        :raises TimeIsUp: it is.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeIsUp
        return left

    def end(self) -> None:
        """Hang up all clients."""
        for client in self.clients:
            client.close()
        self.clients.clear()
