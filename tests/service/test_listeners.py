from __future__ import annotations

import select
import socket

from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.auth import ServerTLS
from mailproto.service._listeners import LISTENERS, listen, with_backlog


class BacklogTests(SynchronousTestCase):
    def test_asked_for_where_it_can_be(self) -> None:
        for endpoint in (
            "tcp:25",
            "tcp:25:interface=127.0.0.1",
            r"tcp6:25:interface=\:\:1",
            "unix:/run/lmtp",
        ):
            self.assertEqual(with_backlog(endpoint), f"{endpoint}:backlog=1024")

    def test_not_where_it_is_given_or_has_no_meaning(self) -> None:
        for endpoint in (
            "tcp:25:backlog=5",
            "tcp:25:127.0.0.1:5",
            "unix:/run/lmtp:mode=600:backlog=5",
            "systemd:domain=INET:index=0",
            "haproxy:tcp:25",
        ):
            self.assertEqual(with_backlog(endpoint), endpoint)


class ListenTests(TestCase):
    async def test_many_connect_before_one_is_accepted(self) -> None:
        port = await listen(
            reactor, LISTENERS["smtp"], "tcp:0:interface=127.0.0.1", Factory(), ServerTLS.__new__(ServerTLS)
        )
        clients = []
        try:
            for _ in range(300):  # the reactor does not run meanwhile
                client = socket.socket()
                clients.append(client)
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", port.getHost().port))
            waiting = select.poll()
            for client in clients:
                waiting.register(client, select.POLLOUT)
            self.assertEqual(len(waiting.poll(500)), 300)
        finally:
            for client in clients:
                client.close()
            await port.stopListening()
