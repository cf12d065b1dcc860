"""Tells a client what has changed in its mailbox: the untagged responses about a `MailboxView`.

What is returned here must be sent: afterwards, the client counts as knowing it.  Responses about many
messages come in pieces, some thousand messages at a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import flag_list
from mailproto.model import SYSTEM_FLAGS, MailboxStatus

__all__ = ["Follower", "ViewWriter"]


class Follower(Protocol):
    """Tells what follows from changes of the messages, such as the new results of a search."""

    def is_due(self) -> bool:
        """Whether there may be something to tell."""

    def updates(self) -> AsyncIterator[bytes]:
        """Give the responses; removed messages have their numbers still."""


class ViewWriter:
    """The responses of one session about its selected mailbox.

    :ivar follower: told of changes after the client was, and before it is told of expunges; None if there is
        none.
    """

    __slots__ = ("_keywords", "_messages", "follower", "view")

    def __init__(self, view: MailboxView) -> None:
        self.view = view
        self.follower: Follower | None = None
        # How many messages, and how many of the view's keywords, the client knows of.
        self._messages = 0
        self._keywords = 0

    async def describe(self, status: MailboxStatus) -> bytes:
        """The responses to SELECT and EXAMINE, when the view has been loaded."""
        view = self.view
        permanent = frozenset() if view.read_only else view.mailbox.permanent_flags
        uid_next = max(status.uid_next, view.uids[-1] + 1 if view.uids else 1)
        unseen = await view.first_unseen() if status.unseen else None
        return b"".join(
            (
                self._flags(),
                b"* OK [PERMANENTFLAGS %b] Flags that are kept\r\n" % flag_list(permanent),
                self.exists(),
                b"* OK [UNSEEN %d] First unseen\r\n" % unseen if unseen else b"",
                b"* OK [UIDVALIDITY %d] UIDs are valid\r\n" % view.mailbox.uid_validity,
                b"* OK [UIDNEXT %d] Predicted next UID\r\n" % uid_next,
            )
        )

    # -- catching up

    def has_updates(self, *, expunges: bool) -> bool:
        """Whether `updates` would read the mailbox or give any responses."""
        return self.view.is_stale or (expunges and self.view.any_gone) or self._is_followed()

    def _is_followed(self) -> bool:
        return self.follower is not None and self.follower.is_due()

    async def updates(self, *, expunges: bool) -> AsyncIterator[bytes]:
        """Give the responses that tell the client of changes.

        The mailbox is read only if it has hinted at a change.

        :param expunges: whether EXPUNGE responses are allowed now (RFC 9051 7.5.1).
        """
        view = self.view
        if view.is_stale:
            await view.look()
            if keywords := self.keywords():
                yield keywords
            if len(view.uids) > self._messages:
                yield self.exists()
            for some in view.take_changed():
                yield self.fetch_flags(some, uid=True)
        async for piece in self.followed():
            yield piece
        if expunges and view.any_gone:
            # Expunges come last, because the responses above use the numbers from before them.
            async for numbers in view.expunge():
                yield b"".join([b"* %d EXPUNGE\r\n" % number for number in numbers])
            self._messages = len(view.uids)

    async def followed(self) -> AsyncIterator[bytes]:
        """Give the responses that follow from what the client knows already, such as its own changes."""
        if self.follower is not None and self.follower.is_due():
            async for piece in self.follower.updates():
                yield piece

    # -- single responses

    def exists(self) -> bytes:
        """EXISTS and RECENT, which always come together."""
        self._messages = len(self.view.uids)
        return b"* %d EXISTS\r\n* %d RECENT\r\n" % (self._messages, self.view.recent_count())

    def keywords(self) -> bytes:
        """FLAGS, if the next responses may have keywords that the client does not know; or nothing."""
        return self._flags() if len(self.view.keywords) > self._keywords else b""

    def _flags(self) -> bytes:
        """FLAGS: the system flags, and the keywords seen in this mailbox (RFC 9051 7.3.5)."""
        self._keywords = len(self.view.keywords)
        return b"* FLAGS %b\r\n" % flag_list(frozenset([*SYSTEM_FLAGS, *self.view.keywords]))

    def fetch_flags(self, indexes: Iterable[int], *, uid: bool) -> bytes:
        """FETCH with the flags of these messages, and with their UIDs if ``uid``."""
        view = self.view
        flags = view.flags_at(indexes := list(indexes))
        if uid:
            return b"".join(
                [
                    b"* %d FETCH (UID %d FLAGS %b)\r\n" % (at + 1, view.uids[at], rendered)
                    for at, rendered in zip(indexes, flags, strict=True)
                ]
            )
        return b"".join(
            [
                b"* %d FETCH (FLAGS %b)\r\n" % (at + 1, rendered)
                for at, rendered in zip(indexes, flags, strict=True)
            ]
        )
