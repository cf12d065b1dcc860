"""Waiting for a message."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime

from mailproto._arguments import check_call, check_seconds, wrong_type
from mailproto._twisted_arguments import check_optional_clock
from mailproto.awaiting import settle
from mailproto.interfaces import IMailbox
from mailproto.model import Part
from mailproto.testing._reactor_thread import in_asyncio_task
from mailproto.testing._recording import ReceivedMessage, RecordingDelivery

__all__ = ["wait_for_message"]

_POLL = 0.01


async def wait_for_message(
    where: RecordingDelivery | IMailbox,
    matching: Callable[[EmailMessage], object] | None = None,
    *,
    timeout: float = 5.0,
    reactor: IReactorTime | None = None,
) -> ReceivedMessage:
    """Wait until there is a message, and return the first one that matches.

    It may be there already.  In synchronous code, call `RunningServer.wait_for_message`.

    :param where: a delivery that records, or a mailbox of any store.
    :param matching: whether a message is the one to wait for; None for any message.
    :param timeout: seconds to wait.
    :param reactor: measures this time; a ``Clock``, or None for the installed reactor.
    :raises AssertionError: there was none in time; the text has the subjects of those that came.
    """
    if not isinstance(where, RecordingDelivery) and not IMailbox.providedBy(where):
        raise wrong_type("where", where, "a RecordingDelivery or an IMailbox")
    if matching is not None:
        check_call("matching", matching, "a function of an EmailMessage, or None", 1)
    check_seconds("timeout", timeout)
    check_optional_clock("reactor", reactor)
    if isinstance(where, RecordingDelivery) and reactor is None and in_asyncio_task():
        return await _poll(where, matching, timeout)
    return await _watch(where, matching, timeout, reactor)


async def _watch(where: Any, matching: Any, timeout: float, reactor: IReactorTime | None) -> ReceivedMessage:
    if reactor is None:
        from twisted.internet import reactor as installed

        reactor = IReactorTime(installed)
    hints: list[Deferred[None]] = [Deferred()]

    def hint() -> None:
        if not hints[0].called:
            hints[0].callback(None)

    def changed(*_: object) -> None:
        if IReactorFromThreads.providedBy(reactor):
            reactor.callFromThread(hint)  # the server may run in another thread
        else:
            hint()

    end = reactor.seconds() + timeout
    end_watch, timer = where.watch(changed), reactor.callLater(timeout, hint)
    try:
        while True:
            messages = await _messages(where)
            found = _first(messages, matching)
            if found is not None:
                return found
            if reactor.seconds() >= end:
                raise _nothing(messages, matching, timeout)
            await hints[0]
            hints[0] = Deferred()
    finally:
        end_watch()
        if timer.active():
            timer.cancel()


async def _poll(where: RecordingDelivery, matching: Any, timeout: float) -> ReceivedMessage:
    """In asyncio the delivery is served by another thread."""
    end = time.monotonic() + timeout
    while (found := _first(where.messages, matching)) is None:
        if time.monotonic() >= end:
            raise _nothing(where.messages, matching, timeout)
        await asyncio.sleep(_POLL)
    return found


async def _messages(where: Any) -> Sequence[ReceivedMessage]:
    if isinstance(where, RecordingDelivery):
        return where.messages
    uids = list((await settle(where.changes_since(0))).changed.uids)
    infos = await settle(where.read(uids, Part.CONTENT))
    return [ReceivedMessage(bytes(info.content), uid=info.uid) for info in infos]


def _first(messages: Sequence[ReceivedMessage], matching: Any) -> ReceivedMessage | None:
    for each in [*messages]:
        if matching is None or matching(each.message):
            return each
    return None


def _nothing(messages: Sequence[ReceivedMessage], matching: object, timeout: float) -> AssertionError:
    what = "message" if matching is None else "matching message"
    others = "".join(f"\n  Subject: {each.message.get('Subject', '')}" for each in [*messages][:20])
    return AssertionError(
        f"no {what} within {timeout:g} seconds" + (f"; these {len(messages)} came:{others}" if others else "")
    )
