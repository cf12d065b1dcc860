"""The line in which connections wait that have much to do: fairness among the connections of one reactor.

A process for each client would be fair; one reactor has to be made so.  Each time a connection is served, it
may work for `BRIEFLY`, or for its share of a `TURN` if no other waits; then it waits at the end of the line.
The line is served once a turn of the reactor, one connection after another, for another `TURN`, or for a
`BUSY_TURN` while there is more new input than can be handled in a turn.

So a client that sends single commands is served at once, however many others flood the server, and a client
that is alone has nearly all of the time.  Strangers (`EventConnection.is_stranger`) share half of the line's
time while others wait, too.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from time import thread_time
from typing import Any, Final
from weakref import ReferenceType, WeakKeyDictionary, ref

from mailproto._logger import PackageLogger
from mailproto.typing import ReactorTime

__all__ = ["BRIEFLY", "TURN", "Line", "line_of"]

BRIEFLY: Final = 0.0001
"""Seconds for which a connection may work each time that it is served, whatever others do."""

TURN: Final = 0.004
"""Seconds for new input in one turn of the reactor; the line usually has as many again."""

BUSY_TURN: Final = 0.001
"""Seconds for the line if there was no time for some new input: that may be single commands."""

_QUIET: Final = 0.02
"""If no connection has worked for longer than `BRIEFLY` in so many seconds, the next one has a new budget."""


class Line:
    """Divides the reactor's time among connections.

    :ivar end: until when the connection that is served may work beyond `BRIEFLY`.
    :ivar now: while connections are served in a `Turn`, when the latest of them was served; or else 0.
    :ivar is_called: whether somebody waits in the line.
    :ivar input_waits: whether there was no time in the latest `Turn` for some of the connections with input.
    """

    log = PackageLogger()

    def __init__(self, clock: ReactorTime) -> None:
        self._clock = clock
        self.now = 0.0
        self.end = 0.0
        self.input_waits = False
        self._cpu = 0.0  # the processor time of the reactor's thread when it began with what it does now
        self._began = -math.inf  # when that was
        self._waiting: tuple[deque[Callable[[], object]], ...] = (deque(), deque())  # strangers, others
        self._next = 0  # of these two
        self.is_called = False

    def share(self, number: int) -> float:
        """For how long each of ``number`` connections may work that are served in one turn."""
        return BRIEFLY if self.is_called else max(TURN / (number or 1), BRIEFLY)

    def has_time(self, now: float, entered: float) -> bool:
        """Whether a connection that has worked since ``entered``, for longer than `BRIEFLY`, may go on."""
        if entered - self.end > _QUIET:  # the first one in a while
            self.end = entered + TURN
        elif self.end - now > TURN:  # the clock was set back
            self.end = now + TURN
        return now < self.end

    def wait(self, go_on: Callable[[], object], *, is_stranger: bool) -> None:
        """Call ``go_on`` after those that wait already."""
        self._waiting[not is_stranger].append(go_on)
        if not self.is_called:
            self.is_called = True
            self._clock.callLater(0, self._serve)

    def begins(self, now: float) -> None:
        """The reactor begins with something: with a `Turn`, or with a single connection."""
        if not 0 <= now - self._began < TURN:  # it takes half a microsecond to ask for the processor time
            self._began = now
            self._cpu = thread_time()

    def cpu_used(self) -> float:
        """The seconds for which the reactor's thread has used a processor since `begins`.

        At most `TURN` of it was used for what came before.
        """
        now = thread_time()
        used, self._cpu = now - self._cpu, now
        self._began = -math.inf
        return used

    def _serve(self) -> None:
        now = self._clock.seconds()
        turn = BUSY_TURN if self.input_waits else TURN
        end = now + turn
        strangers, others = self._waiting
        share = max(turn / (len(strangers) + len(others)), BRIEFLY)
        while (strangers or others) and now < end:
            self.end = min(now + share, end)
            self._next = 1 - self._next
            waiting = self._waiting[self._next] or self._waiting[1 - self._next]
            try:
                waiting.popleft()()
            except BaseException:
                self.log.failure("error while serving a connection that had to wait")
            now = self._clock.seconds()
        self.end = now
        self.is_called = bool(strangers or others)
        if self.is_called:
            self._clock.callLater(0, self._serve)


_LINES: WeakKeyDictionary[Any, ReferenceType[Line]] = WeakKeyDictionary()
"""By reactor.  Factories and turns refer to their line, and a line to its reactor; this table keeps neither
alive."""


def line_of(clock: ReactorTime) -> Line:
    """The one line of a reactor."""
    known = _LINES.get(clock)
    line = None if known is None else known()
    if line is None:
        line = Line(clock)
        _LINES[clock] = ref(line)
    return line
