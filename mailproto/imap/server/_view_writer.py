"""Tells a client what has changed in its mailbox: the untagged responses about a `MailboxView`.

What is returned here must be sent: afterwards, the client counts as knowing it.  Responses about many
messages come in pieces, some thousand messages at a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Iterable, Sequence
from typing import Protocol

from mailproto.imap.server._manner import Manner
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import flag_list, format_set
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

    :param manner: how the client wants to be told; by default, as in RFC 3501.
    :ivar follower: told of changes after the client was, and before it is told of expunges; None if there is
        none.
    """

    __slots__ = ("_capped", "_keywords", "_messages", "follower", "manner", "view")

    def __init__(self, view: MailboxView, manner: Manner | None = None) -> None:
        self.view = view
        self.manner = manner or Manner()
        self.follower: Follower | None = None
        self._capped = False  # whether the client was told of a modseq below those of FETCH responses
        # How many messages, and how many of the view's keywords, the client knows of.
        self._messages = 0
        self._keywords = 0

    async def describe(self, status: MailboxStatus) -> bytes:
        """The responses to SELECT and EXAMINE, when the view has been loaded."""
        view = self.view
        permanent = frozenset() if view.read_only else view.mailbox.permanent_flags
        uid_next = max(status.uid_next, view.uids[-1] + 1 if view.uids else 1)
        tells_unseen = status.unseen and not self.manner.extended
        unseen = await view.first_unseen() if tells_unseen else None
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

    async def updates(self, *, expunges: bool, flags: bool = True) -> AsyncIterator[bytes]:
        """Give the responses that tell the client of changes.

        The mailbox is read only if it has hinted at a change.

        :param expunges: whether EXPUNGE responses are allowed now (RFC 9051 7.5.1).
        :param flags: whether changed flags are told.
        """
        view = self.view
        if view.is_stale:
            await view.look()
            if keywords := self.keywords():
                yield keywords
            if len(view.uids) > self._messages:
                yield self.exists()
            for some in view.take_changed():
                if not flags:
                    continue
                yield self.fetch_flags(some, uid=True)
        async for piece in self.followed():
            yield piece
        if expunges:
            async for piece in self._expunges():
                yield piece

    def new_at_once(self, *, asks: bool) -> bytes | None:
        """The responses of `updates` if all that has changed are some new messages, and no waiting is needed.

        :param asks: whether the mailbox is asked, or only what another view has seen is taken.
        :returns: None if there is more: then `updates` gives all.
        """
        view = self.view
        if self.follower is not None or view.any_gone:
            return None
        if not (view.look_at_once() if asks else view.look_as_others()):
            return None
        if len(view.uids) == self._messages:
            return b""
        keywords = self.keywords()
        return keywords + self.exists() if keywords else self.exists()

    async def own_expunges(self) -> AsyncIterator[bytes]:
        """Give the responses about messages that are known to be gone, before the mailbox is read again."""
        if len(self.view.uids) > self._messages:
            yield self.exists()
        async for piece in self.followed():
            yield piece
        async for piece in self._expunges():
            yield piece

    async def _expunges(self) -> AsyncIterator[bytes]:
        view = self.view
        if view.any_gone:
            # Expunges come last, because the responses before use the numbers from before them.
            async for removed in view.expunge():
                yield self._expunged(*removed)
            self._messages = len(view.uids)
            if self._capped:
                self._capped = False
                yield self.highest_modseq()

    def _expunged(self, numbers: Sequence[int], uids: Sequence[int]) -> bytes:
        if self.manner.vanished or self.manner.uids_only:
            return b"* VANISHED %b\r\n" % format_set(uids)
        return b"".join([b"* %d EXPUNGE\r\n" % number for number in numbers])

    def before_completion(self) -> bytes:
        """What must come before the tagged response of a command: while the client is not told of removed
        messages, it must not take itself to know all changes up to the modseqs it was told (RFC 7162 3.2)."""
        if not (self.manner.modseqs and (self.view.any_gone or self.view.is_ahead)):
            return b""
        self._capped = True
        return self.highest_modseq()

    async def followed(self) -> AsyncIterator[bytes]:
        """Give the responses that follow from what the client knows already, such as its own changes."""
        if self.follower is not None and self.follower.is_due():
            async for piece in self.follower.updates():
                yield piece

    # -- single responses

    def exists(self) -> bytes:
        """EXISTS and RECENT, which always come together."""
        self._messages = len(self.view.uids)
        if not self.manner.recent:
            return b"* %d EXISTS\r\n" % self._messages
        return b"* %d EXISTS\r\n* %d RECENT\r\n" % (self._messages, self.view.recent_count())

    def keywords(self) -> bytes:
        """FLAGS, if the next responses may have keywords that the client does not know; or nothing."""
        return self._flags() if len(self.view.keywords) > self._keywords else b""

    def highest_modseq(self) -> bytes:
        """The modseq up to which the client knows all changes (RFC 7162 3.1.2.1)."""
        return b"* OK [HIGHESTMODSEQ %d] Highest\r\n" % self.view.modseq

    def _flags(self) -> bytes:
        """FLAGS: the system flags, and the keywords seen in this mailbox (RFC 9051 7.3.5)."""
        self._keywords = len(self.view.keywords)
        return b"* FLAGS %b\r\n" % flag_list(frozenset([*SYSTEM_FLAGS, *self.view.keywords]))

    def change_at(self, at: int, told: Container[str]) -> bytes:
        """What FETCH adds to the items of a message whose flags it has changed.

        :param told: the names of items that are told anyway.
        """
        [flags] = self.view.flags_at([at])
        parts = [b"FLAGS %b" % flags]
        if self.manner.modseqs and self.view.modseqs is not None:
            if "UID" not in told and not self.manner.uids_only:
                parts.append(b"UID %d" % self.view.uids[at])
            if "MODSEQ" not in told:
                parts.append(b"MODSEQ (%d)" % self.view.modseqs[at])
        return b" ".join(parts)

    def fetch_flags(self, indexes: Iterable[int], *, uid: bool, flags: bool = True) -> bytes:
        """FETCH with the flags of these messages, and what else the client wants to know of a change.

        :param uid: whether it has their UIDs, which it always has with modseqs.
        :param flags: False for modseqs alone.
        """
        view, manner = self.view, self.manner
        indexes = list(indexes)
        names: list[bytes] = []
        columns: list[Sequence[object]] = [[at + 1 for at in indexes]]
        word = b"FETCH"
        if manner.uids_only:
            columns, word = [[view.uids[at] for at in indexes]], b"UIDFETCH"
        elif uid or manner.modseqs or manner.extended:
            names.append(b"UID %d")
            columns.append([view.uids[at] for at in indexes])
        if flags:
            names.append(b"FLAGS %b")
            columns.append(view.flags_at(indexes))
        if manner.modseqs and view.modseqs is not None:
            names.append(b"MODSEQ (%d)")
            columns.append([view.modseqs[at] for at in indexes])
        template = b"* %%d %b (%b)\r\n" % (word, b" ".join(names))
        return b"".join([template % row for row in zip(*columns, strict=True)])
