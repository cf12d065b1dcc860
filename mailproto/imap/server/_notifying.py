"""Tells a client of changes at any time, in its selected mailbox and in others (RFC 5465).

What has changed is asked for when the account hints at changes, and told between two commands.  While a
client is slow to read, or has a command under way, changes come together, and are told once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from mailproto.awaiting import settle
from mailproto.connection import ConnectionOver
from mailproto.errors import MailError
from mailproto.imap.server._account_known import KNOWN_ACCOUNTS, KnownAccount, Names
from mailproto.imap.server._errors import RefusedWithCode, SessionOver
from mailproto.imap.server._events_wanted import MESSAGE_EVENTS, Group, Notify
from mailproto.imap.server._fetch import respond
from mailproto.imap.server._listing import attributes_of
from mailproto.imap.server._mailbox_commands import render_status
from mailproto.imap.server._namespaces import prefixes_of_others
from mailproto.imap.server._notifying_foreign import ForeignMailboxes
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._session import Session
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import quoted_or_literal
from mailproto.interfaces.add_ons import IMailboxChanges
from mailproto.model import DELIMITER, MailboxEntry, MailboxStatus

__all__ = ["Notifier"]

_AT_ONCE: Final = 25
"""Mailboxes that are looked at, or told of, before others have their turn."""

_NEW: Final = ("MESSAGES", "UIDNEXT", "UIDVALIDITY")


class Notifier:
    """Tells one client (`Notices`).

    :param wanted: what it is told of.
    """

    def __init__(self, session: Session, wanted: Notify) -> None:
        self.is_idling = False
        self._session = session
        self._account = cast("IMailboxChanges", session.account)
        self._selected = next((group for group in wanted.groups if group.is_for_selected), None)
        self._groups = [group for group in wanted.groups if not group.is_for_selected]
        events = {event for group in self._groups for event in group.events}
        self._watches_list = bool(events & {"MAILBOXNAME", "SUBSCRIPTIONCHANGE"}) or any(
            group.kind == "SUBSCRIBED" for group in self._groups
        )
        self._watches_others = bool(events)
        self._others = prefixes_of_others(session.signed_in)
        self._watches_foreign = bool(self._others) and any(map(self._may_be_foreign, self._groups))
        self._watches_list = self._watches_list or self._watches_foreign
        self._modseq = 0
        self._hint = 0
        self._told_of = 0  # the UID of the last message in the selected mailbox that was told of
        self._made: list[Sequence[int]] = []  # what this client has put there itself
        self._view: object = None  # the selected mailbox of which that was
        # What is known without watching would be old for others.
        self._shared = KNOWN_ACCOUNTS.of(session).of(session) if events else KnownAccount()
        self._known = Names()
        self._unwatch: Callable[[], None] = _nothing
        self._foreign = ForeignMailboxes(session, self._events, self._foreign_hinted, self._is_listed)
        self._is_over = False

    # -- beginning and end

    async def begin(self, *, tells_status: bool) -> None:
        """Begin to watch.

        :raises RefusedWithCode: there are too many mailboxes.
        """
        session = self._session
        if self._watches_others:
            self._unwatch = session.signed_in.watch(self._account_hinted)
            try:
                await self._look()
                await self._look_at_others()
                if tells_status:
                    await self._tell_all()
                    await self._foreign.tell_all(self._first_items)
            except BaseException:
                self.close()
                raise
        session.stop_notices()
        session.notices = self
        session.listen()
        self._note_selected()

    def close(self) -> None:
        """See `Notices`."""
        self._is_over = True
        unwatch, self._unwatch = self._unwatch, _nothing
        unwatch()
        self._foreign.close()

    def _note_selected(self) -> None:
        view = self._session.view
        if view is not self._view:
            self._view = view
            self._told_of = view.uids[-1] if view is not None and view.uids else 0
            self._made.clear()

    async def _look(self) -> None:
        """Look at the mailboxes for the first time."""
        shared = self._shared
        release = await shared.one_at_a_time(self._session)
        try:
            since = shared.modseq
            changes = await settle(self._account.mailbox_changes(since))
            await shared.take(self._session, changes, since)
            self._modseq = changes.modseq
            if self._watches_list:
                self._known = await shared.look_at_list(self._session, changes)
        finally:
            release()

    def _may_be_foreign(self, group: Group) -> bool:
        return group.kind == "SUBSCRIBED" or any(
            (name + DELIMITER).startswith(self._others) for name in group.names
        )

    async def _look_at_others(self) -> None:
        """Look at mailboxes of others, if the client may want to be told of some."""
        if not self._watches_foreign:
            return
        session = self._session
        entries = self._known.entries
        for prefix in self._others:
            for at in range(_place(entries, prefix), len(entries)):
                if not entries[at].name.startswith(prefix):
                    break
                # Its own may have such names, too; they are told of as any of its own.
                if entries[at].exists and not self._shared.has(entries[at].name):
                    await self._foreign.begin([entries[at]])
                await session.yield_turn()

    def _first_items(self, name: str) -> Sequence[str]:
        knows = "HIGHESTMODSEQ" in tables_of(self._session).status_items
        return (*_NEW, "HIGHESTMODSEQ") if "FLAGCHANGE" in self._events(name) and knows else _NEW

    def _items(self, name: str, is_counted: bool) -> Sequence[str]:
        """What is told of a mailbox that has changed.

        :param is_counted: whether messages came or went.
        """
        items: Sequence[str] = ()
        if is_counted:
            items = _NEW
        elif "FLAGCHANGE" in self._events(name):
            items = ("UIDVALIDITY", "UNSEEN")
        knows_modseqs = bool(self._session.enabled & {"CONDSTORE", "QRESYNC"})
        return (*items, "HIGHESTMODSEQ") if items and knows_modseqs else items

    def _foreign_hinted(self) -> None:
        self._session.between_events(self._tell)

    async def _tell_all(self) -> None:
        """Tell the present status of the mailboxes."""
        session = self._session
        wanted = [name for name in self._shared.mailboxes() if self._events(name) & MESSAGE_EVENTS]
        async for some in session.in_batches(wanted, _AT_ONCE):
            for name, status in (await settle(session.signed_in.status(some))).items():
                if not self._is_selected(name):
                    items = self._first_items(name)
                    session.respond(await render_status(session, name, status, items))
            await session.flush()

    # -- which events

    def _events(self, name: str) -> frozenset[str]:
        """The events of a mailbox that is not selected."""
        return frozenset().union(*(group.events for group in self._of(name)))

    def _of(self, name: str) -> Sequence[Group]:
        return [group for group in self._groups if group.has(name, self._is_subscribed, self._others)]

    def _is_subscribed(self, name: str) -> bool:
        return name in self._known and self._known[name].subscribed

    def _is_selected(self, name: str) -> bool:
        view = self._session.view
        return view is not None and view.mailbox.name == name

    # -- hints

    def _account_hinted(self, modseq: int) -> None:
        self._hint = max(self._hint, modseq)
        if self._hint > self._modseq:
            self._session.between_events(self._tell)

    def hinted(self) -> None:
        """See `Notices`."""
        if self._selected is not None:
            self._session.between_events(self._tell)

    def made(self, uids: Sequence[int]) -> None:
        """See `Notices`."""
        self._made.append(uids)

    async def _tell(self) -> None:
        session = self._session
        try:
            await session.wait_turn()  # all who are told of the same are told at the same time
            while session.is_open and not self._is_over and self._is_behind():
                await self._tell_of_selected()
                await self._tell_of_others()
                await self._foreign.tell(self._is_selected, self._items)
                await session.flush()
        except (ConnectionOver, SessionOver):
            return
        except MailError as error:
            session.tell_failed("NOTIFY", error)
        except Exception:
            session.log.failure("{peer}: NOTIFY failed", peer=session.peer)

    def _is_behind(self) -> bool:
        view = self._session.view
        if self._hint > self._modseq or self._foreign.is_stale:
            return True
        if view is None or self._selected is None or not self._selected.events:
            return False
        self._note_selected()
        is_news = bool(self._selected.items) and bool(view.uids) and view.uids[-1] > self._told_of
        return view.is_stale or is_news or (self._tells_expunges and view.any_gone)

    # -- the selected mailbox

    @property
    def _tells_expunges(self) -> bool:
        selected = self._selected
        return selected is not None and (selected.kind == "SELECTED" or self.is_idling)

    async def _tell_of_selected(self) -> None:
        session, selected, view = self._session, self._selected, self._session.view
        if view is None or selected is None or not selected.events:
            return
        self._note_selected()
        await session.catch_up(expunges=self._tells_expunges, flags="FLAGCHANGE" in selected.events)
        if view.uids and view.uids[-1] > self._told_of:
            await self._tell_of_news(session, selected, view)
        if session.writer is not None:
            session.respond(session.writer.before_completion())  # no command need follow

    async def _tell_of_news(self, session: Session, selected: Group, view: MailboxView) -> None:
        news: Sequence[int] = range(_after(view.uids, self._told_of), len(view.uids))
        self._told_of = view.uids[-1]
        made, self._made = self._made, []
        if selected.items:
            if made:  # no FETCH for the client's own messages (RFC 5465 5.2)
                news = [at for at in news if not any(_has(uids, view.uids[at]) for uids in made)]
                await session.yield_turn()
            await respond(session, selected.items, news, uid=False)

    # -- other mailboxes

    async def _tell_of_others(self) -> None:
        if self._hint <= self._modseq:
            return
        session = self._session
        hint = self._hint
        before = self._modseq
        changes = await settle(self._account.mailbox_changes(before))
        try:
            await self._shared.take(session, changes, before)
        except RefusedWithCode:
            self._overflow()
            return
        self._modseq = changes.modseq
        if self._hint == hint:
            self._hint = min(hint, self._modseq)  # even if it was of something that cannot be seen
        if changes.list_changed and self._watches_list:
            known = self._known
            release = await self._shared.one_at_a_time(session)
            try:
                self._known = await self._shared.look_at_list(session, changes)
                difference = await self._known.since(session, known)
            finally:
                release()
            await self._tell_of_names(known, *difference)
            self._foreign.list_changed()
            try:
                await self._look_at_others()
            except RefusedWithCode:
                self._overflow()
                return
        async for batch in session.in_batches(changes.statuses.items(), _AT_ONCE):
            for name, status in batch:
                await self._tell_of_messages(name, status, before)
            await session.flush()
        for name, entries in changes.annotations.items():
            self._tell_of_annotations(name, entries)

    def _overflow(self) -> None:
        self._session.respond(b"* OK [NOTIFICATIONOVERFLOW] Too many mailboxes\r\n")
        self._session.stop_notices()

    async def _tell_of_messages(self, name: str, status: MailboxStatus, before: int) -> None:
        session = self._session
        events = self._events(name) & MESSAGE_EVENTS
        if not events or self._is_over or self._is_selected(name):
            return
        is_counted = self._shared.has_counted_after(name, before)
        if not is_counted and not status.messages:
            return  # it is new, which is told by its name only
        if items := self._items(name, is_counted):
            session.respond(await render_status(session, name, status, items))

    def _tell_of_annotations(self, name: str, entries: Sequence[str]) -> None:
        event = "MAILBOXMETADATACHANGE" if name else "SERVERMETADATACHANGE"
        wants = self._events(name) if name else {each for group in self._groups for each in group.events}
        if event not in wants:
            return
        mailbox = self._session.encoded(name) if name else b'""'
        words = b" ".join([quoted_or_literal(entry) for entry in entries])
        self._session.respond(b"* METADATA %b %b\r\n" % (mailbox, words))

    # -- the list of mailboxes

    async def _tell_of_names(
        self, before: Names, told: Mapping[str, str], new_names: Mapping[str, str]
    ) -> None:
        """Tell what is different in the list of mailboxes."""
        entries = self._known.entries
        async for batch in self._session.in_batches(told.items(), _AT_ONCE):
            for name, event in batch:
                if self._wants_name(name, event, before):
                    self._tell_of_name(name, entries, new_names.get(name))
            await self._session.flush()

    def _is_listed(self, name: str) -> bool:
        return self._watches_list and self._wants_name(name, "MAILBOXNAME", self._known)

    def _wants_name(self, name: str, event: str, before: Names) -> bool:
        was_subscribed = name in before and before[name].subscribed
        return any(
            event in group.events
            and (
                group.has(name, self._is_subscribed, self._others)
                or (group.kind == "SUBSCRIBED" and was_subscribed)
            )
            for group in self._groups
        )

    def _tell_of_name(self, name: str, entries: Sequence[MailboxEntry], old: str | None) -> None:
        at = _place(entries, name)
        entry = entries[at] if at < len(entries) and entries[at].name == name else None
        entry = entry or MailboxEntry(name, selectable=False, exists=False)
        attributes = " ".join(attributes_of(entry, self._known.has_inferiors(name), True)).encode("ascii")
        info = b"" if old is None else b' ("OLDNAME" (%b))' % self._session.encoded(old)
        words = attributes, DELIMITER.encode("ascii"), self._session.encoded(name), info
        self._session.respond(b'* LIST (%b) "%b" %b%b\r\n' % words)


def _has(uids: Sequence[int], uid: int) -> bool:
    at = bisect_left(uids, uid)
    return at < len(uids) and uids[at] == uid


def _place(entries: Sequence[MailboxEntry], name: str) -> int:
    return bisect_left(range(len(entries)), name, key=lambda at: entries[at].name)


def _after(uids: Sequence[int], uid: int) -> int:
    """The index of the first message after a UID."""
    at = len(uids)
    while at and uids[at - 1] > uid:
        at -= 1
    return at


def _nothing() -> None:
    """``_unwatch`` of one that does not watch."""
