"""Keeps the signed-in sessions, and ends those that may not go on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import islice
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from mailproto._logger import PackageLogger
from mailproto.awaiting import settle
from mailproto.errors import NoSuchAccount
from mailproto.interfaces import IAccountChanges, IRevocable
from mailproto.typing import ReactorTime

__all__ = ["SignedInSessions"]

AT_ONCE = 100
"""Accounts that are checked in one turn of the reactor."""

ENDED_AT_ONCE = 40
"""Sessions that are ended in one turn of the reactor: each costs 0.1 ms."""

RETRY = 0.25
"""Seconds until a store that was unavailable is asked again."""


class SignedInSessions:
    """Ends the sessions of accounts that were deleted, disabled or given a new password.

    :param clock: the reactor; None to do everything in one turn.
    """

    _log = PackageLogger()

    def __init__(self, changes: IAccountChanges, clock: ReactorTime | None) -> None:
        self._changes = changes
        self._clock = clock
        self._sessions: dict[str, dict[object, tuple[IRevocable, Hashable]]] = {}
        self._is_watching = False
        self._hints = 0
        self._is_due = False
        self._is_looking = False
        self._ended = 0

    async def add(self, name: str, session: IRevocable) -> Callable[[], None]:
        """Revoke ``session`` when its account is deleted, disabled or given a new password.

        Call this before opening the account, so that a change in between ends the session, too.

        :param name: the account's name as it is stored.
        :returns: a function that forgets the session.
        :raises NoSuchAccount:
        """
        if not self._is_watching:
            self._is_watching = True
            self._changes.watch(self._accounts_changed)
        hints = self._hints
        found = await settle(self._changes.revisions([name]))
        if name not in found:
            raise NoSuchAccount
        token = object()
        self._sessions.setdefault(name, {})[token] = (session, found[name])
        if hints != self._hints:
            self._look()  # the answer may be older than a change

        def forget() -> None:
            sessions = self._sessions.get(name, {})
            if sessions.pop(token, None) is not None and not sessions:
                del self._sessions[name]

        return forget

    def _accounts_changed(self) -> None:
        self._hints += 1
        self._look()

    def _look(self) -> None:
        self._is_due = True
        if self._sessions and not self._is_looking:
            self._is_looking = True
            Deferred.fromCoroutine(self._look_while_due())

    async def _look_while_due(self) -> None:
        while self._is_due and self._sessions:
            self._is_due = False
            try:
                await self._check()
            except Exception:
                self._log.failure("error while looking for sessions to end")
                if self._clock is None:
                    break  # the next hint checks again
                # Try again: there may be no other hint, and a session must not stay because a store was
                # busy.
                self._is_due = True
                await deferLater(cast(IReactorTime, self._clock), RETRY)
        self._is_looking = False

    async def _check(self) -> None:
        names = iter(list(self._sessions))
        while some := list(islice(names, AT_ONCE)):
            await self._check_some(some)
            await self._pause()

    async def _check_some(self, names: Sequence[str]) -> None:
        # Copied before the call: a session that signs in during the call may be newer than the answer.
        signed_in = {name: list(self._sessions.get(name, {}).values()) for name in names}
        found = await settle(self._changes.revisions(names))
        for name, sessions in signed_in.items():
            revoked = [session for session, revision in sessions if found.get(name) != revision]
            if revoked:
                await self._revoke(name, revoked)

    async def _revoke(self, name: str, sessions: Sequence[IRevocable]) -> None:
        self._log.info(
            "{name} was deleted, disabled or given another password: ending {count} sessions",
            name=name,
            count=len(sessions),
        )
        for session in sessions:
            try:
                session.revoke()
            except Exception:
                self._log.failure("error while ending a session of {name}", name=name)
            self._ended += 1  # counted over all accounts, because many have few sessions each
            if not self._ended % ENDED_AT_ONCE:
                await self._pause()

    async def _pause(self) -> None:
        if self._clock is not None:
            await deferLater(cast(IReactorTime, self._clock), 0)
