"""Whatever a handler gives to be waited for is waited for."""

from __future__ import annotations

import asyncio
import gc
import types
from collections.abc import Generator
from typing import Any
from weakref import ref

from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail, inlineCallbacks, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.awaiting import Pending, at_once, turn
from mailproto.connection import ServerConnection
from mailproto.errors import MailError, OverQuota, Unavailable
from mailproto.testing import MemoryTransport
from tests.test_connection import LineWire, WordFactory


class Awaitable:
    """An object with ``__await__``, and nothing else."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield from self.inner.__await__())


class Yielding(Awaitable):
    """One that yields what it waits for, as the coroutines of old did."""

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self.inner)


class Iterating:
    """One whose iterator is no generator, and takes nothing."""

    def __init__(self, inner: Any) -> None:
        self._rest = [inner]

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        if self._rest:
            return self._rest.pop()
        raise StopIteration


async def coroutine(inner: Any) -> Any:
    return await inner


@types.coroutine
def old_coroutine(inner: Any) -> Any:
    return (yield from inner.__await__())


@inlineCallbacks
def inline(inner: Any) -> Any:
    return (yield inner)


KINDS = {
    "deferred": lambda inner: inner,
    "coroutine": coroutine,
    "coroutine in a coroutine": lambda inner: coroutine(coroutine(inner)),
    "old coroutine": old_coroutine,
    "inline callbacks": inline,
    "object": Awaitable,
    "object in an object": lambda inner: Awaitable(Awaitable(inner)),
    "object in a coroutine": lambda inner: coroutine(Awaitable(inner)),
    "yielding": Yielding,
    "iterating": Iterating,
    "deferred of a coroutine": lambda inner: Deferred.fromCoroutine(coroutine(inner)),
    "list": lambda inner: DeferredList([inner], fireOnOneErrback=True),
}


class Doing(ServerConnection[bytes]):
    """Gives what the test wants to be waited for; says each word once that is done."""

    greeting: Any = None

    def __init__(self, factory: Any, given: Any) -> None:
        super().__init__(factory)
        self.wire = LineWire()
        self.given = given

    def greet(self) -> Any:
        return self.greeting

    def handle(self, event: bytes) -> Any:
        self.write(event + b"\n")
        return self.given.pop(0) if event == b"do" else None

    def refuse(self, event: bytes, error: MailError) -> None:
        self.write(b"no: " + error.text.encode() + b"\n")


class AwaitingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.factory = WordFactory(self.clock)

    def connect(self, *given: Any, greeting: Any = None) -> MemoryTransport:
        connection = Doing(self.factory, list(given))
        connection.greeting = greeting
        return MemoryTransport(connection)


class KindTests(AwaitingCase):
    def test_later(self) -> None:
        for name, kind in KINDS.items():
            with self.subTest(name):
                inner: Deferred[None] = Deferred()
                transport = self.connect(kind(inner))
                transport.send(b"do\none\n")
                self.assertEqual(transport.read(), b"do\n")
                inner.callback(None)
                self.assertEqual(transport.read(), b"one\n")

    def test_at_once(self) -> None:
        for name, kind in KINDS.items():
            with self.subTest(name):
                transport = self.connect(kind(succeed(None)), kind(succeed(None)))
                transport.send(b"do\none\ndo\n")
                self.assertEqual(transport.read(), b"do\none\ndo\n")

    def test_refused(self) -> None:
        for name, kind in KINDS.items():
            if name == "list":
                continue
            with self.subTest(name):
                later: Deferred[None] = Deferred()
                transport = self.connect(kind(fail(OverQuota())), kind(later))
                transport.send(b"do\ndo\n")
                self.assertEqual(transport.read(), b"do\nno: Mailbox full\ndo\n")
                later.errback(OverQuota())
                transport.send(b"one\n")
                self.assertEqual(transport.read(), b"no: Mailbox full\none\n")

    def test_errors_that_are_no_exceptions(self) -> None:
        for error in (asyncio.CancelledError(), GeneratorExit(), SystemExit(), CancelledError()):
            later: Deferred[None] = Deferred()
            transport = self.connect(coroutine(later))
            transport.send(b"do\none\n")
            later.errback(error)
            no = b"no: " + Unavailable().text.encode() + b"\n"
            self.assertEqual(transport.read(), b"do\n" + no + b"one\n")
            self.assertEqual(len(self.flushLoggedErrors(type(error))), 1)

    def test_what_cannot_be_awaited(self) -> None:
        """A mistake of the program's: it is in the log, and the client is told that something is wrong."""
        for given in (1, True, b"x", [], (), object(), iter([]), (each for each in ())):
            transport = self.connect(given)
            transport.send(b"do\none\n")
            self.assertEqual(transport.read(), b"do\nno: " + Unavailable().text.encode() + b"\none\n")
            self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_coroutine_that_was_awaited_before(self) -> None:
        once = coroutine(succeed(None))
        transport = self.connect(once, once)
        transport.send(b"do\ndo\none\n")
        self.assertEqual(transport.read(), b"do\ndo\nno: " + Unavailable().text.encode() + b"\none\n")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_thousands_that_are_done(self) -> None:
        """Not inside each other."""

        async def all_of_them() -> None:
            for _ in range(3000):
                await Yielding(succeed(None))

        transport = self.connect(all_of_them())
        transport.send(b"do\none\n")
        self.assertEqual(transport.read(), b"do\none\n")

    def test_next_turn(self) -> None:
        """What yields nothing, as ``asyncio.sleep(0)`` does, lets others have their turn."""
        for given in (asyncio.sleep(0), Yielding(5), turn()):
            transport = self.connect(given)
            transport.send(b"do\none\n")
            self.assertEqual(transport.read(), b"do\n")
            self.clock.advance(0)
            self.assertEqual(transport.read(), b"one\n")

    def test_others_continue_at_once(self) -> None:
        """Where Twisted, or a task of asyncio, runs the coroutine, not a server."""

        async def several() -> int:
            for _ in range(3):
                await turn()
            return 3

        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(several())), 3)
        self.assertEqual(asyncio.run(several()), 3)

    def test_what_it_awaits_is_given_back(self) -> None:
        seen: list[object] = []

        async def look() -> None:
            seen.append(await Yielding(succeed(7)))
            seen.append(await Yielding(8))

        self.connect(look()).send(b"do\n")
        self.clock.advance(0)
        self.assertEqual(seen, [7, 8])

    def test_a_client_that_has_gone(self) -> None:
        """What it had begun is done all the same; nothing keeps what can never be done."""
        later: Deferred[None] = Deferred()
        done: list[bool] = []
        transport = self.connect(coroutine(later.addCallback(done.append)))
        transport.send(b"do\n")
        transport.drop()
        later.callback(None)
        self.assertEqual(done, [None])
        never = self.connect(coroutine(Deferred()))
        never.send(b"do\n")
        gone = ref(never.protocol)
        never.drop()
        del never
        gc.collect()
        self.assertIsNone(gone())


class GreetingTests(AwaitingCase):
    def test_each_kind(self) -> None:
        for name, kind in KINDS.items():
            with self.subTest(name):
                inner: Deferred[None] = Deferred()
                transport = self.connect(greeting=kind(inner))
                transport.send(b"one\n")
                self.assertEqual(transport.read(), b"")
                inner.callback(None)
                self.assertEqual(transport.read(), b"one\n")

    def test_failure(self) -> None:
        """There is nothing to say to such a client, and no reason to keep it."""
        later: Deferred[None] = Deferred()
        for greeting in (coroutine(fail(ZeroDivisionError())), coroutine(later), 7):
            transport = self.connect(greeting=greeting)
            if not later.called:
                later.errback(ZeroDivisionError())
            self.assertEqual((transport.read(), transport.is_open), (b"", False))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError, TypeError)), 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_answering_that_fails(self) -> None:
        """Then nobody knows what the client has heard."""
        later: Deferred[None] = Deferred()
        transport = self.connect(coroutine(later))
        transport.protocol.refuse = lambda event, error: 1 / 0  # type: ignore[attr-defined]
        transport.send(b"do\none\n")
        later.errback(OverQuota())
        self.assertEqual((transport.read(), transport.was_aborted), (b"do\n", True))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class FutureTests(AwaitingCase):
    """Futures of asyncio's, with a loop that runs as it does where the reactor is asyncio's."""

    def setUp(self) -> None:
        super().setUp()
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self.loop.close)

    def in_loop(self, call: Any) -> Any:
        """Call in the loop, and let that do all that is to be done."""

        async def main() -> Any:
            result = call()
            for _ in range(5):
                await asyncio.sleep(0)
            return result

        return self.loop.run_until_complete(main())

    def kinds(self) -> dict[str, Any]:
        return {
            "future": lambda future: future,
            "task": lambda future: asyncio.ensure_future(coroutine(future)),
            "coroutine": coroutine,
            "object": Awaitable,
            "gathered": lambda future: asyncio.gather(future),
        }

    def test_later(self) -> None:
        for name, kind in self.kinds().items():
            with self.subTest(name):
                future = self.loop.create_future()
                transport = self.in_loop(lambda kind=kind, future=future: self.connect(kind(future)))
                self.in_loop(lambda transport=transport: transport.send(b"do\none\n"))
                self.assertEqual(transport.read(), b"do\n")
                self.in_loop(lambda future=future: future.set_result(7))
                self.assertEqual(transport.read(), b"one\n")

    def test_refused(self) -> None:
        for name, kind in self.kinds().items():
            with self.subTest(name):
                future = self.loop.create_future()
                transport = self.in_loop(lambda kind=kind, future=future: self.connect(kind(future)))
                self.in_loop(lambda transport=transport: transport.send(b"do\none\n"))
                self.in_loop(lambda future=future: future.set_exception(OverQuota()))
                self.assertEqual(transport.read(), b"do\nno: Mailbox full\none\n")

    def test_result_is_given_back(self) -> None:
        future = self.loop.create_future()
        seen: list[object] = []

        async def look() -> None:
            seen.append(await future)

        transport = self.in_loop(lambda: self.connect(look()))
        self.in_loop(lambda: transport.send(b"do\n"))
        self.in_loop(lambda: future.set_result(7))
        self.assertEqual(seen, [7])

    def test_one_that_would_never_be_done(self) -> None:
        """Of a loop that does not run here: that is said at once."""
        other = asyncio.new_event_loop()
        self.addCleanup(other.close)
        transport = self.connect(self.loop.create_future())
        transport.send(b"do\none\n")
        second = self.in_loop(lambda: self.connect(coroutine(other.create_future())))
        self.in_loop(lambda: second.send(b"do\none\n"))
        for each in (transport, second):
            self.assertEqual(each.read(), b"do\nno: " + Unavailable().text.encode() + b"\none\n")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)


class AtOnceTests(SynchronousTestCase):
    """The result of a contract's method, if it is there."""

    def test_what_is_there(self) -> None:
        async def coroutine() -> int:
            return 3

        self.assertEqual([at_once(3), at_once(coroutine())], [3, 3])

    def test_an_error(self) -> None:
        async def failing() -> None:
            raise OverQuota

        self.assertRaises(OverQuota, lambda: at_once(failing()))

    def test_what_has_to_wait_is_given_up(self) -> None:
        waiting: Deferred[int] = Deferred()
        ended: list[BaseException] = []

        async def coroutine() -> int:
            try:
                return await turn() or 1
            except BaseException as error:
                ended.append(error)
                raise

        for result in (waiting, coroutine(), Awaitable(turn())):
            self.assertRaises(Pending, at_once, result)
        waiting.errback(OverQuota())  # which is not logged
        self.assertEqual(list(map(type, ended)), [GeneratorExit])

    def test_nothing_runs_on_asyncio_without_a_task(self) -> None:
        began: list[int] = []

        async def method() -> None:
            began.append(1)

        async def caller() -> None:
            self.assertRaises(Pending, at_once, method())

        asyncio.run(caller())
        self.assertEqual(began, [])
