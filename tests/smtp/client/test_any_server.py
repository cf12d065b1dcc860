"""A server that says anything at any time, cut anywhere: everybody who waits is told, once, and truly."""

from __future__ import annotations

import gc
import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailproto.auth import Password
from mailproto.client.errors import ClientError
from mailproto.model import Outcome
from mailproto.smtp import SMTPClient
from mailproto.smtp.errors import outcome_of
from mailproto.smtp.lmtp import LMTPClient
from mailproto.smtp.wire import Capabilities, Reply, ReplyLimits, SMTPClientWire, render_reply
from tests.smtp.client.dialogue import ALICE, BOB, SENDER, TLS, ClientTestCase

EHLO = (
    b"250-mx\r\n250-PIPELINING\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256\r\n"
    b"250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE\r\n"
)
GOOD: dict[bytes, bytes] = {
    b"EHLO": EHLO,
    b"LHLO": EHLO,
    b"STAR": b"220 Go\r\n",
    b"AUTH": b"235 OK\r\n",
    b"DATA": b"354 Go\r\n",
    b"QUIT": b"221 Bye\r\n",
}
REPLIES = st.sampled_from(
    [
        b"220 mx\r\n",
        EHLO,
        EHLO.replace(b"250-PIPELINING", b"250-CHUNKING\r\n250-BINARYMIME\r\n250-PIPELINING"),
        b"250-mx\r\n250 LIMITS RCPTMAX=1 MAILMAX=2\r\n",
        b"250-mx\r\n250 STARTTLS\r\n",
        b"250 OK\r\n",
        b"250 OK\r\n" * 3,
        b"251 2.1.5 Elsewhere\r\n",
        b"354 Go\r\n",
        b"235 OK\r\n",
        b"334 PDE+\r\n",
        b"334 \r\n",
        b"421 4.3.2 Going\r\n",
        b"451 4.3.0 Later\r\n",
        b"452 4.5.3 Too many\r\n",
        b"550 5.1.1 No\r\n",
        b"503-5.5.1 \x1b[2J\r\n503 5.5.1 \xe2\x80\xae\r\n",
        b"250-a\r\n550 b\r\n",
        b"199 OK\r\n",
        b"250\n",
        b"2",
        b"\r\n",
        b"x" * 20_000,
        b"250-" + b"x" * 100 + b"\r\n",
    ]
)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("good"), st.just(b""), st.integers(1, 12)),
        st.tuples(st.just("say"), REPLIES | st.binary(max_size=40), st.sampled_from([0, 0, 1, 3])),
        st.sampled_from([("read", b"", 0), ("wait", b"", 0), ("handshake", b"", 0), ("drop", b"", 0)]),
    ),
    max_size=30,
)
WISHES = st.lists(
    st.sampled_from(
        [
            *("starttls", "authenticate", "send", "send", "large", "binary", "noop", "verify", "quit"),
            *("mail", "rcpt", "rcpt", "data", "much data", "bdat", "rset"),
        ]
    ),
    max_size=6,
)
LIMITS = ReplyLimits()
_END_OF_DATA = re.compile(rb"(?:\r\n|\A)\.\r\n")


class Server:
    """Answers as it should, one command at a time, as long as it is asked to."""

    def __init__(self, test: AnyServerTests) -> None:
        self._test = test
        self._unheard = b""
        self._in_content = False
        self.heard = b""

    def read(self) -> None:
        octets = self._test.read()
        self._unheard += octets
        self.heard += octets

    def answer(self) -> bytes:
        """To the next of what the client has said; a greeting if it has said nothing yet."""
        self.read()
        if self._test.client.greeting is None and not self.heard:
            return b"220 mx\r\n"
        if self._in_content:
            end = _END_OF_DATA.search(self._unheard)
            if end is None:
                return b""
            self._unheard, self._in_content = self._unheard[end.end() :], False
            return b"250 2.0.0 Taken\r\n"
        line, ended, rest = self._unheard.partition(b"\r\n")
        if not ended:
            return b""
        self._unheard = rest
        words = line.split()
        if words[:1] == [b"BDAT"]:
            self._unheard = rest[int(words[1]) :]
        self._in_content = line == b"DATA"
        return GOOD.get(line[:4].upper(), b"250 2.1.0 OK\r\n")


class AnyServerTests(ClientTestCase):
    @settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.booleans(), WISHES, ACTIONS)
    def test_anything(self, is_lmtp: bool, wishes: list[str], actions: list[tuple[str, bytes, int]]) -> None:
        self.setUp()
        self.client_class = LMTPClient if is_lmtp else SMTPClient
        self.connect()
        self.transport.capacity = 1 << 16
        self.server = Server(self)
        self.bodies: list[tuple[bytearray, bytes]] = []  # what was on the wire when it was answered
        waiting = [self.client.greeted(), self.client.ehlo(), *(self.ask(wish) for wish in wishes)]
        results: list[list[Any]] = [[] for _ in waiting]
        for deferred, result in zip(waiting, results, strict=True):
            deferred.addBoth(result.append)  # type: ignore[attr-defined]
        for action in actions:
            self.do(*action)
            self.assertLessEqual(self.client.protocol.wire.pending, LIMITS.octets + LIMITS.line + 20_000)
        for _ in range(len(waiting) + 2):  # each thing that is asked for may be waited for in vain
            self.clock.advance(700)
        self.transport.drop()
        for result, wish in zip(results, ["", "", *wishes], strict=True):
            self.assertEqual(len(result), 1, (wishes, actions))
            self.assert_documented(result[0], wish)
        for result, (sent, body) in zip(self.sent(wishes, results), self.bodies, strict=True):
            if isinstance(result, list) and any(outcome.accepted for outcome in result):
                self.assertIn(body, sent)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        del waiting, results, result
        self.bodies.clear()

    def sent(self, wishes: list[str], results: list[list[Any]]) -> list[Any]:
        """The results of messages."""
        return [
            result[0]
            for wish, result in zip(wishes, results[2:], strict=True)
            if wish in ("send", "large", "binary")
        ]

    def ask(self, wish: str) -> Deferred[Any]:
        client = self.client
        if wish == "starttls":
            return client.starttls(TLS)
        if wish == "authenticate":
            return client.authenticate(Password("tim", "x"))
        if wish == "verify":
            return client.vrfy("alice")
        if wish in ("mail", "rcpt"):
            return client.mail(SENDER) if wish == "mail" else client.rcpt(ALICE)
        if wish in ("data", "much data"):
            return client.data(b"x" * (300_000 if wish == "much data" else 3))
        if wish == "bdat":
            return client.bdat(b"x" * 300_000)
        if wish in ("noop", "quit", "rset"):
            asked: Deferred[Any] = getattr(client, wish)()
            return asked
        end = b"This is the end of %d\r\n" % len(self.bodies)
        body = {"send": b"", "large": b"x" * 300_000 + b"\r\n", "binary": b"\0\r\n"}[wish] + end
        wire = bytearray()
        self.bodies.append((wire, end + b".\r\n" * (wish != "binary")))

        def answered(result: Any) -> Any:
            wire[:] = self.server.heard + self.transport._out
            return result

        return client.send(SENDER, [ALICE, BOB], body).addBoth(answered)

    def do(self, action: str, octets: bytes, piece: int) -> None:
        if action == "good":
            for _ in range(piece):  # that many answers
                self.transport.send(self.server.answer(), piece % 3)
        elif action == "say":
            self.transport.send(octets, piece)
        elif action == "read":
            self.server.read()
        elif action == "wait":
            self.clock.advance(50)
        elif action == "handshake" and self.client.protocol.is_handshaking:
            self.client.protocol.handshakeCompleted()
        elif action == "drop":
            self.transport.drop()

    def assert_documented(self, result: object, wish: str) -> None:
        if isinstance(result, Failure):
            self.assertIsInstance(result.value, ClientError)
            assert isinstance(result.value, ClientError)
            self.assertIn(outcome_of(result.value).code, range(400, 600))
            self.assertTrue(str(result.value).isprintable())
            self.assert_answer(result.value)
        elif isinstance(result, list):
            for outcome in result:
                self.assertIsInstance(outcome, Outcome)
                self.assertTrue(outcome.accepted or 400 <= outcome.code < 600, outcome)
                self.assertTrue(outcome.text.isprintable())
            if wish in ("send", "large", "binary"):
                self.assertEqual(len(result), 2)
            else:
                self.assertGreater(len(result), 0)
        else:
            self.assertTrue(result is None or isinstance(result, (Reply, Capabilities, str)), result)

    def assert_answer(self, error: ClientError) -> None:
        """A server of ours can answer with it."""
        reply = render_reply(error.code, error.enhanced, error.text)
        wire = SMTPClientWire()
        wire.receive(reply)
        read = wire.next_event()
        assert read is not None
        self.assertEqual((read.code, read.enhanced), (error.code, error.enhanced))
        self.assertIn(read.code, range(400, 600))
        self.assertEqual(wire.pending, 0)

    def tearDown(self) -> None:
        gc.collect()  # a failure that was not looked at is logged now
        self.assertEqual(self.flushLoggedErrors(), [])
