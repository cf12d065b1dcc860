"""Tells a client of messages in mailboxes of others, and shared ones (NOTIFY, RFC 5465).

Their accounts have counters of their own: each such mailbox is watched by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from mailproto.awaiting import settle
from mailproto.errors import MailError, NoPermission, NoSuchMailbox
from mailproto.imap.server._errors import RefusedWithCode, SessionOver
from mailproto.imap.server._events_wanted import MESSAGE_EVENTS
from mailproto.imap.server._mailbox_commands import render_status
from mailproto.imap.server._session import Session
from mailproto.interfaces import IMailbox
from mailproto.model import DELIMITER, MailboxEntry, MailboxStatus

__all__ = ["FOREIGN", "ForeignMailboxes"]

FOREIGN: Final = 200
"""The most mailboxes of others of which a client is told: each has a watcher, and some 500 octets."""


@dataclass(slots=True)
class _Watched:
    mailbox: IMailbox
    status: MailboxStatus
    unwatch: Callable[[], None]


class ForeignMailboxes:
    """The mailboxes of others of which one client is told.

    :param events: gives the events of which a client wants to be told, by mailbox.
    :param hinted: called when there may be something to tell.
    :param is_listed: whether the client is told of what changes in the list of mailboxes, by name; then it
        is not told here that there is no mailbox of a name any more.
    """

    def __init__(
        self,
        session: Session,
        events: Callable[[str], frozenset[str]],
        hinted: Callable[[], None],
        is_listed: Callable[[str], bool],
    ) -> None:
        self._session = session
        self._events = events
        self._hinted = hinted
        self._is_listed = is_listed
        self._watched: dict[str, _Watched] = {}
        self._refused: set[str] = set()  # what the client was told that it may not read
        self._stale: dict[str, None] = {}  # in their order
        self._is_over = False

    @property
    def is_stale(self) -> bool:
        """Whether there may be something to tell."""
        return bool(self._stale)

    async def begin(self, entries: Iterable[MailboxEntry]) -> None:
        """Begin to watch mailboxes, but for those that are watched already.

        :param entries: of mailboxes of others that the client sees.
        :raises RefusedWithCode: there are too many.
        """
        account = self._session.signed_in
        for entry in entries:
            name = entry.name
            if name in self._watched or not self._events(name) & MESSAGE_EVENTS:
                continue
            if len(self._watched) >= FOREIGN:
                raise RefusedWithCode("NOTIFICATIONOVERFLOW", f"More than {FOREIGN} mailboxes of others")
            try:
                await self._watch(name, await settle(account.open(name)))
            except NoSuchMailbox:
                continue
            except NoPermission:
                if name not in self._refused:
                    self._refused.add(name)
                    self._tell_of_name(name, "\\NoAccess")
                continue
            if name in self._refused:  # it may be read again
                self._refused.discard(name)
                self._tell_of_name(name, "")
            await self._session.yield_turn()

    async def _watch(self, name: str, mailbox: IMailbox) -> MailboxStatus:
        status = await settle(mailbox.status())
        if self._is_over:
            raise SessionOver
        self._watched[name] = _Watched(mailbox, status, mailbox.watch(partial(self._hint, name)))
        return status

    def close(self) -> None:
        """Watch nothing more."""
        self._is_over = True
        for name in list(self._watched):
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._watched.pop(name).unwatch()

    def _hint(self, name: str, modseq: int) -> None:
        if name in self._watched and modseq > self._watched[name].status.modseq:
            self._stale[name] = None
            self._hinted()

    def list_changed(self) -> None:
        """The list of mailboxes has changed: names may be those of other mailboxes now, or of none."""
        self._stale.update(dict.fromkeys(self._watched))

    async def tell_all(self, items: Callable[[str], Sequence[str]]) -> None:
        """Tell the present status of the mailboxes.

        :param items: what is told, by name.
        """
        for name, watched in list(self._watched.items()):
            self._session.respond(await render_status(self._session, name, watched.status, items(name)))
            await self._session.flush()

    async def tell(
        self, is_selected: Callable[[str], bool], items: Callable[[str, bool], Sequence[str]]
    ) -> None:
        """Tell what has changed.

        :param items: what is told of a mailbox; the second argument says whether messages came or went.
        """
        session = self._session
        while self._stale:
            name = next(iter(self._stale))
            del self._stale[name]
            if (watched := self._watched.get(name)) is None:
                continue
            before: MailboxStatus | None = watched.status
            try:
                # Its owner may have given it another name, and this name to another mailbox.
                named = await settle(session.signed_in.open(name))
                if named.uid_validity == watched.mailbox.uid_validity:
                    status = watched.status = await settle(watched.mailbox.status())
                else:
                    status, before = await self._watch(name, named), None
                    watched.unwatch()
            except (NoPermission, NoSuchMailbox) as error:
                # RFC 5465 5.9: the client may not read it any more.
                self._forget(name)
                if isinstance(error, NoSuchMailbox):
                    if not self._is_listed(name):
                        self._tell_of_name(name, "\\NonExistent")
                else:
                    self._refused.add(name)
                    self._tell_of_name(name, "\\NoAccess")
                continue
            except MailError as error:
                session.tell_failed("NOTIFY", error)
                continue
            if not is_selected(name) and (before is None or status.modseq > before.modseq):
                told = items(name, before is None or _counts(status) != _counts(before))
                if told:
                    session.respond(await render_status(session, name, status, told))
            await session.flush()

    def _tell_of_name(self, name: str, attribute: str) -> None:
        session = self._session
        words = attribute.encode("ascii"), DELIMITER.encode("ascii"), session.encoded(name)
        session.respond(b'* LIST (%b) "%b" %b\r\n' % words)


def _counts(status: MailboxStatus) -> tuple[int, int, int]:
    return status.messages, status.uid_next, status.uid_validity
