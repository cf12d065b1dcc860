"""POP3 clients: the commands that their users may call (RFC 1939)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailproto._arguments import check_bool, check_type, check_whole, wrong_value
from mailproto._twisted_arguments import check_clock
from mailproto.auth.sasl import ClientCredentials
from mailproto.client import Client, ServerAddress
from mailproto.client.errors import CommandRefused, ProtocolViolation, TLSUnavailable
from mailproto.pop3.client._command import Command
from mailproto.pop3.client._lists import parse_capabilities, parse_size, parse_stat, parse_unique_id
from mailproto.pop3.client._session import POP3Session
from mailproto.pop3.client._signing_in import authenticate
from mailproto.pop3.client._sinks import FileSink, LinesSink, MemorySink, PiecesSink, Sink, Writable
from mailproto.pop3.client._timeouts import POP3Timeouts, checked_timeouts
from mailproto.pop3.wire import POP3Event, POP3ReplyLimits, Reply
from mailproto.typing import ClientTLSContext, ReactorTime

__all__ = ["POP3Client"]

T = TypeVar("T")

_LANGUAGE: Final = re.compile(r"\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")


class POP3Client(Client[POP3Event, Mapping[str, tuple[str, ...]]]):
    """A connection to a POP3 server, made by `open` or `connect`::

        client = await POP3Client.open(reactor, server)      # a `mailproto.client.ServerAddress`
        for number, unique_id in (await client.uidl()).items():
            message = await client.retr(number)              # bytes
            await client.dele(number)
        await client.commit()                                # removes what `dele` has marked

    Messages have numbers from 1, which hold for this session; a unique id holds for all sessions.  Calls are
    carried out in order.  Calls that are made before earlier ones have their results are sent at once if
    the server offers PIPELINING, up to 64 of them: that is many times faster.  Every method that talks to
    the server raises `ConnectionLost` (or a subclass) if there is no connection, and `CommandRefused` if
    the server refuses.  What is no POP3, or more than the limits, ends the connection (`ProtocolViolation`).

    :param clock: the reactor, or `twisted.internet.task.Clock` in tests.  (`open` and `connect` pass it.)
    :param timeouts: how long the client waits for the server; by default, `POP3Timeouts` as they are.
    :param limits: how much the server may send; by default, `mailproto.pop3.wire.POP3ReplyLimits` as they
        are.
    :param pipelining: False to wait for each answer even if the server offers PIPELINING.
    :param is_remote: True if the server is on another machine although the connection's other end is on this
        machine, as with a proxy or a tunnel.  No secret is sent in clear then.
    :raises TypeError: an argument is of the wrong type.
    """

    _session: POP3Session
    timeouts: POP3Timeouts

    def __init__(
        self,
        clock: ReactorTime,
        *,
        timeouts: POP3Timeouts | None = None,
        limits: POP3ReplyLimits | None = None,
        pipelining: bool = True,
        is_remote: bool = False,
    ) -> None:
        check_clock("clock", clock)
        timeouts = checked_timeouts(timeouts)
        if limits is not None:
            check_type("limits", limits, POP3ReplyLimits, "a POP3ReplyLimits or None")
        check_bool("pipelining", pipelining)
        check_bool("is_remote", is_remote)
        session = POP3Session(
            clock,
            timeouts=timeouts,
            limits=limits or POP3ReplyLimits(),
            pipelining=pipelining,
            is_remote=is_remote,
        )
        super().__init__(session, timeouts)

    @classmethod
    def default_port(cls, server: ServerAddress) -> int:
        """995 with implicit TLS, otherwise 110."""
        return 995 if server.tls == "implicit" else 110

    # -- what is known about the server

    @property
    def greeting(self) -> Reply | None:
        """The server's greeting; None before it has come."""
        return self._session.greeting

    @property
    def capabilities(self) -> Mapping[str, tuple[str, ...]]:
        """What the server offered in reply to the latest `capa`: parameters by name, both in the server's
        case but for the names, which are in upper case.  Empty if it does not know CAPA."""
        return self._session.capabilities or {}

    @property
    def authenticated_by(self) -> str:
        """The mechanism with which the client has signed in, ``APOP`` or ``USER``; "" if it has not."""
        return self._session.authenticated_by

    # -- the session

    def capa(self) -> Deferred[Mapping[str, tuple[str, ...]]]:
        """CAPA (RFC 2449): learn what the server offers; an old server offers nothing."""
        return self._session.run(self._capa)

    def authenticate(
        self,
        credentials: ClientCredentials,
        *,
        mechanism: str | None = None,
        allow_clear: bool = False,
    ) -> Deferred[str]:
        """Sign in: with the best of the server's SASL mechanisms; if there is none that can be used, with
        USER and PASS; or with APOP, if a password must not be shown.

        :param mechanism: use this SASL mechanism, ``APOP`` or ``USER``, and nothing else.
        :param allow_clear: True to send a secret in clear without TLS, or to a server with an unverified
            certificate.  Otherwise a secret in clear goes only to a server on this machine.
        :returns: the mechanism that was used.
        :raises TypeError: the argument is of no class of credentials.
        :raises AuthenticationRefused: the server does not accept the credentials, or cannot check them or
            open the mailbox now (`Reply.code`).
        :raises AuthenticationUnavailable: nothing can be used; the connection goes on.
        :raises ServerUntrusted: the mechanism asks the server to prove that it knows the password, and the
            server failed; the connection is closed.
        """
        session = self._session
        return session.run(lambda: authenticate(session, credentials, mechanism, allow_clear=allow_clear))

    def utf8(self) -> Deferred[None]:
        """UTF8 (RFC 6856 2), after `starttls` and before `authenticate`: take UTF-8 in headers."""
        return self._simple("UTF8")

    def lang(self, language: str = "") -> Deferred[str]:
        """LANG (RFC 6856 3): choose the language of the server's texts.

        :param language: a language range such as ``de`` or ``de-AT``; "*" for the server's choice.
        :returns: the language's tag.
        :raises ValueError: it is no language range.
        """
        if not _LANGUAGE.fullmatch(language):
            raise wrong_value("language", language, "a language range such as 'de', or '*'")
        return self._simple(f"LANG {language}", lambda reply: reply.text.partition(" ")[0])

    def noop(self) -> Deferred[None]:
        """NOOP: keep the connection open."""
        return self._simple("NOOP")

    def rset(self) -> Deferred[None]:
        """RSET: no message is marked any more."""
        return self._simple("RSET")

    def commit(self) -> Deferred[None]:
        """QUIT: let the server remove what `dele` has marked, and close.

        :raises CommandRefused: some or all of it is still there (RFC 1939 6).  The connection is closed.
        :raises ConnectionLost: the server did not answer: nobody knows what was removed.
        """
        return self._session.run(self._quit)

    def quit(self) -> Deferred[None]:
        """`commit` without its errors; fires when the connection is closed.  To remove nothing, `abort`."""
        if self.is_usable:
            self.commit().addErrback(_ignored)
        return self.closed()

    # -- the mailbox

    def stat(self) -> Deferred[tuple[int, int]]:
        """STAT: the number of messages that are not marked, and their octets."""
        return self._simple("STAT", lambda reply: parse_stat(reply.text))

    def list(self, number: int | None = None) -> Deferred[Mapping[int, int]]:
        """LIST: the sizes of the messages that are not marked, in octets, by number.

        Servers err in sizes: use them to estimate, not to reserve room.

        :param number: of the only message to ask for.
        """
        return self._listing("LIST", parse_size, number)

    def uidl(self, number: int | None = None) -> Deferred[Mapping[int, str]]:
        """UIDL: the unique ids of the messages that are not marked, by number.

        Some servers give no id for a message, which is left out then, or give two messages the same one.

        :param number: of the only message to ask for.
        :raises CommandRefused: there is no such message, or the server has no unique ids.
        """
        return self._listing("UIDL", parse_unique_id, number)

    def retr(self, number: int) -> Deferred[bytes]:
        """RETR: a message, in memory, as the server sent it: with CRLF, if it keeps to the protocol.

        A message of more than ``POP3ReplyLimits.in_memory`` octets ends the connection.
        """
        return self._message("RETR", (number,), MemorySink(self._session.limits.in_memory))

    def top(self, number: int, lines: int = 0) -> Deferred[bytes]:
        """TOP: a message's header, and the first lines of its body; the limit is that of `retr`."""
        return self._message("TOP", (number, lines), MemorySink(self._session.limits.in_memory))

    def save(
        self, number: int, file: Writable, *, lines: int | None = None, limit: int | None = None
    ) -> Deferred[int]:
        """RETR or TOP: write a message to a file as it comes.

        If the file raises an error, that is the result, and the rest of the message is dropped.

        :param file: anything with ``write(octets)``.
        :param lines: how many lines of the body (TOP); None for all (RETR).
        :param limit: more octets than this end the connection.
        :returns: the number of octets.
        """
        if not callable(getattr(file, "write", None)):
            raise TypeError(f"file must have a method write, not be a {type(file).__name__}")
        return self._message(*_retrieval(number, lines), FileSink(file, _limit(limit)))

    def stream(
        self, number: int, *, lines: int | None = None, limit: int | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """RETR or TOP: the pieces of a message, which are read from the server no faster than taken::

            async with client.stream(1) as pieces:
                async for piece in pieces:
                    ...

        Calls that were made meanwhile wait.  What the loop does not take is read and dropped.

        The parameters are those of `save`.
        """
        return self._stream(*_retrieval(number, lines), _limit(limit))

    def dele(self, number: int) -> Deferred[None]:
        """DELE: mark a message; `commit` removes it."""
        return self._simple(f"DELE {_number(number)}")

    # -- behind that

    def _introduce(self) -> Deferred[Any]:
        return self.capa()

    async def _capa(self) -> Mapping[str, tuple[str, ...]]:
        session = self._session
        session.capabilities = None
        lines: list[str] = []
        sink = LinesSink(lines.append, lambda: parse_capabilities(lines), session.limits)
        command = Command(session, "CAPA", b"CAPA\r\n", sink=sink)
        session.begin(command)
        try:
            session.capabilities = await command.result
        except CommandRefused:
            session.capabilities = None
        return self.capabilities

    async def _starttls(self, tls: ClientTLSContext) -> Mapping[str, tuple[str, ...]]:
        session = self._session
        if session.capabilities is not None and "STLS" not in session.capabilities:
            raise TLSUnavailable("STLS is not offered")
        reply = await session.say("STLS", b"STLS\r\n")
        if not reply.is_ok:
            raise TLSUnavailable(reply=reply)
        session.capabilities = None
        await session.start_tls(tls)
        return await self._capa()

    async def _quit(self) -> None:
        session = self._session
        reply = await session.say("QUIT", b"QUIT\r\n", self.timeouts.commit)
        session.leave()
        if not reply.is_ok:
            raise CommandRefused(reply=reply)

    def _simple(self, line: str, read: Callable[[Reply], Any] | None = None) -> Deferred[Any]:
        name = line.partition(" ")[0]
        return self._session.submit(Command(self._session, name, f"{line}\r\n".encode("ascii"), read=read))

    def _listing(
        self, name: str, parse: Callable[[str], tuple[int, T]], number: int | None
    ) -> Deferred[Mapping[int, T]]:
        found: dict[int, T] = {}
        seen: set[int] = set()

        def add(line: str) -> None:
            each, value = parse(line)
            if each in seen or number not in (None, each):
                raise ProtocolViolation(
                    f"The server answered {name} with the message {each} twice, or unasked"
                )
            seen.add(each)
            if value != "":
                found[each] = value

        if number is not None:

            def read(reply: Reply) -> Mapping[int, T]:
                words = reply.text.split()
                is_bare = name == "UIDL" and len(words) == 1 and words[0] != str(number)
                add(
                    f"{number} {words[0]}" if is_bare else reply.text
                )  # Twisted's server leaves the number out
                return found

            return self._simple(f"{name} {_number(number)}", read)
        sink: Sink[Mapping[int, T]] = LinesSink(add, lambda: found, self._session.limits)
        return self._session.submit(Command(self._session, name, f"{name}\r\n".encode("ascii"), sink=sink))

    def _message(self, name: str, numbers: tuple[int, ...], sink: Sink[T]) -> Deferred[T]:
        words = " ".join([name, *map(str, map(_checked, ("number", "lines"), numbers))])
        return self._session.submit(Command(self._session, name, f"{words}\r\n".encode("ascii"), sink=sink))

    @asynccontextmanager
    async def _stream(
        self, name: str, numbers: tuple[int, ...], limit: int | None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        connection = self._session.connection

        def hold(is_held: bool) -> None:
            connection.hold() if is_held else connection.go_on()

        sink = PiecesSink(hold, limit)
        done = self._message(name, numbers, sink)
        done.addErrback(sink.fail)
        try:
            yield sink
        finally:
            sink.leave()


def _retrieval(number: int, lines: int | None) -> tuple[str, tuple[int, ...]]:
    return ("RETR", (number,)) if lines is None else ("TOP", (number, lines))


def _number(number: int) -> int:
    return _checked("number", number)


def _checked(name: str, value: int) -> int:
    check_whole(name, value, 1 if name == "number" else 0)
    return value


def _limit(limit: int | None) -> int | None:
    if limit is not None:
        check_whole("limit", limit, 1, "octets")
    return limit


def _ignored(_: Failure) -> None:
    """`POP3Client.quit` tells no errors."""
