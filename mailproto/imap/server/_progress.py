"""Tells a client how far its command is, if that takes long (RFC 9585)."""

from __future__ import annotations

from typing import Final, TypeVar, cast

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from mailproto.awaiting import Result, settle
from mailproto.imap.server._session import Session
from mailproto.imap.wire import quoted_or_literal

__all__ = ["EVERY", "Progress", "working"]

T = TypeVar("T")

EVERY: Final = 10.0
"""Seconds until the client is told the first time, and then again."""


_MANY: Final = 1000
"""Work of the mailbox on fewer messages does not take long."""


async def working(session: Session, work: Result[T], messages: int) -> T:
    """The result of what a mailbox does with some messages; the client is told from time to time that it is
    under way, but not how far it is, which only the mailbox knows.

    No response may be half written.
    """
    if messages < _MANY:
        return await settle(work)
    telling = LoopingCall(_tell, session)
    telling.clock = cast(IReactorTime, session.clock)
    telling.start(EVERY, now=False)
    try:
        return await settle(work)
    finally:
        telling.stop()


def _tell(session: Session) -> None:
    if session.is_open and session.tag and not session.congested:
        tag = quoted_or_literal(session.tag)
        session.say(b"* OK [INPROGRESS (%b NIL NIL)] Still working\r\n" % tag)


class Progress:
    """How far a command is; make it when the work begins.

    :param goal: how much there is to do.
    """

    def __init__(self, session: Session, goal: int) -> None:
        self._session = session
        self._goal = goal
        self._told = session.clock.seconds()

    async def reached(self, done: int) -> None:
        """So much of it is done; no response is half written.

        :raises SessionOver: the client is gone.
        """
        session = self._session
        now = session.clock.seconds()
        if now - self._told < EVERY or done >= self._goal or not session.tag:
            return
        self._told = now
        tag = quoted_or_literal(session.tag)
        session.respond(b"* OK [INPROGRESS (%b %d %d)] Still working\r\n" % (tag, done, self._goal))
        await session.flush()
