"""Sets of mailboxes, as clients name them: ``personal``, ``subtree X``, ... (RFC 5465 6, RFC 7377 2.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from mailproto.awaiting import settle
from mailproto.imap.server._namespaces import prefixes_of_others
from mailproto.imap.server._session import Session
from mailproto.imap.wire import ArgumentReader, IMAPWireError
from mailproto.model import DELIMITER, MailboxEntry

__all__ = ["MailboxSet", "chosen_names", "mailbox_set"]

_ALONE = frozenset({"INBOXES", "PERSONAL", "SELECTED", "SUBSCRIBED"})
_WITH_NAMES = frozenset({"MAILBOXES", "SUBTREE", "SUBTREE-ONE"})

_NAMES = 1000
"""How many names there may be in one set."""

_AT_ONCE = 100
"""Entries of a list of mailboxes that are looked at before others may have their turn."""


@dataclass(frozen=True, slots=True)
class MailboxSet:
    """A set.

    :ivar kind: in upper case, such as ``SUBTREE``.
    :ivar names: of mailboxes, if it is about some.
    """

    kind: str
    names: frozenset[str] = frozenset()

    def has(self, entry: MailboxEntry, others: tuple[str, ...]) -> bool:
        """Whether a mailbox is in the set.

        :param others: what names of mailboxes begin with that are not personal.
        """
        name = entry.name
        match self.kind:
            case "INBOXES":  # those that mail is delivered to
                return name == "INBOX"
            case "PERSONAL":
                return not name.startswith(others)
            case "SUBSCRIBED":
                return entry.subscribed
            case "MAILBOXES":
                return name in self.names
            case "SUBTREE":
                levels = name.split(DELIMITER)
                return any(DELIMITER.join(levels[:end]) in self.names for end in range(1, len(levels) + 1))
            case "SUBTREE-ONE":
                return name in self.names or name.rpartition(DELIMITER)[0] in self.names
        return False


def mailbox_set(arguments: ArgumentReader) -> MailboxSet:
    """A set, such as ``personal`` or ``mailboxes (a b)``."""
    kind = arguments.atom()
    if kind in _ALONE:
        return MailboxSet(kind)
    if kind not in _WITH_NAMES:
        raise IMAPWireError("Unknown set of mailboxes")
    names = arguments.list_of(arguments.mailbox) if arguments.follows(b" (") else [arguments.mailbox()]
    if not names:
        raise IMAPWireError("Expected mailboxes")
    if len(names) > _NAMES:
        raise IMAPWireError("Too many mailboxes", code="LIMIT", bad=False)
    return MailboxSet(kind, frozenset(names))


async def chosen_names(session: Session, sets: Sequence[MailboxSet]) -> AsyncIterator[str]:
    """The names of the mailboxes in some sets, each of them once, in the order of the list.

    Those that the client named come in the end if they are not in the list: it need not see them there.
    """
    if not sets:
        return
    account = session.signed_in
    others = prefixes_of_others(account)
    await session.wait_turn()
    entries: Iterable[MailboxEntry] = await settle(account.list())
    named = set[str]().union(*(each.names for each in sets))
    for place, entry in enumerate(entries):
        if entry.selectable and entry.exists and any(each.has(entry, others) for each in sets):
            named.discard(entry.name)
            yield entry.name
        if not place % _AT_ONCE:
            await session.yield_turn()
    for name in sorted(named):
        yield name
