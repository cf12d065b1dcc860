"""Runs a session of IMAP in memory, step by step, and measures the processor time of each step."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock

from mailproto.testing import MemoryTransport

__all__ = ["ThreadClock", "longest_step"]


class ThreadClock(Clock):
    """A clock of the processor's time, which runs one call at a time."""

    def seconds(self) -> float:
        """The time that this thread has used."""
        return time.thread_time()

    def step(self) -> bool:
        """Make the first call that is due; whether there was one."""
        self._sortCalls()
        if not self.calls or self.calls[0].getTime() > self.seconds():
            return False
        call: Any = self.calls.pop(0)
        call.called = 1
        call.func(*call.args, **call.kw)
        return True


def longest_step(factory: Any, clock: ThreadClock, before: bytes, line: bytes, unread: int) -> float:
    """The seconds of the longest step in which a new session answers a command.

    :param factory: with the same ``clock``.
    :param before: commands that come first, and are not measured.
    :param line: the command, with a tag that no other has.
    :param unread: so many octets may be sent before the client has read.
    """
    session = factory.buildProtocol(None)
    transport = MemoryTransport(session, capacity=1 << 16)
    longest = 0.0
    said = b""

    def timed(work: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal longest
        began = time.thread_time()
        result = work(*arguments)
        longest = max(longest, time.thread_time() - began)
        return result

    def run(octets: bytes) -> None:
        nonlocal said
        tag = octets[octets.rfind(b"\n", 0, -1) + 1 :].partition(b" ")[0] + b" "
        timed(transport.send, octets)
        while True:
            assert transport.unread() < unread, (transport.unread(), octets[:100])
            said += transport.read()
            last = said.rfind(b"\n", 0, -1) + 1
            if said.endswith(b"\r\n") and said.startswith(tag, last):
                break
            said = said[last:]
            assert timed(clock.step), (said[-300:], octets[:100])

    resume = session.resumeProducing
    session.resumeProducing = lambda: timed(resume)
    run(before)
    longest = 0.0
    run(line)
    transport.drop()
    while clock.step():  # what is left to be done
        pass
    return longest
