"""Tells a client how far its command is, if that takes long (RFC 9585)."""

from __future__ import annotations

from typing import Final

from mailproto.imap.server._session import Session
from mailproto.imap.wire import quoted_or_literal

__all__ = ["EVERY", "Progress"]

EVERY: Final = 10.0
"""Seconds until the client is told the first time, and then again."""


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
