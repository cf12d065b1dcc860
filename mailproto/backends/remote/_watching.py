"""Tells those who wait for changes of what happens on the other server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall

from mailproto.backends._watch import Watchers
from mailproto.backends.remote._connections import Link
from mailproto.backends.remote._mailbox import RemoteMailbox
from mailproto.connection._awaiting import begin
from mailproto.errors import MailError, NoSuchMailbox

if TYPE_CHECKING:
    from mailproto.backends.remote._account import RemoteAccount

__all__ = ["Watching"]

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds until a lost connection is made again."""


class Watching:
    """The watchers of an account and of its mailboxes.

    :ivar when_lost: called when a connection has ended.

    A connection that has a watched mailbox selected waits with IDLE.  If there are too few of them, and for
    what happens in other mailboxes, the server is asked every ``poll`` seconds.
    """

    def __init__(self, account: RemoteAccount, poll: float) -> None:
        self._account = account
        self._poll = poll
        self._mailboxes: Watchers[RemoteMailbox] = Watchers()
        self._all: Watchers[None] = Watchers()
        self._known: dict[str, object] = {}  # what is known of all mailboxes, by name
        self._looking: set[RemoteMailbox] = set()
        self._again: set[RemoteMailbox] = set()
        self._poller: IDelayedCall | None = None
        self._repairer: IDelayedCall | None = None
        self._pause = _FIRST_PAUSE
        self._is_closed = False
        self.when_lost: Callable[[], None] = _do_nothing

    def watched(self) -> Collection[str]:
        """The other server's names of the watched mailboxes."""
        return {mailbox.remote_name for mailbox in self._mailboxes}

    def watch(self, mailbox: RemoteMailbox, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IMailbox.watch`."""
        end = self._mailboxes.add(mailbox.origin, listener)
        self._poll_later()
        self._repair_later(0)
        return end

    def watch_all(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `IAccount.watch`."""
        end = self._all.add(None, listener)
        self._poll_later()
        return end

    @property
    def is_watching_all(self) -> bool:
        """Whether somebody watches the account."""
        return bool(self._all)

    def close(self) -> None:
        """Ask no more."""
        self._is_closed = True
        for timer in (self._poller, self._repairer):
            if timer is not None and timer.active():
                timer.cancel()

    # -- looking

    def heard(self, link: Link) -> None:
        """A connection has heard of a change in its mailbox."""
        mailbox = self._account.opened.get(link.mailbox or "")
        if mailbox is not None:
            mailbox.tracking.forget(link)
            if mailbox in set(self._mailboxes) or self._all:
                self.look_soon(mailbox)

    def look_soon(self, mailbox: RemoteMailbox) -> None:
        """Look whether a mailbox has changed, and tell who watches it."""
        mailbox = mailbox.origin
        if not (self._all or mailbox in set(self._mailboxes)) or self._is_closed:
            return
        if mailbox in self._looking:
            self._again.add(mailbox)
            return
        self._looking.add(mailbox)
        self._begin(self._look(mailbox))

    def _begin(self, coroutine: Coroutine[object, object, None]) -> None:
        """Run a coroutine, which gives turns to others."""
        with suppress(MailError):
            running = begin(coroutine, _step, self._account.clock)
            if running is not None:
                running.addErrback(_nothing)

    async def _look(self, mailbox: RemoteMailbox) -> None:
        try:
            while True:
                self._again.discard(mailbox)
                try:
                    modseq = (await mailbox.status()).modseq
                except NoSuchMailbox:
                    self.tell_end(mailbox)
                    return
                except MailError:
                    self._repair_later(self._pause)
                    return
                self.tell(mailbox, modseq)
                if mailbox not in self._again:
                    return
        finally:
            self._looking.discard(mailbox)

    def tell(self, mailbox: RemoteMailbox, modseq: int) -> None:
        """Tell of a mailbox's modseq, unless that is known."""
        if modseq == mailbox.last_modseq:
            return
        # A server that has lost its modseqs begins anew with lower ones: that is news, too.
        hint = modseq if modseq >= mailbox.highest else mailbox.highest + 1
        mailbox.last_modseq = modseq
        self._mailboxes.notify(mailbox, hint)
        self.tell_all(modseq)

    def tell_end(self, mailbox: RemoteMailbox) -> None:
        """A mailbox is gone."""
        mailbox = mailbox.origin
        self._mailboxes.notify(mailbox, mailbox.highest + 1)
        self.tell_all(mailbox.highest)

    def tell_all(self, modseq: int) -> None:
        """Tell who watches the account."""
        self._account.highest = max(self._account.highest, modseq)
        self._all.notify(None, self._account.highest)

    # -- now and then

    def lost(self) -> None:
        """A connection has ended."""
        self.when_lost()
        if self._mailboxes:
            self._repair_later(self._pause)

    def _poll_later(self) -> None:
        if self._poller is None and not self._is_closed:
            self._poller = self._account.clock.callLater(self._poll, self._poll_now)

    def _poll_now(self) -> None:
        self._poller = None
        for mailbox in set(self._mailboxes):
            if not self._account.connections.holds(mailbox.remote_name):
                self.look_soon(mailbox)
        if self._all:
            self._begin(self._look_at_all())
        if self._mailboxes or self._all:
            self._poll_later()

    async def _look_at_all(self) -> None:
        found = await self._account.glance()
        if self._known and found != self._known:
            self.tell_all(self._account.highest + 1)
        self._known = found

    def _repair_later(self, pause: float) -> None:
        """Give watched mailboxes connections, if there are any."""
        if self._is_closed or (self._repairer is not None and self._repairer.active()):
            return
        self._repairer = self._account.clock.callLater(pause, self._repair)
        self._pause = min(max(pause, _FIRST_PAUSE) * 2, _LONGEST_PAUSE) if pause else _FIRST_PAUSE

    def _repair(self) -> None:
        self._repairer = None
        for mailbox in set(self._mailboxes):
            if mailbox.is_gone:
                continue
            connections = self._account.connections
            if not connections.holds(mailbox.remote_name) and connections.has_room:
                self.look_soon(mailbox)


def _step(call: Callable[[object], object], argument: object) -> object:
    return call(argument)


def _do_nothing() -> None:
    """Used if nobody wants to know of lost connections."""


def _nothing(_: object) -> None:
    """What failed is tried again at the next time."""
