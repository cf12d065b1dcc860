"""What all commands of the client stand on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from mailproto._arguments import check_bool, check_call, check_type
from mailproto._twisted_arguments import check_clock
from mailproto.client import Client
from mailproto.imap.client._command import Command, Piece
from mailproto.imap.client._gathering import Gathered, not_offered
from mailproto.imap.client._mailbox_values import IMAPEvent
from mailproto.imap.client._session import IMAPSession
from mailproto.imap.client._timeouts import IMAPTimeouts
from mailproto.imap.wire import encode_mailbox
from mailproto.imap.wire._answers import Answer, Data
from mailproto.imap.wire._client_limits import IMAPClientLimits
from mailproto.model import INBOX
from mailproto.typing import ReactorTime

__all__ = ["ClientCore"]

T = TypeVar("T")


class ClientCore(Client[Answer, frozenset[str]]):
    """The parts of `IMAPClient` that its commands use."""

    _session: IMAPSession
    timeouts: IMAPTimeouts

    def __init__(
        self,
        clock: ReactorTime,
        *,
        listener: Callable[[IMAPEvent], object] | None = None,
        timeouts: IMAPTimeouts | None = None,
        limits: IMAPClientLimits | None = None,
        is_remote: bool = False,
    ) -> None:
        check_clock("clock", clock)
        timeouts = IMAPTimeouts() if timeouts is None else timeouts
        check_type("timeouts", timeouts, IMAPTimeouts, "an IMAPTimeouts or None", "write IMAPTimeouts(...)")
        limits = IMAPClientLimits() if limits is None else limits
        check_type("limits", limits, IMAPClientLimits, "an IMAPClientLimits or None")
        check_bool("is_remote", is_remote)
        session = IMAPSession(clock, timeouts=timeouts, limits=limits, is_remote=is_remote)
        if listener is not None:
            check_call("listener", listener, "a function that takes an event, or None", 1)
            session.unasked.listeners.append(listener)
        super().__init__(session, timeouts)
        self._send = session.command
        self._within_turn = session.within_turn

    # -- for commands

    async def _knows(self) -> None:
        """Make sure that the server's capabilities are known."""
        if self._session.capabilities is None:
            await self._send(Command("CAPABILITY", [b"CAPABILITY"]))
            if self._session.capabilities is None:
                self._session.learn(b"IMAP4REV1")

    async def _learn_within_turn(self) -> None:
        if self._session.capabilities is None:
            await self._within_turn(Command("CAPABILITY", [b"CAPABILITY"]))
            if self._session.capabilities is None:
                self._session.learn(b"IMAP4REV1")

    async def _needs(self, *capabilities: str) -> None:
        """Make sure that the server has one of ``capabilities``.

        :raises NotOffered: it has none.
        """
        await self._knows()
        if not self._session.has(*capabilities):
            raise not_offered(capabilities[0])

    async def _ask(
        self,
        name: str,
        pieces: Iterable[Piece],
        *names: str,
        wanted: Callable[[Data], bool] | None = None,
    ) -> list[Data]:
        """Send a command, and gather the responses of these names, or those of them that are ``wanted``."""
        gathered = Gathered(self._session, wanted)
        await self._send(Command(name, pieces, gathered, names))
        return gathered.data

    async def _ask_of(
        self,
        mailbox: str,
        name: str,
        pieces: Iterable[Piece],
        response: str,
        read: Callable[[Data], tuple[str, T] | None],
    ) -> list[T]:
        """Send a command about one mailbox.  Those about different mailboxes are sent together.

        :param read: reads a response: the mailbox's name, and what is told of it.
        :returns: what the server tells of it.
        """
        session = self._session
        asked = INBOX if mailbox.upper() == INBOX else mailbox
        told: list[T] = []

        def is_wanted(data: Data) -> bool:
            """Whether it is of this mailbox; the server may name it otherwise if no other is asked for."""
            found = read(data)
            asking = sum(response in each.names for each in session.running.listening)
            if found is None or (found[0] != asked and asking > 1):
                return False
            told.append(found[1])
            return True

        await self._send(Command(name, pieces, Gathered(session, is_wanted), (response,), mailbox=asked))
        return told

    def _name(self, name: str) -> bytes:
        """A mailbox's name as an argument.

        :raises TypeError, ValueError: it is none.
        """
        check_type("mailbox", name, str, "a mailbox's name, a str")
        if "\0" in name or "\r" in name or "\n" in name:
            raise ValueError(f"mailbox must be a name without line ends, not {name!r}")
        return encode_mailbox(name, utf8=self._session.utf8)
