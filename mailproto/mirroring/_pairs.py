"""Which mailboxes of two accounts belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mailproto.mirroring._account_sides import AccountSide, ListedMailbox
from mailproto.mirroring._names import free_name
from mailproto.mirroring._report import MirrorReport

__all__ = ["Lists", "MailboxPair", "listed_of", "mailbox_pairs"]

Lists: TypeAlias = tuple[dict[str, ListedMailbox], dict[str, ListedMailbox]]
"""The mailboxes of both accounts, by name."""


@dataclass(frozen=True, slots=True)
class MailboxPair:
    """A mailbox on both sides; None where there is none yet."""

    names: tuple[str, str]
    source: ListedMailbox | None
    target: ListedMailbox | None


async def listed_of(accounts: tuple[AccountSide, AccountSide], report: MirrorReport) -> Lists:
    """The mailboxes of both; those that show the messages of others again are left out."""
    found: list[dict[str, ListedMailbox]] = []
    for account in accounts:
        listed = await account.mailboxes()
        report.left_out += [
            each.name for each in listed if each.is_virtual and each.name not in report.left_out
        ]
        found.append({each.name: each for each in listed if not each.is_virtual})
    return found[0], found[1]


def mailbox_pairs(
    accounts: tuple[AccountSide, AccountSide], lists: Lists, known: Mapping[str, str], *, both: bool
) -> Sequence[MailboxPair]:
    """The mailboxes that belong together.

    Names are given in the same order each time: first those from earlier runs, then those that can be the
    same on both sides, and then those that must be changed for the other side; of equal ones, all but one get
    a number.

    :param known: names of the target by those of the source, from earlier runs: a name that had to be changed
        for one side would be another one on the way back.
    """
    source, target = accounts
    ours, theirs = lists
    names = _given(target, ours, known)
    pairs = [
        MailboxPair((name, names[name]), listed, theirs.get(names[name])) for name, listed in ours.items()
    ]
    if not both:
        return pairs
    taken = {*names.values(), *known.values()}
    own = {name: listed for name, listed in theirs.items() if name not in taken}
    back = _given(source, own, {}, taken={*ours, *known})
    return [*pairs, *(MailboxPair((back[name], name), None, listed) for name, listed in own.items())]


def _given(
    there: AccountSide,
    listed: Mapping[str, ListedMailbox],
    known: Mapping[str, str],
    *,
    taken: frozenset[str] | set[str] = frozenset(),
) -> dict[str, str]:
    """The names on the other side, by those on this one."""
    given = {name: known[name] for name in listed if name in known}
    used = {*known.values(), *taken}
    new = {name: there.name_of(each.levels) for name, each in listed.items() if name not in known}
    for name in sorted(new, key=lambda name: (new[name] != name, name)):
        given[name] = free_name(new[name], used)
        used.add(given[name])
    return given
