"""An IMAP client that costs little: it counts responses, and looks at few of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from _parts.program import WrongAnswer

__all__ = ["Client"]

PATIENCE = 300
"""Seconds that any answer may take."""


class _Input(asyncio.BufferedProtocol):
    """Collects what comes, or only counts a word in it."""

    shared = bytearray(1 << 18)

    def __init__(self) -> None:
        self.text = bytearray()
        self.word: bytes | None = None
        self.count = self.octets = 0
        self.is_over = False
        self._waiting: asyncio.Future[None] | None = None

    def get_buffer(self, _: int) -> memoryview:
        return memoryview(self.shared)

    def buffer_updated(self, size: int) -> None:
        self.octets += size
        before = len(self.text)
        self.text += memoryview(self.shared)[:size]
        if self.word is not None:
            self.count += self.text.count(self.word, max(0, before - len(self.word) + 1))
            if len(self.text) > 1 << 16:
                del self.text[:-1024]
        self._wake()

    def connection_lost(self, _: Exception | None) -> None:
        self.is_over = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def more(self) -> None:
        if self.is_over:
            raise WrongAnswer(f"the server hung up after {bytes(self.text[-200:])!r}")
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait_for(self._waiting, PATIENCE)
        except TimeoutError:
            raise WrongAnswer(f"no answer after {bytes(self.text[-200:])!r}") from None


class Client:
    """A connection that has signed in."""

    def __init__(self, transport: asyncio.WriteTransport, input: _Input) -> None:
        self._transport = transport
        self._input = input

    @classmethod
    async def open(cls, port: int, name: str, password: str, mailbox: str = "") -> Client:
        """Connect, sign in, and select ``mailbox`` if it is given."""
        loop = asyncio.get_running_loop()
        transport, input = await loop.create_connection(_Input, "127.0.0.1", port)
        self = cls(transport, input)
        while not input.text.endswith(b"\r\n"):
            await input.more()
        await self.command(f"LOGIN {name} {password}")
        if mailbox:
            await self.command(f"SELECT {mailbox}")
        return self

    async def command(self, text: str | bytes, *, tag: bytes = b"q") -> bytes:
        """Give a command; its whole answer.

        :raises WrongAnswer: it is not OK.
        """
        self._input.text.clear()
        self.write(tag + b" " + (text if isinstance(text, bytes) else text.encode()) + b"\r\n")
        await self._answered(tag, text)
        return bytes(self._input.text)

    async def counted(self, text: str, word: bytes) -> tuple[int, int]:
        """Give a command with a long answer: how often it has ``word``, and its octets."""
        input = self._input
        input.text.clear()
        input.word, input.count, input.octets = word, 0, 0
        self.write(b"q " + text.encode() + b"\r\n")
        await self._answered(b"q", text)
        input.word = None
        return input.count, input.octets

    async def _answered(self, tag: bytes, text: str | bytes) -> None:
        input = self._input
        while True:
            if input.text.endswith(b"\r\n"):
                last = bytes(input.text[input.text.rfind(b"\n", 0, -1) + 1 :])
                if last.startswith(tag + b" "):
                    if not last.startswith(tag + b" OK"):
                        raise WrongAnswer(f"{text[:80]!r} was answered with {last!r}")
                    return
            await input.more()

    async def append(self, mailbox: str, all: Sequence[bytes], *, together: int = 1, ahead: int = 1) -> None:
        """APPEND with LITERAL+.

        :param together: messages of a command (MULTIAPPEND).
        :param ahead: commands that are under way.
        """
        under_way = 0
        self._input.text.clear()
        for first in range(0, len(all), together):
            if under_way == ahead:
                await self._one_done()
                under_way -= 1
            literals = b" ".join(
                [b"{%d+}\r\n%b" % (len(octets), octets) for octets in all[first : first + together]]
            )
            self.write(b"q APPEND %b %b\r\n" % (mailbox.encode(), literals))
            under_way += 1
        for _ in range(under_way):
            await self._one_done()

    async def _one_done(self) -> None:
        line = await self.line()
        while not line.startswith(b"q "):
            line = await self.line()
        if not line.startswith(b"q OK"):
            raise WrongAnswer(f"APPEND was answered with {line!r}")

    async def line(self) -> bytes:
        """The next line."""
        text = self._input.text
        while (end := text.find(b"\n")) < 0:
            await self._input.more()
        line = bytes(text[: end + 1])
        del text[: end + 1]
        return line

    def forget(self) -> None:
        """Forget what has come."""
        self._input.text.clear()

    def write(self, octets: bytes) -> None:
        """Send something."""
        self._transport.write(octets)

    async def close(self) -> None:
        """LOGOUT."""
        await self.command("LOGOUT", tag=b"q")
        self._transport.abort()

    def abort(self) -> None:
        """End the connection."""
        self._transport.abort()
