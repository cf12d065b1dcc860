"""Keeps all mailboxes of two accounts in step."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from twisted.internet.interfaces import IReactorTime

from mailproto._arguments import check_bool, check_call, check_type, wrong_type
from mailproto._reactor import installed
from mailproto.client.errors import ConnectionLost
from mailproto.errors import MailError
from mailproto.imap import IMAPClient
from mailproto.interfaces import IAccount
from mailproto.mirroring._account_sides import AccountSide, ListedMailbox, account_side
from mailproto.mirroring._breathing import Breather
from mailproto.mirroring._report import MirrorFailure, MirrorProgress, MirrorReport
from mailproto.mirroring._run import MailboxRun
from mailproto.mirroring._sides import MirrorError
from mailproto.mirroring._state import MirrorState

__all__ = ["MailboxPair", "mailbox_pairs", "mirror_account"]


@dataclass(frozen=True, slots=True)
class MailboxPair:
    """A mailbox on both sides; None where there is none yet."""

    names: tuple[str, str]
    source: ListedMailbox | None
    target: ListedMailbox | None


async def mirror_account(
    source: IMAPClient | IAccount,
    target: IMAPClient | IAccount,
    state: str | os.PathLike[str],
    *,
    both: bool = False,
    dry_run: bool = False,
    mailboxes: Collection[str] | None = None,
    between: str = "",
    progress: Callable[[MirrorProgress], object] | None = None,
    clock: IReactorTime | None = None,
) -> MirrorReport:
    """Bring what has changed in one account since the last run to another one.

    Each mailbox is mirrored as `mirror` does it.  Those that are missing are made, with their special use
    (RFC 6154) where that is possible, and subscriptions are mirrored, too.  A mailbox is never removed: what
    earlier runs have had on both sides, and is gone from one side now, is left alone.

    :param source: a client that has signed in, and is used by nobody else meanwhile; or an account of a
        store.
    :param target: likewise.
    :param mailboxes: only these, by their names at the source.
    :param between: what is mirrored, in any words, such as both URLs: it is kept in ``state``, which is
        refused for anything else.
    :raises MirrorError: the state is not usable.
    :raises ConnectionLost: a server is gone.
    :raises MailError: the list of mailboxes cannot be read.

    The other parameters are those of `mirror`.  What is wrong with one mailbox is in the result's
    ``failures``, and the others are mirrored.
    """
    check_bool("both", both)
    check_bool("dry_run", dry_run)
    check_type("between", between, str, "a str")
    if isinstance(mailboxes, str):
        raise wrong_type("mailboxes", mailboxes, "names, or None", f"write [{mailboxes!r}]")
    if progress is not None:
        check_call("progress", progress, "a function that takes a MirrorProgress, or None", 1)
    accounts = account_side("source", source), account_side("target", target)
    breather = Breather(installed() if clock is None else clock)
    states = await breather.aside(lambda: MirrorState(state, between, dry_run=dry_run))
    try:
        run = _AccountRun(accounts, states, both=both, dry_run=dry_run, breather=breather, progress=progress)
        await run.run(mailboxes)
    finally:
        await breather.aside(states.close)
    return run.report


async def mailbox_pairs(
    accounts: tuple[AccountSide, AccountSide], known: Mapping[str, str], *, both: bool, report: MirrorReport
) -> Sequence[MailboxPair]:
    """The mailboxes of two accounts that belong together.

    :param known: names of the target by those of the source, from earlier runs: a name that had to be changed
        for one side would be another one on the way back.
    """
    source, target = accounts
    ours = [each for each in await source.mailboxes() if not _left_out(each, report)]
    theirs = {each.name: each for each in await target.mailboxes()}
    pairs: list[MailboxPair] = []
    taken: set[str] = set()
    for listed in ours:
        name = known.get(listed.name) or target.name_of(listed.levels)
        if name in taken:
            reason = f"another mailbox has the name {name} there"
            report.failures.append(MirrorFailure(listed.name, None, reason))
            continue
        taken.add(name)
        pairs.append(MailboxPair((listed.name, name), listed, theirs.get(name)))
    names = {each.name for each in ours}
    back = {target_name: source_name for source_name, target_name in known.items()}
    for listed in theirs.values() if both else ():
        name = back.get(listed.name) or source.name_of(listed.levels)
        if listed.name not in taken and name not in names and not _left_out(listed, report):
            pairs.append(MailboxPair((name, listed.name), None, listed))
    return pairs


def _left_out(listed: ListedMailbox, report: MirrorReport) -> bool:
    if listed.is_virtual:
        report.left_out.append(listed.name)
    return listed.is_virtual


class _AccountRun:
    """One run."""

    def __init__(
        self,
        accounts: tuple[AccountSide, AccountSide],
        states: MirrorState,
        *,
        both: bool,
        dry_run: bool,
        breather: Breather,
        progress: Callable[[MirrorProgress], object] | None,
    ) -> None:
        self._accounts = accounts
        self._states = states
        self._both = both
        self._dry_run = dry_run
        self._breather = breather
        self._progress = progress
        self.report = MirrorReport()

    async def run(self, only: Collection[str] | None) -> None:
        """Mirror all mailboxes, or only some."""
        pairs = await mailbox_pairs(self._accounts, self._states.names(), both=self._both, report=self.report)
        if only is not None:
            pairs = [pair for pair in pairs if pair.names[0] in only]
            for name in sorted({*only} - {pair.names[0] for pair in pairs}):
                self.report.failures.append(MirrorFailure(name, None, "there is no such mailbox"))
        for number, pair in enumerate(pairs):
            try:
                await self._pair(pair, number, len(pairs))
            except ConnectionLost:
                raise
            except (MailError, MirrorError) as error:
                self.report.failures.append(MirrorFailure(pair.names[0], None, str(error)))

    async def _pair(self, pair: MailboxPair, number: int, count: int) -> None:
        listed = (pair.source, pair.target)
        for side, name in enumerate(pair.names):
            if listed[side] is not None:
                continue
            other = listed[1 - side]
            if self._states.knows(*pair.names):
                self.report.left_out.append(pair.names[1 - side])
                return
            if self._dry_run:
                self.report.created.append(name)
                await self._count_new(pair.names[1 - side], 1 - side)
                return
            await self._accounts[side].create(name, None if other is None else other.special_use)
            self.report.created.append(name)
        sides = (
            await self._accounts[0].side(pair.names[0], read_only=not self._both or self._dry_run),
            await self._accounts[1].side(pair.names[1], read_only=self._dry_run),
        )
        await MailboxRun(
            *sides,
            both=self._both,
            dry_run=self._dry_run,
            breather=self._breather,
            report=self.report,
            progress=None if self._progress is None else self._told(number, count),
        ).run(self._states)
        await self._subscribe(pair)

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
            self.report.copied_back += rows
        else:
            self.report.copied += rows
        self.report.mailboxes += 1

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
