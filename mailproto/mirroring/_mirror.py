"""Keeps two mailboxes in step."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import cast

from twisted.internet.interfaces import IReactorTime

from mailproto._arguments import check_bool, check_call, wrong_type
from mailproto._reactor import installed
from mailproto.interfaces import IMailbox
from mailproto.mirroring._breathing import Breather
from mailproto.mirroring._link import Link, Persistence
from mailproto.mirroring._local_side import LocalSide
from mailproto.mirroring._remote_side import RemoteMailbox, RemoteSide
from mailproto.mirroring._report import MirrorProgress, MirrorReport
from mailproto.mirroring._run import MailboxRun
from mailproto.mirroring._sides import Side
from mailproto.mirroring._state import MirrorState

__all__ = ["mirror"]


async def mirror(
    source: RemoteMailbox | IMailbox,
    target: RemoteMailbox | IMailbox,
    state: str | os.PathLike[str],
    *,
    both: bool = False,
    dry_run: bool = False,
    progress: Callable[[MirrorProgress], object] | None = None,
    clock: IReactorTime | None = None,
) -> MirrorReport:
    """Bring what has changed in one mailbox since the last run to another one::

        remote = RemoteMailbox(client, "INBOX")
        local = await settle(account.open("INBOX"))
        report = await mirror(remote, local, "/var/lib/example/bob.mirror")

    New messages are copied with their flags and dates, changes of flags are applied one by one, and a message
    that is gone is removed, if an earlier run has had it on both sides.  The first run, or one after a change
    of UIDVALIDITY, finds the messages that are on both sides by their octets, and removes nothing.  It may be
    stopped at any instant, and run again: no message is lost or doubled.

    :param source: a mailbox on a server, or of a store.  If its client is a function that connects, a lost
        connection is made again, a limited number of times, and the run goes on.
    :param target: likewise.
    :param state: a file that keeps what is known between the runs; each pair of accounts needs its own.
    :param both: changes of the target also come to the source.  Where a flag was changed on both sides, both
        changes count; what was removed on one side is removed, even if its flags were changed on the other.
    :param dry_run: change nothing, and only say in the result what would be changed.
    :param progress: called after each step.
    :param clock: by default the installed reactor.
    :raises MirrorError: it cannot go on, or ``state`` is not usable.
    :raises MailError: a mailbox fails as a whole; for example, `ConnectionLost`.
    """
    check_bool("both", both)
    check_bool("dry_run", dry_run)
    if progress is not None:
        check_call("progress", progress, "a function that takes a MirrorProgress, or None", 1)
    places = _Place("source", source, not both or dry_run), _Place("target", target, dry_run)
    links = [place.link for place in places if place.link is not None]
    report = MirrorReport()
    clock = installed() if clock is None else clock
    breather = Breather(clock)
    again = Persistence(clock, links, report)

    async def run() -> None:
        sides = await places[0].side(), await places[1].side()
        await MailboxRun(
            *sides, both=both, dry_run=dry_run, breather=breather, report=report, progress=progress
        ).run(states)

    states = await breather.aside(lambda: MirrorState(state, dry_run=dry_run))
    try:
        for link in links:
            await link.client()  # what is wrong with the first connection is wrong with all
        await again(run)
        await again.close()
    finally:
        for link in links:
            link.drop()
        await breather.aside(states.close)
    return report


class _Place:
    """Where one of the mailboxes is.

    :ivar link: the connection to its server; None for a store.
    :raises TypeError: it is no mailbox.
    """

    def __init__(self, name: str, mailbox: object, read_only: bool) -> None:
        self.link: Link | None = None
        self._mailbox = mailbox
        self._read_only = read_only
        if isinstance(mailbox, RemoteMailbox):
            self.link = Link(mailbox.client)
        elif not IMailbox.providedBy(mailbox):
            hint = "write RemoteMailbox(client, name)"
            raise wrong_type(name, mailbox, "a RemoteMailbox or an IMailbox", hint)

    async def side(self) -> Side:
        """The mailbox, with a connection."""
        if self.link is None:
            return LocalSide(cast(IMailbox, self._mailbox))
        name = cast(RemoteMailbox, self._mailbox).name
        return RemoteSide(await self.link.client(), name, read_only=self._read_only)
