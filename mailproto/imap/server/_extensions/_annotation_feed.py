"""Tells a client of annotations that others have changed (RFC 5464 4.4.2)."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

from mailproto.awaiting import settle
from mailproto.imap.server._keeping import PerSession
from mailproto.imap.server._session import Session
from mailproto.imap.wire import astring
from mailproto.interfaces.add_ons import IMailboxChanges

__all__ = ["FEED", "AnnotationFeed"]

_ENTRIES_AT_ONCE: Final = 100
"""Entries in one response."""

_LATEST: Final = (1 << 63) - 1
"""A modseq after all others."""


class AnnotationFeed:
    """A `Feed` of the annotations in an account; it begins with `begin`."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._since: int | None = None  # the modseq up to which the client knows all changes
        self._unwatch: Callable[[], None] | None = None
        self._listener: Callable[[], None] | None = None
        self.is_stale = False

    def begin(self, session: Session) -> None:
        """Tell of changes from now on."""
        self._session = session
        self._unwatch = session.signed_in.watch(self._hinted)
        self.is_stale = True  # to find out what the latest change is
        session.feeds.append(self)

    def on_hint(self, listener: Callable[[], None] | None) -> None:
        """See `Feed.on_hint`."""
        self._listener = listener

    def _hinted(self, modseq: int) -> None:
        self.is_stale = True
        if self._listener is not None:
            self._listener()

    async def tell(self, mailbox: str | None = None, own: Container[str] = ()) -> None:
        """See `Feed.tell`.

        :param mailbox: where the client has just changed the entries ``own``, of which it is not told.
        """
        session = self._session
        if session is None:
            return
        account = session.signed_in
        if not IMailboxChanges.providedBy(account):
            return
        self.is_stale = False  # a later hint makes it stale again
        since = _LATEST if self._since is None else self._since
        try:
            changes = await settle(account.mailbox_changes(since))
        except BaseException:
            self.is_stale = True
            raise
        self._since = changes.modseq
        for name, changed in changes.annotations.items():
            entries = [entry for entry in changed if name != mailbox or entry not in own]
            async for some in session.in_batches(entries, _ENTRIES_AT_ONCE):
                session.respond(
                    b"* METADATA %b %b\r\n" % (session.encoded(name), b" ".join(map(astring, some)))
                )

    def close(self) -> None:
        """See `Feed.close`."""
        unwatch, self._unwatch = self._unwatch, None
        if unwatch is not None:
            unwatch()


FEED = PerSession(AnnotationFeed)
