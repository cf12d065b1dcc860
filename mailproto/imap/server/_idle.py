"""IDLE (RFC 2177, RFC 9051 6.3.13): tell of changes as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from mailproto import maillog
from mailproto.errors import MailError
from mailproto.imap.server._errors import BadCommand, SessionOver
from mailproto.imap.wire import Command, NoArguments

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["idle"]


async def idle(server: IMAPServer, command: Command[NoArguments]) -> None:
    """Until DONE, which is all that ends it.  Without a mailbox there is nothing to tell."""
    push = _Push(server)

    async def done(line: bytes) -> None:
        await push.stop()
        if line.upper() != b"DONE":
            raise BadCommand("Expected DONE")

    await server.catch_up(expunges=True)
    server.ask(command, b"idling", done)
    push.start()


class _Push:
    """Tells of changes while the client listens, one look at the mailbox at a time."""

    def __init__(self, server: IMAPServer) -> None:
        self._server = server
        self._running: Deferred[None] | None = None
        self._stopped = False

    def start(self) -> None:
        """Listen to hints."""
        if (view := self._server.view) is not None:
            view.on_hint(self._hinted)
            if view.is_stale:
                self._hinted()

    async def stop(self) -> None:
        """Listen no more; wait for what is being told."""
        self._stopped = True
        if (view := self._server.view) is not None:
            view.on_hint(None)
        if self._running is not None:
            await self._running

    def _hinted(self) -> None:
        if self._running is None:
            self._running = self._server.beside(self._tell())
            self._running.addCallback(self._told)

    def _told(self, _: None) -> None:
        self._running = None

    async def _tell(self) -> None:
        """Look and tell until nothing more was hinted at meanwhile."""
        server = self._server
        try:
            while not self._stopped and server.is_open and server.view is not None and server.view.is_stale:
                await server.catch_up(expunges=True)
                await server.flush()
        except SessionOver:
            return
        except MailError as error:
            maillog.failed(server.client, "IDLE", error)
        except Exception:
            server.log.failure("{peer}: in IDLE", peer=server.peer)
