"""Connections are refused before descriptors run out, which the store needs, too."""

from __future__ import annotations

import math
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection import _descriptors, _server
from mailproto.connection._descriptors import Descriptors, descriptor_limit
from mailproto.connection.limits import Limits
from mailproto.testing import MemoryTransport
from tests.test_connection import WordFactory, WordServer


class FileTransport(MemoryTransport):
    """One that has a descriptor."""

    def fileno(self) -> int:
        return 1000


class DescriptorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.limit: float = 100
        self.patch(_descriptors, "descriptor_limit", lambda: self.limit)
        self.patch(_server, "DESCRIPTORS", Descriptors())
        clock = Clock()
        self.factories = [WordFactory(clock, limits=Limits()) for _ in range(2)]

    def connect(self, number: int, kind: type[MemoryTransport] = FileTransport) -> list[Any]:
        """Connections, in turn to one of two servers."""
        return [kind(WordServer(self.factories[each % 2])) for each in range(number)]

    def warnings(self, number: int) -> tuple[list[Any], list[str]]:
        with capturedLogs() as events:
            transports = self.connect(number)
        return transports, [event["log_format"][:28] for event in events]

    def test_all_servers_share_them_and_the_rest_is_for_files(self) -> None:
        transports = self.connect(70)
        self.assertEqual({transport.read() for transport in transports[:68]}, {b"hello\n"})
        self.assertEqual([each.read() for each in transports[68:]], [b"too many connections\n"] * 2)
        self.assertEqual([each.is_open for each in transports[68:]], [False] * 2)

    def test_when_they_are_back(self) -> None:
        transports = self.connect(68)
        [refused] = self.connect(1)
        refused.read()
        transports[0].drop()
        self.assertEqual(self.connect(1)[0].read(), b"hello\n")

    def test_those_that_do_not_take_their_refusal_are_cut_off(self) -> None:
        """Their descriptors count as long as they are open."""
        transports = self.connect(90)
        self.assertEqual([each.was_aborted for each in transports], [False] * 84 + [True] * 6)

    def test_the_log_is_told_once(self) -> None:
        told = "connections are turned away:"
        transports, lines = self.warnings(75)
        self.assertEqual(lines.count(told), 1)
        for transport in transports[:50]:
            transport.drop()
        self.assertNotIn(told, self.warnings(1)[1])
        self.assertIn(told, self.warnings(60)[1])

    def test_transports_in_memory_have_none(self) -> None:
        for transport in self.connect(200, MemoryTransport):
            self.assertEqual(transport.read(), b"hello\n")

    def test_no_limit(self) -> None:
        self.limit = math.inf
        for transport in self.connect(200):
            self.assertEqual(transport.read(), b"hello\n")

    def test_a_process_with_few(self) -> None:
        self.limit = 40
        self.assertEqual(
            [each.read() for each in self.connect(9)][7:], [b"hello\n", b"too many connections\n"]
        )


class LimitTests(SynchronousTestCase):
    def test_of_this_process(self) -> None:
        self.assertGreater(descriptor_limit(), 20)
