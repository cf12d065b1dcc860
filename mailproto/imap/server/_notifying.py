"""Tells a client of changes at any time, in its selected mailbox and in others (RFC 5465).

What has changed is asked for when the account hints at changes, and told between two commands.  While a
client is slow to read, or has a command under way, changes come together, and are told once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from sys import intern
from typing import Final, NamedTuple, cast
from weakref import WeakValueDictionary

from mailproto.awaiting import settle
from mailproto.connection import ConnectionOver
from mailproto.errors import MailError
from mailproto.imap.server._errors import RefusedWithCode, SessionOver
from mailproto.imap.server._events_wanted import MESSAGE_EVENTS, Group, Notify
from mailproto.imap.server._fetch import respond
from mailproto.imap.server._listing import attributes_of
from mailproto.imap.server._mailbox_commands import render_status
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._session import PerServer, Session
from mailproto.imap.wire import quoted_or_literal
from mailproto.interfaces.add_ons import IMailboxChanges
from mailproto.model import DELIMITER, AccountChanges, MailboxEntry, MailboxStatus

__all__ = ["MAILBOXES", "Notifier"]

MAILBOXES: Final = 10_000
"""The most mailboxes, beside the selected one, of which a client is told; each takes some 200 octets."""

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
        self._modseq = 0
        self._hint = 0
        self._told_of = 0  # the UID of the last message in the selected mailbox that was told of
        self._view: object = None  # the selected mailbox of which that was
        self._counts: dict[str, int] = {}  # of messages, and the next UIDs, together in one number
        self._known = _Names()
        self._unwatch: Callable[[], None] = _nothing
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
                changes = await settle(self._account.mailbox_changes(0))
                self._modseq = changes.modseq
                if self._watches_list:
                    await self._look_at_list(changes)
                async for batch in session.in_batches(changes.statuses.items(), _AT_ONCE):
                    for name, status in batch:
                        await self._note(name, status, tells_status=tells_status)
                    await session.flush()
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

    def _note_selected(self) -> None:
        view = self._session.view
        if view is not self._view:
            self._view = view
            self._told_of = view.uids[-1] if view is not None and view.uids else 0

    async def _note(self, name: str, status: MailboxStatus, *, tells_status: bool) -> None:
        events = self._events(name) & MESSAGE_EVENTS
        if not events:
            return
        if len(self._counts) >= MAILBOXES:
            raise RefusedWithCode("NOTIFICATIONOVERFLOW", f"More than {MAILBOXES} mailboxes")
        self._counts[intern(name)] = _counts(status)
        if tells_status and not self._is_selected(name):
            items: tuple[str, ...] = _NEW
            if "FLAGCHANGE" in events and "HIGHESTMODSEQ" in tables_of(self._session).status_items:
                items = (*_NEW, "HIGHESTMODSEQ")
            self._session.respond(await render_status(self._session, name, status, items))

    # -- which events

    def _events(self, name: str) -> frozenset[str]:
        """The events of a mailbox that is not selected."""
        return frozenset().union(*(group.events for group in self._of(name)))

    def _of(self, name: str) -> Sequence[Group]:
        return [group for group in self._groups if group.has(name, self._is_subscribed)]

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

    async def _tell(self) -> None:
        session = self._session
        try:
            await session.wait_turn()  # all who are told of the same are told at the same time
            while session.is_open and not self._is_over and self._is_behind():
                await self._tell_of_selected()
                await self._tell_of_others()
                await session.flush()
        except (ConnectionOver, SessionOver):
            return
        except MailError as error:
            session.tell_failed("NOTIFY", error)
        except Exception:
            session.log.failure("{peer}: NOTIFY failed", peer=session.peer)

    def _is_behind(self) -> bool:
        view = self._session.view
        if self._hint > self._modseq:
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
        if not view.uids or view.uids[-1] <= self._told_of:
            return
        if selected.items:
            news = range(_after(view.uids, self._told_of), len(view.uids))
            await respond(session, selected.items, news, uid=False)
        self._told_of = view.uids[-1]

    # -- other mailboxes

    async def _tell_of_others(self) -> None:
        if self._hint <= self._modseq:
            return
        session = self._session
        hint = self._hint
        changes = await settle(self._account.mailbox_changes(self._modseq))
        self._modseq = changes.modseq
        if self._hint == hint:
            self._hint = min(hint, self._modseq)  # even if it was of something that cannot be seen
        if changes.list_changed and self._watches_list:
            await self._tell_of_names(self._known, await self._look_at_list(changes))
        async for batch in session.in_batches(changes.statuses.items(), _AT_ONCE):
            for name, status in batch:
                await self._tell_of_messages(name, status)
            await session.flush()
        for name, entries in changes.annotations.items():
            self._tell_of_annotations(name, entries)

    async def _tell_of_messages(self, name: str, status: MailboxStatus) -> None:
        session = self._session
        events = self._events(name) & MESSAGE_EVENTS
        if not events or self._is_over:
            return
        before, now = self._counts.get(name), _counts(status)
        if before is None and len(self._counts) >= MAILBOXES:
            session.respond(b"* OK [NOTIFICATIONOVERFLOW] Too many mailboxes\r\n")
            session.stop_notices()
            return
        self._counts[intern(name)] = now
        if self._is_selected(name):
            return
        knows_modseqs = bool(session.enabled & {"CONDSTORE", "QRESYNC"})
        items: tuple[str, ...] = ()
        if before is None and not status.messages:
            return  # a new mailbox
        if before != now:
            items = _NEW
        elif "FLAGCHANGE" in events:
            items = ("UIDVALIDITY", "UNSEEN")
        if items:
            items = (*items, "HIGHESTMODSEQ") if knows_modseqs else items
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

    async def _look_at_list(self, changes: AccountChanges) -> Mapping[str, MailboxEntry]:
        """Note which names there are.

        :returns: their entries, sorted.
        """
        session, known = self._session, self._known
        entries = {entry.name: entry for entry in await settle(session.signed_in.list())}
        new = [
            name
            for name, entry in entries.items()
            if entry.selectable and name not in known and name not in changes.statuses
        ]
        statuses = {**changes.statuses, **(await settle(session.signed_in.status(new)) if new else {})}
        noted = _Names()
        async for batch in session.in_batches(entries.items(), _AT_ONCE * 4):
            for name, entry in batch:
                id_ = known[name].id if name in known else None
                if name in statuses:
                    id_ = statuses[name].mailbox_id
                noted[intern(name)] = _Known(
                    id_ and intern(id_), entry.subscribed, entry.selectable, entry.exists
                )
        shared = _SHARED.of(session)
        other = shared.get(session.signed_in.name)
        self._known = shared[session.signed_in.name] = noted if other is None or other != noted else other
        return entries

    async def _tell_of_names(self, before: Mapping[str, _Known], entries: Mapping[str, MailboxEntry]) -> None:
        """Tell what is different in the list of mailboxes, with the superiors of what is new or gone."""
        known = self._known
        gone = {was.id: name for name, was in before.items() if was.id and name not in known}
        renamed: dict[str, str] = {}  # the new names, by the old ones
        for name, now in known.items():
            if name not in before and now.id and (old := gone.get(now.id)):
                renamed[old] = name
        new_names = {new: old for old, new in renamed.items()}
        told: dict[str, str] = {}  # events by names
        async for some in self._session.in_batches(sorted({*before, *known}), _AT_ONCE * 4):
            for name in some:
                if name not in renamed:
                    told.update(_difference(name, before.get(name), known.get(name), new_names))
                if name not in known:
                    self._counts.pop(name, None)
        names = list(entries)
        async for batch in self._session.in_batches(sorted(told.items()), _AT_ONCE):
            for name, event in batch:
                if self._wants_name(name, event, before):
                    self._tell_of_name(name, entries.get(name), names, new_names.get(name))
            await self._session.flush()

    def _wants_name(self, name: str, event: str, before: Mapping[str, _Known]) -> bool:
        was_subscribed = name in before and before[name].subscribed
        return any(
            event in group.events
            and (group.has(name, self._is_subscribed) or (group.kind == "SUBSCRIBED" and was_subscribed))
            for group in self._groups
        )

    def _tell_of_name(
        self, name: str, entry: MailboxEntry | None, names: Sequence[str], old: str | None
    ) -> None:
        beginning = name + DELIMITER
        at = bisect_left(names, beginning)
        has_inferiors = at < len(names) and names[at].startswith(beginning)
        entry = entry or MailboxEntry(name, selectable=False, exists=False)
        attributes = " ".join(attributes_of(entry, has_inferiors, True)).encode("ascii")
        info = b"" if old is None else b' ("OLDNAME" (%b))' % self._session.encoded(old)
        words = attributes, DELIMITER.encode("ascii"), self._session.encoded(name), info
        self._session.respond(b'* LIST (%b) "%b" %b%b\r\n' % words)


def _difference(
    name: str, was: _Known | None, is_: _Known | None, new_names: Mapping[str, str]
) -> Mapping[str, str]:
    """The events to be told of, by names."""
    if was == is_:
        return {}
    if was is not None and is_ is not None and was[2:] == is_[2:]:
        return {} if was.subscribed == is_.subscribed else {name: "SUBSCRIPTIONCHANGE"}
    above = name.rpartition(DELIMITER)[0]
    if old := new_names.get(name):
        is_below_another = new_names.get(above) == old.rpartition(DELIMITER)[0] != ""
        return {} if is_below_another else {name: "MAILBOXNAME"}
    return {above: "MAILBOXNAME", name: "MAILBOXNAME"} if above else {name: "MAILBOXNAME"}


class _Names(dict[str, "_Known"]):
    """The list of mailboxes as clients know it; those that know the same share it, and nobody changes it."""

    __slots__ = ("__weakref__",)


_SHARED: PerServer[WeakValueDictionary[str, _Names]] = PerServer(lambda factory: WeakValueDictionary())


class _Known(NamedTuple):
    """A name in the list of mailboxes, as the client knows it."""

    id: str | None
    subscribed: bool
    selectable: bool
    exists: bool


def _counts(status: MailboxStatus) -> int:
    return status.messages << 64 | status.uid_next << 32 | status.uid_validity


def _after(uids: Sequence[int], uid: int) -> int:
    """The index of the first message after a UID."""
    at = len(uids)
    while at and uids[at - 1] > uid:
        at -= 1
    return at


def _nothing() -> None:
    """``_unwatch`` of one that does not watch."""
