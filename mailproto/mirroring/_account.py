"""Keeps all mailboxes of two accounts in step."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

from twisted.internet.interfaces import IReactorTime

from mailproto._arguments import check_bool, check_call, check_choice, check_type, wrong_type
from mailproto._reactor import installed
from mailproto.client.errors import ClientError, CommandRefused, ConnectionLost
from mailproto.errors import MailError
from mailproto.imap import IMAPClient
from mailproto.interfaces import IAccount
from mailproto.mirroring._account_sides import AccountSide, ListedMailbox
from mailproto.mirroring._breathing import Breather
from mailproto.mirroring._changed_names import ChangedNames, Gone
from mailproto.mirroring._exchanged import Exchanged
from mailproto.mirroring._link import ClientSource, Link, Persistence, is_client_source
from mailproto.mirroring._local_account import LocalAccount
from mailproto.mirroring._names import careful, free_name
from mailproto.mirroring._pairs import Lists, MailboxPair, mailbox_pairs
from mailproto.mirroring._remote_account import RemoteAccount
from mailproto.mirroring._report import MirrorFailure, MirrorProgress, MirrorReport
from mailproto.mirroring._run import MailboxRun
from mailproto.mirroring._sides import MirrorError
from mailproto.mirroring._state import MirrorState

__all__ = ["account_sides", "mirror_account"]

_ATTEMPTS = 4
"""How often names are looked at: what is renamed on one side may take a name from the other side."""


async def mirror_account(
    source: IMAPClient | Callable[[], Awaitable[IMAPClient]] | IAccount,
    target: IMAPClient | Callable[[], Awaitable[IMAPClient]] | IAccount,
    state: str | os.PathLike[str],
    *,
    both: bool = False,
    gone: Gone = "keep",
    dry_run: bool = False,
    mailboxes: Collection[str] | None = None,
    between: str = "",
    progress: Callable[[MirrorProgress], object] | None = None,
    clock: IReactorTime | None = None,
) -> MirrorReport:
    """Bring what has changed in one account since the last run to another one.

    Each mailbox is mirrored as `mirror` does it.  Those that are missing are made, with their special use
    (RFC 6154) where that is possible, and subscriptions are mirrored, too.  Those that were renamed are
    renamed on the other side.

    :param source: a client that has signed in, and is used by nobody else meanwhile; or a function that
        connects one, and is called again when the connection is lost; or a store's account.
    :param target: likewise.
    :param gone: what becomes of a mailbox that earlier runs have had on both sides, and that is gone from one
        side now: ``"keep"`` leaves it alone on the other side; ``"remove"`` removes it there, unless it has
        a message that was never on both sides; ``"restore"`` makes it again.  One way, only what is gone from
        the source is removed, and only what is gone from the target is made again.
    :param mailboxes: only these, by their names at the source.
    :param between: what is mirrored, in any words, such as both URLs: it is kept in ``state``, which is
        refused for anything else.
    :raises MirrorError: the state is not usable.
    :raises ConnectionLost: a server is gone, and does not come back soon.
    :raises MailError: the list of mailboxes cannot be read.

    The other parameters are those of `mirror`.  What is wrong with one mailbox is in the result's
    ``failures``, and the others are mirrored.
    """
    check_bool("both", both)
    check_choice("gone", gone, ("keep", "remove", "restore"))
    check_bool("dry_run", dry_run)
    check_type("between", between, str, "a str")
    if isinstance(mailboxes, str):
        raise wrong_type("mailboxes", mailboxes, "names, or None", f"write [{mailboxes!r}]")
    if progress is not None:
        check_call("progress", progress, "a function that takes a MirrorProgress, or None", 1)
    accounts, links = account_sides(source, target)
    clock = installed() if clock is None else clock
    breather, report = Breather(clock), MirrorReport()
    again = Persistence(clock, links, report)
    states = await breather.aside(lambda: MirrorState(state, between, dry_run=dry_run))
    try:
        for link in links:
            await link.client()  # what is wrong with the first connection is wrong with all
        run = _AccountRun(
            accounts,
            states,
            again,
            both=both,
            gone=gone,
            dry_run=dry_run,
            breather=breather,
            report=report,
            progress=progress,
        )
        await run.run(mailboxes)
        await again.close()
    finally:
        for link in links:
            link.drop()
        await breather.aside(states.close)
    return report


def account_sides(source: object, target: object) -> tuple[tuple[AccountSide, AccountSide], Sequence[Link]]:
    """Both accounts, and the connections that they use.  :raises TypeError: one is no account."""
    sides: list[AccountSide] = []
    links: list[Link] = []
    for name, account in (("source", source), ("target", target)):
        if IAccount.providedBy(account):
            sides.append(LocalAccount(account))
        elif is_client_source(account):
            links.append(Link(cast(ClientSource, account)))
            sides.append(RemoteAccount(links[-1]))
        else:
            raise wrong_type(name, account, "an IMAPClient, a function that gives one, or an IAccount")
    return (sides[0], sides[1]), links


class _AccountRun:
    """One run."""

    def __init__(
        self,
        accounts: tuple[AccountSide, AccountSide],
        states: MirrorState,
        again: Persistence,
        *,
        both: bool,
        gone: Gone,
        dry_run: bool,
        breather: Breather,
        report: MirrorReport,
        progress: Callable[[MirrorProgress], object] | None,
    ) -> None:
        self._accounts = accounts
        self._states = states
        self._again = again
        self._both = both
        self._gone: Gone = gone
        self._dry_run = dry_run
        self._breather = breather
        self._report = report
        self._progress = progress
        self._known: dict[str, str] = {}
        self._taken: list[set[str]] = []
        self._made: dict[tuple[int, str], str] = {}

    async def run(self, only: Collection[str] | None) -> None:
        """Mirror all mailboxes, or only some."""
        changed = ChangedNames(
            self._accounts,
            self._states,
            both=self._both,
            gone=self._gone,
            dry_run=self._dry_run,
            breather=self._breather,
            report=self._report,
        )
        for attempt in range(_ATTEMPTS):
            await self._again(partial(changed.settle, only, compare=attempt > 0))
            self._states.has_compared = attempt + 1 == _ATTEMPTS
            failures = len(self._report.failures)
            try:
                await self._pairs(changed.lists, only)
                return
            except Exchanged:
                del self._report.failures[failures:]
                self._report.mailboxes = 0

    async def _pairs(self, lists: Lists, only: Collection[str] | None) -> None:
        self._known = self._states.names()
        pairs = mailbox_pairs(self._accounts, lists, self._known, both=self._both)
        if only is not None:
            pairs = [pair for pair in pairs if pair.names[0] in only]
            for name in sorted({*only} - {pair.names[0] for pair in pairs}):
                self._report.failures.append(MirrorFailure(name, None, "there is no such mailbox"))
        self._taken = [{*names, *(pair.names[side] for pair in pairs)} for side, names in enumerate(lists)]
        for number, pair in enumerate(pairs):
            try:
                await self._again(partial(self._pair, pair, number, len(pairs)))
            except CommandRefused as error:
                self._failed(pair, error)
            except (ClientError, Exchanged):
                raise
            except (MailError, MirrorError) as error:
                self._failed(pair, error)

    def _failed(self, pair: MailboxPair, error: Exception) -> None:
        self._report.failures.append(MirrorFailure(pair.names[0], None, str(error)))

    async def _pair(self, pair: MailboxPair, number: int, count: int) -> None:
        if None in (pair.source, pair.target) and self._known.get(pair.names[0]) == pair.names[1]:
            return  # it was there before, and is left alone
        names = list(pair.names)
        for side, listed in enumerate((pair.source, pair.target)):
            if listed is not None:
                continue
            if self._dry_run:
                self._report.created.append(names[side])
                await self._count_new(names[1 - side], 1 - side)
                return
            other = pair.target or pair.source
            assert other is not None  # noqa: S101 - one of them is there
            names[side] = await self._create(side, names[side], other)
        sides = (
            await self._accounts[0].side(names[0], read_only=not self._both or self._dry_run),
            await self._accounts[1].side(names[1], read_only=self._dry_run),
        )
        await MailboxRun(
            *sides,
            both=self._both,
            dry_run=self._dry_run,
            breather=self._breather,
            report=self._report,
            progress=None if self._progress is None else self._told(number, count),
        ).run(self._states)
        await self._subscribe(replace(pair, names=(names[0], names[1])))

    async def _create(self, side: int, name: str, other: ListedMailbox) -> str:
        """Make a mailbox, if need be under a name that is more to the server's taste; its name."""
        if (side, name) in self._made:  # before the connection was lost
            return self._made[side, name]
        account, taken = self._accounts[side], self._taken[side]
        names = [name, account.name_of(careful(other.levels))]
        for each in dict.fromkeys(names):
            chosen = each if each == name else free_name(each, taken)
            try:
                while not await account.create(chosen, other.special_use):
                    taken.add(chosen)
                    chosen = free_name(each, taken)
            except ConnectionLost:
                raise
            except MailError as error:
                refusal = error
                continue
            taken.add(chosen)
            self._made[side, name] = chosen
            self._report.created.append(chosen)
            return chosen
        raise refusal

    def _told(self, number: int, count: int) -> Callable[[MirrorProgress], object]:
        tell = self._progress
        assert tell is not None  # noqa: S101 - for mypy
        return lambda progress: tell(replace(progress, mailboxes_done=number, mailboxes=count))

    async def _count_new(self, name: str, side: int) -> None:
        """What would be copied into a mailbox that is not there yet."""
        mailbox = await self._accounts[side].side(name, read_only=True)
        await mailbox.open()
        rows = 0
        async for page in mailbox.changes(0):
            rows += len(page)
        if side:
            self._report.copied_back += rows
        else:
            self._report.copied += rows
        self._report.mailboxes += 1

    async def _subscribe(self, pair: MailboxPair) -> None:
        """Bring the changes of the subscription to both sides, or (one way) to the target."""
        if self._dry_run:
            return
        state = self._states.mailbox(*pair.names)
        now = [each is not None and each.is_subscribed for each in (pair.source, pair.target)]
        merged = now[0]
        if self._both and now[0] != now[1]:
            merged = not state.is_subscribed  # one side has changed it
        for side in _different(now, merged) if self._both else (1,):
            if self._both or (merged != state.is_subscribed and now[1] != merged):
                await self._accounts[side].subscribe(pair.names[side], merged)
        state.note_subscribed(merged)


def _different(now: Sequence[bool], wanted: bool) -> Iterator[int]:
    return (side for side, value in enumerate(now) if value != wanted)
