"""Connecting to one of several addresses, without waiting long for those that are dead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from mailproto.smtp.client._routes import Route
from mailproto.smtp.client._session import Session

__all__ = ["HEAD_START", "Race"]

HEAD_START = 0.3
"""Seconds that one address has before the next one is tried as well (RFC 8305 5)."""

ClientT = TypeVar("ClientT", bound=Session)


class Race(Generic[ClientT]):
    """Connections that are begun one after the other, until the first one stands.

    An address that refuses is followed by the next one at once, one that is silent after
    `HEAD_START`.  When one is connected, the others are left; they may be tried again.

    :param routes: at least one.
    :param make: makes a client for each attempt.
    :ivar result: fires with the route and the client that is connected, or with None when all
        have failed; to cancel it ends all attempts.
    :ivar failures: why, for each route that has failed.
    """

    def __init__(self, clock: IReactorTime, routes: Sequence[Route], make: Callable[[], ClientT]) -> None:
        self._clock = clock
        self._make = make
        self._routes = deque(routes)
        self._pending: dict[int, Deferred[ClientT]] = {}
        self._timer: IDelayedCall | None = None
        self.failures: list[tuple[Route, Exception]] = []
        self.result: Deferred[tuple[Route, ClientT] | None] = Deferred(lambda _: self._stop())
        self._next()

    def _next(self) -> None:
        """Begin another attempt; others, if there are any, go on."""
        self._timer = None
        route = self._routes.popleft()
        attempt = connectProtocol(route.endpoint, self._make())
        self._pending[id(attempt)] = attempt
        if self._routes:
            self._timer = self._clock.callLater(HEAD_START, self._next)
        attempt.addCallbacks(self._connected, self._failed, (route, attempt), {}, (route, attempt), {})

    def _connected(self, client: ClientT, route: Route, attempt: Deferred[ClientT]) -> None:
        if self._pending.pop(id(attempt), None) is None:
            client.abort()  # it was cancelled, and came all the same
            return
        self._stop()
        self.result.callback((route, client))

    def _failed(self, failure: Failure, route: Route, attempt: Deferred[ClientT]) -> None:
        if self._pending.pop(id(attempt), None) is None:
            return
        error = failure.value
        self.failures.append((route, error if isinstance(error, Exception) else RuntimeError(repr(error))))
        self._stop_waiting()
        if self._routes:
            self._timer = self._clock.callLater(0, self._next)  # there may be many: not inside each other
        elif not self._pending:
            self.result.callback(None)

    def _stop(self) -> None:
        self._stop_waiting()
        self._routes.clear()
        pending = list(self._pending.values())
        self._pending.clear()
        for attempt in pending:
            attempt.cancel()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
