"""A server that says anything at any time, cut anywhere: everybody who waits is told, once."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import ensureDeferred
from twisted.python.failure import Failure

from mailproto.auth import Password
from mailproto.client.errors import ClientError
from mailproto.pop3 import POP3Client
from mailproto.pop3.wire import POP3ReplyLimits
from tests.pop3.client.dialogue import ClientTestCase

CAPA = b"+OK\r\nPIPELINING\r\nSTLS\r\nSASL PLAIN LOGIN CRAM-MD5\r\nAUTH-RESP-CODE\r\n.\r\n"
SAID = st.sampled_from(
    [
        b"+OK\r\n",
        b"+OK ready <a.b@c>\r\n",
        CAPA,
        b"+OK 2 320\r\n",
        b"+OK 1 x\r\n",
        b"+OK\r\n1 120\r\n2 200\r\n.\r\n",
        b"+OK\r\n1 a\r\n1 a\r\n.\r\n",
        b"+OK 5 octets\r\n..a\r\n.\r\n",
        b"+OK\r\n" + b"x" * 200 + b"\r\n",
        b"-ERR\r\n",
        b"-ERR [SYS/TEMP] no\r\n",
        b"-ERR [AUTH] no\r\n",
        b"+ \r\n",
        b"+ PGEuYkBjPg==\r\n",
        b".\r\n",
        b"\r\n",
        b"\n.\n",
        b"\0\xff\r\n",
        b"250 OK\r\n",
        b"+O",
        b"+OK " + b"y" * 300 + b"\r\n",
    ]
) | st.binary(max_size=8)
LIMITS = POP3ReplyLimits(line=256, list_line=64, list_lines=8, in_memory=150)


async def _take(client: POP3Client) -> int:
    async with client.stream(3, limit=100) as pieces:
        return sum([len(piece) async for piece in pieces])


CALLS: list[Any] = [
    lambda client: client.capa(),
    lambda client: client.authenticate(Password("alice", "secret")),
    lambda client: client.authenticate(Password("alice", "secret"), mechanism="APOP"),
    lambda client: client.stat(),
    lambda client: client.list(),
    lambda client: client.uidl(),
    lambda client: client.uidl(2),
    lambda client: client.retr(1),
    lambda client: client.top(1, 2),
    lambda client: client.save(2, io.BytesIO(), limit=120),
    lambda client: ensureDeferred(_take(client)),
    lambda client: client.dele(1),
    lambda client: client.commit(),
]


class AnyServerTests(ClientTestCase):
    @given(
        st.lists(SAID, max_size=25),
        st.lists(st.integers(0, len(CALLS) - 1), min_size=1, max_size=8),
        st.integers(1, 40),
        st.booleans(),
    )
    def test_everybody_is_told(self, said: list[bytes], calls: list[int], size: int, early: bool) -> None:
        client = self.connect(limits=LIMITS)
        told: list[list[Any]] = []

        def call(number: int) -> None:
            results: list[Any] = []
            told.append(results)
            CALLS[number](client).addBoth(results.append)

        waiting = list(calls)
        while early and waiting:
            call(waiting.pop(0))
        octets = b"".join(said)
        for start in range(0, len(octets), size):
            self.transport.send(octets[start : start + size])
            if waiting:
                call(waiting.pop(0))
            self.assertLessEqual(client.protocol.wire.pending, 256)
        while waiting:
            call(waiting.pop(0))
        self.transport.drop()
        self.clock.advance(10_000)
        self.assertEqual([len(results) for results in told], [1] * len(calls))
        for [result] in told:
            if isinstance(result, Failure):
                self.assertIsInstance(result.value, ClientError, result)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])
