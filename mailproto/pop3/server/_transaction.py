"""The TRANSACTION state: commands on the maildrop, and QUIT, which removes messages (RFC 1939 5 to 7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from mailproto.awaiting import settle
from mailproto.content import Octets, chunks, unwrapped
from mailproto.errors import MailError, Unavailable, storage_failure
from mailproto.message import HEADER_LIMIT, Index, Steps, Working, ascii_header_steps, scan_steps, top_steps
from mailproto.model import Part
from mailproto.pop3.server._capabilities import capabilities
from mailproto.pop3.server._errors import BadCommand
from mailproto.pop3.server._language import lang
from mailproto.pop3.server._maildrop import LINES, Maildrop
from mailproto.pop3.server._read_ahead import ReadAhead, header_of, no_longer_there, retrieved
from mailproto.pop3.wire import Command, DotStuffing, Response, multiline, ok

if TYPE_CHECKING:
    from mailproto.pop3.server._server import POP3Server

__all__ = ["Transaction"]

T = TypeVar("T")


class Transaction:
    """A session after login."""

    def __init__(self, connection: POP3Server, maildrop: Maildrop) -> None:
        self._connection = connection
        self._drop = maildrop
        self._read_ahead = ReadAhead(maildrop, is_utf8=connection.is_utf8)

    def handle(self, event: Command | Response) -> Awaitable[None] | None:
        """Act on one command."""
        row = _COMMANDS.get(event.keyword) if isinstance(event, Command) else None
        if row is None or not isinstance(event, Command):
            raise BadCommand("Unknown command, or not after login")
        command, fewest, most = row
        arguments = event.arguments
        if not fewest <= len(arguments) <= most:
            raise BadCommand(f"{event.keyword}: wrong number of arguments")
        return command(self, arguments)

    def interrupted(self) -> None:
        """After a syntax error: there is nothing to forget, because no command here has several lines."""

    # -- commands

    def _capa(self, _: list[bytes]) -> None:
        self._connection.write(multiline("Capabilities", capabilities(self._connection)))

    def _stat(self, _: list[bytes]) -> None:
        self._connection.write(ok(f"{self._drop.count} {self._drop.octets}"))

    def _list(self, arguments: list[bytes]) -> Awaitable[None] | None:
        drop = self._drop
        if arguments:
            self._one(arguments[0], drop.size)
            return None
        return self._listing(f"{drop.count} messages ({drop.octets} octets)", drop.size_lines)

    def _uidl(self, arguments: list[bytes]) -> Awaitable[None] | None:
        drop = self._drop
        if arguments:
            self._one(arguments[0], drop.unique_id)
            return None
        return self._listing("Unique ids", drop.unique_id_lines)

    def _one(self, argument: bytes, value: Callable[[int], object]) -> None:
        number = self._drop.number(argument)
        self._connection.write(ok(f"{number} {value(number)}"))

    def _listing(self, text: str, lines: Callable[[int], str]) -> Awaitable[None] | None:
        """Answer one line for each message that is not marked."""
        if len(self._drop) > LINES:
            return self._long_listing(text, lines)
        self._connection.write(ok(text) + lines(1).encode("ascii") + b".\r\n")
        return None

    async def _long_listing(self, text: str, lines: Callable[[int], str]) -> None:
        """`_listing` in pieces, as fast as the client reads, and with room for others in between."""
        connection = self._connection
        connection.write(ok(text))
        for start in range(1, len(self._drop) + 1, LINES):
            connection.write(lines(start).encode("ascii"))
            await connection.drained()
            await connection.breathe()
        connection.write(b".\r\n")

    def _lang(self, arguments: list[bytes]) -> None:
        lang(self._connection, Command("LANG", b" ".join(arguments)))

    def _retr(self, arguments: list[bytes]) -> Awaitable[None] | None:
        number = self._drop.number(arguments[0])
        self._connection.retrieved += 1
        reply = self._read_ahead.take_reply(number)
        if reply is not None:
            self._write(number, reply)
            return None
        content = self._read_ahead.take(number)
        if content is None:
            return self._read_and_send(number)
        return self._send(number, content)

    async def _read_and_send(self, number: int) -> None:
        content = await self._read_ahead.read(number)
        if (sending := self._send(number, content)) is not None:
            await sending

    def _send(self, number: int, content: Octets) -> Awaitable[None] | None:
        """Send a message: a small one in one write."""
        reply = self._read_ahead.reply(number, content)
        if reply is None:
            return self._send_in_pieces(number, content)
        self._write(number, reply)
        return None

    async def _send_in_pieces(self, number: int, content: Octets) -> None:
        try:
            header, start = await self._header(content[:HEADER_LIMIT])
        except OSError as error:
            raise _unreadable(number, error) from None
        await self._stream("RETR", number, retrieved(self._drop.size(number)), header, chunks(content, start))
        self._drop.was_retrieved(number)

    async def _top(self, arguments: list[bytes]) -> None:
        number = self._drop.number(arguments[0])
        lines = arguments[1]
        if not lines.isdigit() or len(lines) > _MAX_DIGITS:
            raise MailError("TOP: not a number of lines")
        found = await settle(self._drop.mailbox.read([self._drop.uid(number)], Part.CONTENT | Part.OFFSETS))
        if not found or found[0].content is None:
            raise no_longer_there(number)
        content, offsets = unwrapped(found[0].content), found[0].offsets
        try:
            index = Index.load(offsets) if offsets is not None else await self._do(scan_steps(content))
            beginning = await self._do(top_steps(content, index, int(lines)))
            header, start = await self._header(b"".join(beginning.chunks(0, HEADER_LIMIT)))
        except OSError as error:
            raise _unreadable(number, error) from None
        await self._stream("TOP", number, ok("Top of message follows"), header, beginning.chunks(start))

    async def _header(self, beginning: bytes) -> tuple[bytes, int]:
        """What is sent in the place of the message's first octets, and how many these are.

        That is the header, if it has UTF-8 that the client does not take (RFC 6856 2.1).
        """
        if self._connection.is_utf8:
            return b"", 0
        header = header_of(beginning)
        if header.isascii():
            return b"", 0
        return await self._do(ascii_header_steps(header)), len(header)

    async def _do(self, steps: Steps[T]) -> T:
        """Do long work, and let others be served in between."""
        work = Working(steps)
        for _ in work:
            await self._connection.breathe()
        return work.result

    def _dele(self, arguments: list[bytes]) -> None:
        number = self._drop.number(arguments[0])
        self._drop.mark(number)
        self._connection.write(ok(f"Message {number} deleted"))
        self._expect_next()

    def _rset(self, _: list[bytes]) -> None:
        self._drop.unmark_all()
        self._connection.write(ok(f"{self._drop.count} messages ({self._drop.octets} octets)"))

    def _noop(self, _: list[bytes]) -> None:
        self._connection.write(ok())

    async def _quit(self, _: list[bytes]) -> None:
        self._connection.is_leaving = True
        number = await self._drop.commit(self._connection.breathe)
        self._connection.removed = number
        self._connection.end(ok(f"Bye, {number} messages removed" if number else "Bye"), "quit")

    # -- messages

    def _write(self, number: int, reply: bytes) -> None:
        """Send a message in one write."""
        self._connection.write(reply)
        self._drop.was_retrieved(number)
        self._expect_next()

    def _expect_next(self) -> None:
        """The next RETR will probably come at once, if it has not come already."""
        if self._read_ahead.is_in_order and not self._connection.wire.pending:
            self._connection.when_sent(self._read_ahead.prepare)

    async def _stream(
        self, command: str, number: int, reply: bytes, header: bytes, pieces: Iterable[bytes]
    ) -> None:
        """Send a message piece by piece, as fast as the client reads.

        :param header: what is sent before the pieces.
        :raises Unavailable: it cannot be read, and nothing of it was sent.
        """
        connection = self._connection
        body = DotStuffing()
        try:
            for piece in chain((header,), pieces) if header else pieces:
                # The first line is sent with the first piece, so that a missing file still gives -ERR.
                connection.write(reply + body.encode(piece))
                reply = b""
                await connection.drained()
                if not connection.is_open:
                    return
        except OSError as error:
            unreadable = _unreadable(number, error)
            if reply:
                raise unreadable from None
            # In the middle of a message the client would take -ERR for a part of the message.
            connection.tell_failed(command, unreadable)
            connection.abort()
            return
        connection.write(reply + body.finish())


def _unreadable(number: int, error: OSError) -> Unavailable:
    return storage_failure(error, f"read message {number}")


_MAX_DIGITS = 10
"""The most digits of TOP's number of lines."""

_COMMANDS: Mapping[
    str, tuple[Callable[[Transaction, list[bytes]], Awaitable[None] | None], int, int]
] = {  # with the fewest and the most arguments
    "CAPA": (Transaction._capa, 0, 0),
    "DELE": (Transaction._dele, 1, 1),
    "LANG": (Transaction._lang, 0, 1),
    "LIST": (Transaction._list, 0, 1),
    "NOOP": (Transaction._noop, 0, 0),
    "QUIT": (Transaction._quit, 0, 0),
    "RETR": (Transaction._retr, 1, 1),
    "RSET": (Transaction._rset, 0, 0),
    "STAT": (Transaction._stat, 0, 0),
    "TOP": (Transaction._top, 2, 2),
    "UIDL": (Transaction._uidl, 0, 1),
}
