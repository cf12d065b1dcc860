"""Checks by counts and digests that all messages of one account are in another one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from twisted.internet.interfaces import IReactorTime

from mailproto._reactor import installed
from mailproto.imap import IMAPClient
from mailproto.interfaces import IAccount
from mailproto.mirroring._account import account_sides
from mailproto.mirroring._breathing import Breather
from mailproto.mirroring._link import Persistence
from mailproto.mirroring._pairs import MailboxPair, listed_of, mailbox_pairs
from mailproto.mirroring._report import MirrorReport
from mailproto.mirroring._sides import BATCH, Side
from mailproto.mirroring._state import MirrorState

__all__ = ["MailboxComparison", "compare_accounts"]

_DIGEST_OCTETS = 16
"""Octets of each digest that are kept: enough to tell messages apart, where nobody makes them equal."""


@dataclass(frozen=True, slots=True)
class MailboxComparison:
    """A mailbox of the source beside that of the target.

    :ivar mailbox: the source's name.
    :ivar source_messages: how many messages it has.
    :ivar target_messages: how many its copy has; it may have others of its own.
    :ivar missing: how many of the source's messages are not in the copy, octet for octet.
    """

    mailbox: str
    source_messages: int
    target_messages: int
    missing: int

    @property
    def agrees(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


async def compare_accounts(
    source: IMAPClient | Callable[[], Awaitable[IMAPClient]] | IAccount,
    target: IMAPClient | Callable[[], Awaitable[IMAPClient]] | IAccount,
    state: str | os.PathLike[str] | None = None,
    *,
    clock: IReactorTime | None = None,
) -> list[MailboxComparison]:
    """Read all messages of both accounts, and compare their octets; nothing is changed.

    :param source: as for `mirror_account`.
    :param target: likewise.
    :param state: of the mirroring: it knows the names of mailboxes that are called differently on one side.
    :raises MirrorError: ``state`` is not usable.
    :raises MailError: a mailbox cannot be read.
    """
    accounts, links = account_sides(source, target)
    clock = installed() if clock is None else clock
    breather, report = Breather(clock), MirrorReport()
    again = Persistence(clock, links, report)
    known: dict[str, str] = {}
    if state is not None:
        states = await breather.aside(lambda: MirrorState(state))
        known = states.names()
        await breather.aside(states.close)

    async def compare(pair: MailboxPair) -> MailboxComparison:
        ours = await _digests(await accounts[0].side(pair.names[0], read_only=True), breather)
        theirs: Counter[bytes] = Counter()
        if pair.target is not None:
            theirs = await _digests(await accounts[1].side(pair.names[1], read_only=True), breather)
        missing = ours - theirs
        return MailboxComparison(pair.names[0], ours.total(), theirs.total(), missing.total())

    found: list[MailboxComparison] = []
    try:
        for link in links:
            await link.client()
        lists = await again(lambda: listed_of(accounts, report))
        for pair in mailbox_pairs(accounts, lists, known, both=False):
            found.append(await again(partial(compare, pair)))
            report.mailboxes += 1  # so that attempts are counted for each
        await again.close()
    finally:
        for link in links:
            link.drop()
    return found


async def _digests(side: Side, breather: Breather) -> Counter[bytes]:
    await side.open()
    digests: Counter[bytes] = Counter()
    uids: list[int] = []
    async for rows in side.changes(0):
        uids += [uid for uid, _ in rows]
    for at in range(0, len(uids), BATCH):
        async for message in side.read(uids[at : at + BATCH]):
            digest = b"" if message.content is None else await breather.digest(message.content)
            digests[digest[:_DIGEST_OCTETS]] += 1
    return digests
