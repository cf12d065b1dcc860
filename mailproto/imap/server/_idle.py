"""IDLE (RFC 2177, RFC 9051 6.3.13): tell of changes as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from mailproto.errors import MailError
from mailproto.imap.server._errors import BadCommand, SessionOver
from mailproto.imap.wire import Command

if TYPE_CHECKING:
    from mailproto.imap.server.session import IMAPSession

__all__ = ["idle"]


async def idle(session: IMAPSession, command: Command) -> None:
    """Until DONE, which is all that ends it.  Without a mailbox there is nothing to tell."""
    push = _Push(session)

    async def done(line: bytes) -> None:
        await push.stop()
        if line.upper() != b"DONE":
            raise BadCommand("Expected DONE")

    await session.catch_up(expunges=True)
    session.ask(command, b"idling", done)
    push.start()


class _Push:
    """Tells of changes while the client listens, one look at the mailbox at a time."""

    def __init__(self, session: IMAPSession) -> None:
        self._session = session
        self._running: Deferred[None] | None = None
        self._stopped = False

    def start(self) -> None:
        """Listen to hints."""
        if (view := self._session.view) is not None:
            view.on_hint(self._hinted)
            if view.is_stale:
                self._hinted()

    async def stop(self) -> None:
        """Listen no more; wait for what is being told."""
        self._stopped = True
        if (view := self._session.view) is not None:
            view.on_hint(None)
        if self._running is not None:
            await self._running

    def _hinted(self) -> None:
        if self._running is None:
            self._running = Deferred.fromCoroutine(self._tell())
            self._running.addCallback(self._told)

    def _told(self, _: None) -> None:
        self._running = None

    async def _tell(self) -> None:
        """Look and tell until nothing more was hinted at meanwhile."""
        session = self._session
        try:
            while (
                not self._stopped and session.is_open and session.view is not None and session.view.is_stale
            ):
                await session.catch_up(expunges=True)
                await session.flush()
        except SessionOver:
            return
        except MailError as error:
            session.log.info("{peer}: in IDLE: {error}", peer=session.peer, error=error)
        except Exception:
            session.log.failure("{peer}: in IDLE", peer=session.peer)
