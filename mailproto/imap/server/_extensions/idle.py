"""IDLE (RFC 2177, RFC 9051 6.3.13): tell the client of changes as they come."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from mailproto.connection import ConnectionOver
from mailproto.connection._crowd import Crowd
from mailproto.errors import MailError
from mailproto.imap.server._errors import BadCommand, SessionOver
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._keeping import PerServer
from mailproto.imap.server._roles import Notices
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import Command, NoArguments, grammars

__all__ = ["EXTENSION"]


async def idle(server: Session, command: Command[NoArguments]) -> None:
    """Push changes until the client says DONE."""
    if server.notices is not None:
        await _notify(server, server.notices, command)
        return
    push = _Pusher(server)

    async def done(line: bytes) -> None:
        await push.stop()
        if line.upper() != b"DONE":
            raise BadCommand("Expected DONE")

    await server.catch_up(expunges=True)
    server.request_line(command, b"idling", done)
    push.start()


async def _notify(server: Session, notices: Notices, command: Command[NoArguments]) -> None:
    """The client has said what it is told of (RFC 5465 4)."""

    async def done(line: bytes) -> None:
        notices.is_idling = False
        if line.upper() != b"DONE":
            raise BadCommand("Expected DONE")

    notices.is_idling = True
    server.request_line(command, b"idling", done)
    notices.hinted()


_CROWD = PerServer(lambda resources: Crowd(resources.clock))
"""All who idle."""


class _Pusher:
    """Sends changes while IDLE lasts, one update at a time."""

    def __init__(self, server: Session) -> None:
        self._server = server
        self._crowd = _CROWD.of(server)
        self._is_waiting = False  # for its turn in the crowd
        self._running: Deferred[None] | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin to listen to hints."""
        self._server.on_hint(self._hinted)
        if self._server.is_stale:
            self._hinted()

    async def stop(self) -> None:
        """Stop listening, and wait for the update under way."""
        self._stopped = True
        self._server.on_hint(None)
        if self._running is not None:
            await self._running

    def _hinted(self) -> None:
        if self._running is None and not self._is_waiting:
            self._is_waiting = True
            self._crowd.add(self._tell)

    def _tell(self) -> None:
        """It is our turn: all who idle in a mailbox are told at the same time."""
        self._is_waiting = False
        server = self._server
        if self._stopped or not server.is_open or server.tell_new(asks=False):
            return
        if server.in_context(server.tell_new, asks=True):
            return
        self._running = server.beside(self._push())
        self._running.addCallback(self._pushed)

    def _pushed(self, _: None) -> None:
        self._running = None

    async def _push(self) -> None:
        """Send updates until no more changes are hinted at."""
        server = self._server
        try:
            await server.wait_turn()  # all who idle in this mailbox are told at the same time
            while not self._stopped and server.is_open and server.is_stale:
                await server.catch_up(expunges=True)
                await server.flush()
        except (ConnectionOver, SessionOver):
            return
        except MailError as error:
            server.tell_failed("IDLE", error)
        except Exception:
            server.log.failure("{peer}: IDLE failed", peer=server.peer)


EXTENSION = Extension(
    "IDLE", capabilities=("IDLE",), commands=(CommandSpec("IDLE", grammars.no_arguments, idle),)
)
