"""The listeners of the settings."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, TestCase

from mailproto.listening import _listener
from mailproto.service import SettingError, User
from mailproto.service._listening import ListenerService
from tests.listening.servers import ANY, Endpoint, Greeting, Port


def listener(
    endpoint: str, *, make_factory: Callable[[], Factory] = Greeting, user: User | None = None
) -> ListenerService:
    return ListenerService(
        "listen.lmtp", endpoint, make_factory, lambda address: None, reactor=reactor, user=lambda: user
    )


class ListenTests(TestCase):
    async def test_who_comes_before_the_store_is_ready_waits(self) -> None:
        made: list[Greeting] = []
        service = listener(ANY, make_factory=lambda: made.append(Greeting()) or made[0])  # type: ignore[func-returns-value]
        service.privilegedStartService()
        self.addCleanup(service.stopService)
        with socket.create_connection(("127.0.0.1", service.listener.port), 5) as client:
            client.setblocking(False)
            for _ in range(5):
                await deferLater(reactor, 0.02)
                self.assertRaises(BlockingIOError, client.recv, 100)
            self.assertEqual(made, [])
            await service.startService()
            await deferLater(reactor, 0.05)
            self.assertEqual(client.recv(100), b"hello")
        self.assertEqual([factory.numPorts for factory in made], [1])

    async def test_a_new_start_makes_a_new_factory(self) -> None:
        made: list[Greeting] = []
        service = listener(ANY, make_factory=lambda: made.append(Greeting()) or made[-1])  # type: ignore[func-returns-value]
        for _ in range(2):
            await service.startService()
            await service.stopService()
        self.assertEqual([factory.numPorts for factory in made], [0, 0])

    async def test_root_gives_a_socket_to_the_user(self) -> None:
        if os.geteuid():
            raise SkipTest("needs root")
        path = os.path.relpath(self.mktemp())
        service = listener(f"unix:{path}", user=User(65534, None))
        await service.startService()
        self.addCleanup(service.stopService)
        self.assertEqual(os.lstat(path).st_uid, 65534)

    async def test_errors_name_the_setting(self) -> None:
        error = self.assertRaises(SettingError, listener("nonsense:1").privilegedStartService)
        self.assertEqual((error.path, error.value), ("listen.lmtp", "nonsense:1"))
        self.assertTrue(error.reason.startswith("not a Twisted server endpoint that works ("), error.reason)

    async def test_also_those_that_come_later(self) -> None:
        for outcome in (None, ValueError()):
            pending: Deferred[Any] = Deferred()
            self.patch(_listener, "serverFromString", lambda *_, p=pending: Endpoint(p))
            service = listener("later:25")
            service.privilegedStartService()
            started = service.startService()
            self.assertNoResult(started)
            pending.callback(Port()) if outcome is None else pending.errback(outcome)
            if outcome is None:
                self.successResultOf(started)
            else:
                error = self.failureResultOf(started, SettingError).value
                self.assertTrue(str(error).startswith("listen.lmtp later:25: "), error)
            self.successResultOf(service.stopService())
