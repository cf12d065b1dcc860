"""How responses go to the client: collected, in pieces, and as fast as it reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from mailproto.connection import ConnectionOver, ServerConnection
from mailproto.connection._compression import PIECE
from mailproto.imap.server._errors import SessionOver
from mailproto.imap.server._resources import Resources
from mailproto.imap.wire import Command, Event

__all__ = ["Responder"]

_FEW = 4
"""Work on so many messages never takes milliseconds before it pauses."""


class Responder(ServerConnection[Event]):
    """Collects responses, and sends them."""

    def __init__(self, factory: Resources) -> None:
        super().__init__(factory)
        self._responses: list[bytes] = []
        self._has_answered = False  # whether anything was sent in answer to the running command

    def respond(self, data: bytes) -> None:
        """Collect untagged responses; they are sent with the tagged one, or by `flush`."""
        self._responses.append(data)

    async def flush(self, before_waiting: Callable[[], None] | None = None) -> None:
        """Send the collected responses, wait while the client is slow, and let others have their turn.

        :param before_waiting: called if the client is slow.
        :raises SessionOver: the client is gone.
        """
        if self.is_compressed:
            await self.compress()
        self._send()
        drained = self.drained()
        if before_waiting is not None and self.congested:
            before_waiting()
        await drained
        await self.yield_turn()
        if not self.is_open:
            raise SessionOver

    async def compress(self) -> None:
        """Send the collected responses in pieces, but for the last piece: it takes time to compress them."""
        if sum(map(len, self._responses)) <= PIECE:
            return
        data, at = b"".join(self._responses), 0
        self._responses.clear()
        self._has_answered = True
        while len(data) - at > PIECE:
            self.write(data[at : at + PIECE])
            self._send_now()
            at += PIECE
            await self.yield_turn()
        self._responses.insert(0, data[at:])

    def damaged(self) -> None:
        """See `EventConnection.damaged`."""
        self.end(b"* BYE Compressed data is damaged\r\n", "compressed data is damaged")

    async def yield_turn(self) -> None:
        """See `breathe`.

        :raises SessionOver: the client is gone.
        """
        try:
            await self.breathe()
        except ConnectionOver:
            raise SessionOver from None

    async def wait_turn_for(self, messages: int) -> None:
        """Before work on some messages: if they are many, let others go first (`wait_turn`).

        Otherwise many that ask for that at once would all be served before another client's NOOP.
        """
        if messages > _FEW:
            await self.wait_turn()

    def end_after(self, command: Command[Any], text: bytes) -> NoReturn:
        """Answer a command with BYE and OK, and end the connection, as LOGOUT does."""
        responses = b"".join(self._responses)
        self._responses.clear()
        reply = b"%b OK %b\r\n" % (command.tag.encode("ascii"), text)
        self.end(b"%b* BYE Logging out\r\n%b" % (responses, reply), "quit")
        raise SessionOver

    def is_still_there(self) -> None:
        """See `EventConnection.is_still_there`; in the midst of a response, that is what is sent."""
        if not self._has_answered:
            self.write(b"* OK Still working\r\n")

    def say(self, data: bytes) -> None:
        """Send what was collected, and an untagged response, while the command waits for something else."""
        self.respond(data)
        self._send()
        self._send_now()

    def _send(self) -> None:
        if self._responses:
            self._has_answered = True
            responses, self._responses = self._responses, []
            self._write_pieces(responses)
