"""What is known of the mailboxes of an account, by all its sessions that are told of changes (NOTIFY).

There may be ten thousand mailboxes, and fifty sessions.  So their list and their counts are kept once, and
what is different in the list is found once, by the first session that needs it; the others wait for that.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from sys import intern
from typing import Final, NamedTuple, TypeAlias
from weakref import WeakValueDictionary

from twisted.internet.defer import DeferredLock

from mailproto.awaiting import settle
from mailproto.imap.server._errors import RefusedWithCode
from mailproto.imap.server._keeping import PerServer
from mailproto.imap.server._session import Session
from mailproto.model import DELIMITER, AccountChanges, MailboxEntry, MailboxStatus

__all__ = ["KNOWN_ACCOUNTS", "KnownAccount", "Names"]

MAILBOXES: Final = 10_000
"""The most mailboxes of an account of which clients are told; each takes some 400 octets, for all sessions
together."""

_AT_ONCE: Final = 100
"""Mailboxes that are looked at before others have their turn."""

_MODSEQ_BITS: Final = 64

Difference: TypeAlias = "tuple[Mapping[str, str], Mapping[str, str]]"
"""The events to be told of, by names; and the old names of mailboxes that were renamed, by the new ones."""


class KnownName(NamedTuple):
    """A name in the list of mailboxes."""

    id: str | None
    subscribed: bool
    selectable: bool
    exists: bool


class Names(dict[str, KnownName]):
    """The list of mailboxes at some time; only its modseq may become greater.

    :ivar modseq: it has all changes up to it.
    :ivar entries: the list itself, sorted.
    """

    __slots__ = ("_since", "entries", "modseq")

    def __init__(self) -> None:
        self.modseq = 0
        self.entries: Sequence[MailboxEntry] = ()
        self._since: tuple[Names, Difference] | None = None

    async def since(self, session: Session, before: Names) -> Difference:
        """What is different from an earlier list, also whether names are below a name."""
        if self._since is None or self._since[0] is not before:
            self._since = before, await self._difference(session, before)
        return self._since[1]

    async def _difference(self, session: Session, before: Names) -> Difference:
        gone: dict[str, str] = {}
        renamed: dict[str, str] = {}  # the new names, by the old ones
        told: dict[str, str] = {}
        async for some in session.in_batches(before.items(), _AT_ONCE):
            gone.update((was.id, name) for name, was in some if was.id and name not in self)
        if gone:
            async for some in session.in_batches(self.items(), _AT_ONCE):
                for name, now in some:
                    if name not in before and now.id and (old := gone.get(now.id)):
                        renamed[old] = name
        new_names = {new: old for old, new in renamed.items()}
        await session.yield_turn()
        async for batch in session.in_batches(sorted({*before, *self}), _AT_ONCE):
            for name in batch:
                was, is_ = before.get(name), self.get(name)
                event = None if name in renamed else _event(name, was, is_, new_names)
                if event is not None:
                    told[name] = event
                if (was is None) != (is_ is None):
                    above = name.rpartition(DELIMITER)[0]
                    if above not in renamed and before.has_inferiors(above) != self.has_inferiors(above):
                        told.setdefault(above, "MAILBOXNAME")
        return dict(sorted(told.items())), new_names

    def has_inferiors(self, name: str) -> bool:
        """Whether some names are below one."""
        beginning = name + DELIMITER
        at = bisect_left(range(len(self.entries)), beginning, key=lambda at: self.entries[at].name)
        return bool(name) and at < len(self.entries) and self.entries[at].name.startswith(beginning)


def _event(
    name: str, was: KnownName | None, is_: KnownName | None, new_names: Mapping[str, str]
) -> str | None:
    if was == is_:
        return None
    if was is not None and is_ is not None and was[2:] == is_[2:]:
        return None if was.subscribed == is_.subscribed else "SUBSCRIPTIONCHANGE"
    if old := new_names.get(name):
        above = name.rpartition(DELIMITER)[0]
        is_below_another = new_names.get(above) == old.rpartition(DELIMITER)[0] != ""
        return None if is_below_another else "MAILBOXNAME"
    return "MAILBOXNAME"


class KnownAccount:
    """What is known of one account.

    :ivar modseq: the counts are those of all mailboxes up to it; 0 if they have not been looked at.
    :ivar names: the latest list of mailboxes.
    """

    def __init__(self) -> None:
        self.modseq = 0
        self.names = Names()
        self._lock = DeferredLock()
        # By mailbox: the number of messages, the next UID and UIDVALIDITY, and the modseq of the account at
        # which they were found to have changed; together in one number.
        self._counts: dict[str, int] = {}

    async def one_at_a_time(self, session: Session) -> Callable[[], None]:
        """Wait until no other session does what needs much memory; returns what ends that.

        :raises ConnectionOver: the session has ended.
        """
        await session.while_open(self._lock.acquire())
        return self._lock.release

    async def take(self, session: Session, changes: AccountChanges, since: int) -> None:
        """Note the counts of mailboxes that have changed.

        :param since: when the changes begin.
        :raises RefusedWithCode: there are too many mailboxes.
        """
        async for some in session.in_batches(changes.statuses.items(), _AT_ONCE):
            for name, status in some:
                self._note(name, status, changes.modseq)
        self.modseq = max(self.modseq, changes.modseq)
        if not changes.list_changed and self.names.modseq >= since:
            self.names.modseq = max(self.names.modseq, changes.modseq)

    def _note(self, name: str, status: MailboxStatus, modseq: int) -> None:
        counts = status.messages << 64 | status.uid_next << 32 | status.uid_validity
        known = self._counts.get(name)
        if known is None:
            if len(self._counts) >= MAILBOXES:
                raise RefusedWithCode("NOTIFICATIONOVERFLOW", f"More than {MAILBOXES} mailboxes")
            # What is new and empty is told by its name only.
            self._counts[intern(name)] = counts << _MODSEQ_BITS | (modseq if status.messages else 0)
        elif known >> _MODSEQ_BITS != counts and known & _MODSEQ_MASK <= modseq:
            self._counts[name] = counts << _MODSEQ_BITS | modseq

    def has_counted_after(self, name: str, modseq: int) -> bool:
        """Whether the counts of a mailbox have changed since the account had that modseq."""
        return self._counts.get(name, 0) & _MODSEQ_MASK > modseq

    def has(self, name: str) -> bool:
        """Whether the account itself has a mailbox of that name."""
        return name in self._counts

    def mailboxes(self) -> Sequence[str]:
        """The names of all mailboxes."""
        return list(self._counts)

    async def look_at_list(self, session: Session, changes: AccountChanges) -> Names:
        """The list of mailboxes after some changes; only one session at a time may look."""
        known = self.names
        if known.entries and known.modseq >= changes.modseq:
            return known
        account = session.signed_in
        entries = await settle(account.list())
        new: list[str] = []
        async for some in session.in_batches(entries, _AT_ONCE):
            names = [entry.name for entry in some if entry.selectable and entry.name not in known]
            new += [name for name in names if name not in changes.statuses]
        statuses = {**changes.statuses, **(await settle(account.status(new)) if new else {})}
        noted = Names()
        async for some in session.in_batches(entries, _AT_ONCE):
            for entry in some:
                name = entry.name
                id_ = known[name].id if name in known else None
                if name in statuses:
                    id_ = statuses[name].mailbox_id
                here = KnownName(id_ and intern(id_), entry.subscribed, entry.selectable, entry.exists)
                noted[intern(name)] = here if here != known.get(name) else known[name]
        if known.entries:
            for name in [name for name in known if name not in noted]:
                self._counts.pop(name, None)
        noted.entries, noted.modseq = entries, changes.modseq
        self.names = noted
        return noted


_MODSEQ_MASK: Final = (1 << _MODSEQ_BITS) - 1


class _KnownAccounts:
    """The accounts of whose changes some session is told, by name."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[str, KnownAccount] = WeakValueDictionary()

    def of(self, session: Session) -> KnownAccount:
        """That of the session."""
        name = session.signed_in.name
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = KnownAccount()
        return known


KNOWN_ACCOUNTS: Final = PerServer(lambda factory: _KnownAccounts())
