"""One client's connection: it sends commands, some at a time, and takes in all that comes back."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from _parts.stress.mirror import Known, Mirror
from _parts.stress.responses import Value, read_response
from _parts.stress.world import World

__all__ = ["Answer", "Command", "Connection"]

PATIENCE = 30
"""Seconds for an answer."""

_CODE = re.compile(rb"\[([A-Z-]+)(?: ([^\]]*))?\]")


@dataclass
class Answer:
    """What a command came to.

    :ivar told: the messages that FETCH responses were about, with the names of their items.
    :ivar untagged: the other responses.
    """

    status: bytes
    text: bytes
    told: list[tuple[Known, set[bytes]]]
    untagged: list[list[Value]] = field(default_factory=list)

    @property
    def code(self) -> tuple[bytes, bytes]:
        """The response code and its argument; both empty if there is none."""
        found = _CODE.match(self.text)
        return (found[1], found[2] or b"") if found else (b"", b"")


@dataclass
class Command:
    """A command to be sent.

    :ivar parts: its octets; after each but the last, the server must say ``+``.
    :ivar holds_expunges: whether the server must not tell of removed messages while it answers (RFC 9051
        7.5.1).
    :ivar messages: those that it names.
    :ivar check: called with its answer.
    :ivar may_fail: response codes with which NO is justified; ``""`` for any NO.
    :ivar writes: whether it needs a mailbox that is not read-only.
    """

    name: str
    parts: Sequence[bytes]
    holds_expunges: bool = False
    messages: Sequence[Known] = ()
    check: Callable[[Answer], None] | None = None
    may_fail: tuple[bytes, ...] = ()
    writes: bool = False


class Connection:
    """A connection to a server.

    :ivar mirror: of the selected mailbox; None if none is selected.
    :ivar opening: of the mailbox that is to be selected in place of another, of which the server may tell
        until it is closed.
    :ivar leaving: whether LOGOUT was sent.
    :ivar expunges_any_time: whether the server may tell of removed messages whenever it likes (RFC 5465 3.1).
    """

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.mirror: Mirror | None = None
        self.opening: Mirror | None = None
        self.leaving = False
        self.expunges_any_time = False
        self.talk: deque[bytes] = deque(maxlen=world.talk)
        self._tags = 0
        self._untagged: list[list[Value]] = []
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._deflate: Callable[[bytes], bytes] | None = None
        self._inflating: asyncio.Task[None] | None = None

    async def open(self, host: str, port: int) -> None:
        """Connect, and read the greeting."""
        self._reader, self._writer = await asyncio.open_connection(host, port, limit=1 << 24)
        first, values, _ = await self._read()
        if (first, values[0]) != (b"*", b"OK"):
            self.wrong(f"greeting {values}")

    def abandon(self) -> None:
        """Hang up without a word."""
        self.mirror = None
        self._writer.transport.abort()
        if self._inflating is not None:
            self._inflating.cancel()

    async def compress(self) -> None:
        """COMPRESS (RFC 4978): from now on, all octets are deflated."""
        await self.do(Command("COMPRESS", (b"COMPRESS DEFLATE",)))
        deflater, compressed = zlib.compressobj(wbits=-15), self._reader
        self._deflate = lambda octets: deflater.compress(octets) + deflater.flush(zlib.Z_SYNC_FLUSH)
        self._reader = asyncio.StreamReader(limit=1 << 24)
        self._inflating = asyncio.create_task(_inflate(compressed, self._reader))

    async def break_off(self, responses: int, *commands: Command) -> None:
        """Send commands, and hang up when so many responses have come, or the first command is answered."""
        self._write(b"".join(b"broken %b\r\n" % command.parts[0] for command in commands))
        await self._writer.drain()
        if self.mirror is not None:
            self.mirror.may_expunge = True
        for _ in range(responses):
            first, values, _ = await self._read()
            if first != b"*":
                break
            self._hear(values)

    def wrong(self, text: str) -> None:
        """Note a contradiction."""
        self.world.contradiction(f"{self.name}: {text}", self.talk)

    async def _read(self) -> tuple[bytes, list[Value], bytes]:
        response = await asyncio.wait_for(read_response(self._reader), PATIENCE)
        self.talk.append(b"S: " + response[2])
        return response

    def _write(self, octets: bytes) -> None:
        self.talk.append(b"C: " + octets)
        self._writer.write(octets if self._deflate is None else self._deflate(octets))

    async def do(self, *commands: Command) -> list[Answer]:
        """Send commands together, and check their answers.

        :raises EOFError: the server has closed the connection.
        """
        tags = []
        waits = len(commands[0].parts) > 1
        for _ in commands:
            self._tags += 1
            tags.append(b"%b%d" % (self.name.encode(), self._tags))
        if waits:
            [command] = commands
            return [await self._do_in_parts(tags[0], command)]
        octets = b"".join(
            b"%b %b\r\n" % (tag, command.parts[0]) for tag, command in zip(tags, commands, strict=True)
        )
        self._write(octets)
        await self._writer.drain()
        return [await self._answer(tag, command) for tag, command in zip(tags, commands, strict=True)]

    async def _do_in_parts(self, tag: bytes, command: Command) -> Answer:
        first, *rest = command.parts
        self._write(b"%b %b\r\n" % (tag, first))
        for part in rest:
            early = await self._next(tag, command, until_continued=True)
            if early is not None:
                return early
            self._write(part + b"\r\n")
        return await self._answer(tag, command)

    async def idle(self, seconds: float) -> Answer:
        """IDLE for a time, and take in what comes meanwhile."""
        self._tags += 1
        tag = b"%b%d" % (self.name.encode(), self._tags)
        command = Command("IDLE", (b"IDLE",))
        self._write(tag + b" IDLE\r\n")
        early = await self._next(tag, command, until_continued=True)
        if early is None:
            await asyncio.sleep(seconds)
            self._write(b"DONE\r\n")
            return await self._answer(tag, command)
        return early

    async def _answer(self, tag: bytes, command: Command) -> Answer:
        answer = await self._next(tag, command, until_continued=False)
        assert answer is not None
        return answer

    async def _next(self, tag: bytes, command: Command, *, until_continued: bool) -> Answer | None:
        """Take in responses up to the command's answer; None if it may go on."""
        if self.mirror is not None:
            self.mirror.may_expunge = self.expunges_any_time or not command.holds_expunges
        while True:
            try:
                first, values, octets = await self._read()
            except TimeoutError:
                raise TimeoutError(f"no answer to {command.parts[0][:200]!r}") from None
            if first == b"+":
                if not until_continued:
                    self.wrong(f"{octets!r} in answer to {command.parts[0][:60]!r}")
                return None
            if first == b"*":
                self._hear(values)
                continue
            if first != tag:
                self.wrong(f"tag {first!r} for {tag!r}")
            return self._complete(command, values)

    def _hear(self, values: list[Value]) -> None:
        if self.mirror is not None and values[0] in (b"SEARCH", b"ESEARCH", b"SORT", b"THREAD"):
            self.mirror.gone_then = frozenset(self.mirror.gone)
        if self.mirror is not None and self.mirror.hear(values):
            return
        if values[0] == b"BAD" or (values[0] == b"BYE" and not self.leaving):
            self.wrong(f"untagged {values}")
        if values[0] == b"OK":
            self._closed(values[1])
        if self.mirror is not None and values[0] == b"OK":
            self._code(self.mirror, values[1])
        self._untagged.append(values)

    def _code(self, mirror: Mirror, text: bytes) -> None:
        found = _CODE.match(text)
        if found is not None and found[1] == b"HIGHESTMODSEQ":
            mirror.highest(int(found[2]))

    def _closed(self, text: bytes) -> None:
        """The mailbox that was selected is closed (RFC 9051 7.1); what follows is about the next one."""
        if text.startswith(b"[CLOSED]"):
            if self.opening is None:
                self.wrong("CLOSED, but no mailbox was selected")
            self.mirror, self.opening = self.opening, None

    def _complete(self, command: Command, values: list[Value]) -> Answer:
        told = list(self.mirror.told) if self.mirror is not None else []
        answer = Answer(values[0], values[1], told, self._untagged)
        self._untagged = []
        self.world.commands[command.name] += 1
        if self.opening is not None:
            self.wrong("another mailbox was selected without CLOSED")
            self._closed(b"[CLOSED]")
        if self.mirror is not None:
            self.mirror.completed()
            self._code(self.mirror, answer.text)
        code, _ = answer.code
        gone = answer.status == b"NO" and code in (b"EXPUNGEISSUED", b"MODIFIED") and bool(command.messages)
        refused = command.writes and self.mirror is not None and self.mirror.read_only
        justified = gone or refused or code in command.may_fail or b"" in command.may_fail
        if (
            answer.status == b"BAD"
            or (answer.status == b"NO") > justified
            or (refused and answer.status == b"OK")
        ):
            self.wrong(f"{values} to {command.parts[0][:200]!r}")
        if gone and self.mirror is not None:
            self.mirror.suspects[command.parts[0]] = command.messages
        if command.check is not None and answer.status == b"OK":
            command.check(answer)
        return answer


async def _inflate(compressed: asyncio.StreamReader, plain: asyncio.StreamReader) -> None:
    inflater = zlib.decompressobj(wbits=-15)
    try:
        while octets := await compressed.read(1 << 16):
            plain.feed_data(inflater.decompress(octets))
    except (OSError, zlib.error) as error:
        plain.set_exception(error)
    else:
        plain.feed_eof()
