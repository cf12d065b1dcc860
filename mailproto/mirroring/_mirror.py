"""Keeps two mailboxes in step."""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from mailproto._arguments import check_bool, check_call, wrong_type
from mailproto._reactor import installed
from mailproto.interfaces import IMailbox
from mailproto.mirroring._breathing import Breather
from mailproto.mirroring._local_side import LocalSide
from mailproto.mirroring._remote_side import RemoteMailbox, RemoteSide
from mailproto.mirroring._report import MirrorProgress, MirrorReport
from mailproto.mirroring._run import MailboxRun
from mailproto.mirroring._sides import Side
from mailproto.mirroring._state import MirrorState

__all__ = ["mirror", "side_of"]


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

    :param source: a mailbox on a server, or of a store.
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
    sides = (
        side_of("source", source, read_only=not both or dry_run),
        side_of("target", target, read_only=dry_run),
    )
    report = MirrorReport()
    breather = Breather(installed() if clock is None else clock)
    states = await breather.aside(lambda: MirrorState(state, dry_run=dry_run))
    try:
        await MailboxRun(
            *sides,
            both=both,
            dry_run=dry_run,
            breather=breather,
            report=report,
            progress=progress,
        ).run(states)
    finally:
        await breather.aside(states.close)
    return report


def side_of(name: str, mailbox: object, *, read_only: bool) -> Side:
    """A mailbox as a `Side`.  :raises TypeError: it is none."""
    if isinstance(mailbox, RemoteMailbox):
        return RemoteSide(mailbox, read_only=read_only)
    if IMailbox.providedBy(mailbox):
        return LocalSide(mailbox)
    raise wrong_type(name, mailbox, "a RemoteMailbox or an IMailbox", "write RemoteMailbox(client, name)")
