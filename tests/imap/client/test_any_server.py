"""Whatever a server sends: nothing is raised, nothing grows, and every call comes to an end."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.client._connection import TURN
from mailproto.client.errors import ConnectionLost
from mailproto.imap import IMAPClient
from mailproto.imap.limits import IMAPClientLimits
from mailproto.imap.values import BodyStructure, FetchedMessage, KnownMailbox, Query
from mailproto.testing import MemoryTransport
from tests.imap.client.dialogue import MANY

LIMITS = IMAPClientLimits(
    line=2000,
    in_memory=50,
    literal=500,
    response=3000,
    literals=20,
    ahead=1000,
    ahead_of_others=3000,
    events=5,
)
GREETING = (
    b"* PREAUTH [CAPABILITY %b SORT ESORT THREAD=REFERENCES NAMESPACE ID ACL METADATA LANGUAGE] Hello\r\n"
    % MANY.encode()
)
MODERN = GREETING.replace(
    b" ID ",
    b" ID LIST-MYRIGHTS LIST-METADATA SEARCHRES PARTIAL MULTISEARCH BINARY UNAUTHENTICATE UTF8=ACCEPT ",
)

words = st.sampled_from(
    [
        *(
            b"* ",
            b"A1 ",
            b"A2 ",
            b"A3 ",
            b"OK ",
            b"NO ",
            b"BAD ",
            b"BYE ",
            b"+ ",
            b"1 ",
            b"3 ",
            b"4294967295 ",
        ),
        *(
            b"FETCH ",
            b"EXISTS",
            b"EXPUNGE",
            b"SEARCH ",
            b"ESEARCH ",
            b"LIST ",
            b"STATUS ",
            b"VANISHED ",
            b"SORT ",
        ),
        *(
            b"THREAD ",
            b"NAMESPACE ",
            b"ID ",
            b"FLAGS ",
            b"ENVELOPE ",
            b"BODYSTRUCTURE ",
            b"BODY[] ",
            b"UID 5 ",
        ),
        *(
            b"(",
            b")",
            b"((",
            b"))",
            b'"',
            b'"a" ',
            b"NIL ",
            b"\\Seen ",
            b"{3}\r\n",
            b"{60}\r\n",
            b"abc",
            b"y" * 60,
        ),
        *(b"\r\n", b"\r\n", b"\n", b"[", b"] ", b"COPYUID ", b"MODIFIED ", b"APPENDUID ", b"UIDVALIDITY "),
        *(
            b"1:3,5 ",
            b"5:* ",
            b"MODSEQ (7) ",
            b"CAPABILITY ",
            b"(EARLIER) ",
            b"METADATA ",
            b"\xff",
            b"\0",
            b"&AP-",
        ),
        *(
            b'(TAG "A1") UID ',
            b"(TAG A2 MAILBOX x UIDVALIDITY 7) UID ",
            b"ALL 1:3 ",
            b"PARTIAL (1:2 ",
            b"PARTIAL NIL ",
            b"MYRIGHTS x ",
            b"(/private/comment ",
            b"LANGUAGE (",
            b"BINARY[1] ",
            b"~{3}\r\n",
            b"~{60}\r\n",
            b"NOTSAVED",
            b"[MESSAGELIMIT 1 5] ",
            b"[MESSAGELIMIT 1 2] ",
            b"UNKNOWN-CTE",
            b"* BAD ",
        ),
        *(b"UID 5 FLAGS (\\Seen)", b"* 1 FETCH (UID 5 ", b" OK\r\n", b"CLOSED", b"12345678901234567890 "),
    ]
)
streams = st.one_of(st.lists(words, max_size=60).map(b"".join), st.binary(max_size=300))


async def everything(fetched: Any) -> list[FetchedMessage]:
    messages = await fetched.all()
    for message in messages:
        for name in dir(FetchedMessage):
            if not name.startswith("_"):
                getattr(message, name)
    return messages


CALLS = [
    lambda client: Deferred.fromCoroutine(
        everything(client.fetch("1:*", "BODY[]", "FLAGS", "BODYSTRUCTURE"))
    ),
    lambda client: client.search("UNSEEN"),
    lambda client: client.list(status=["MESSAGES"]),
    lambda client: client.status("x"),
    lambda client: client.select("INBOX"),
    lambda client: client.store(5, add={"a"}, unchanged_since=5, silent=False),
    lambda client: client.copy(5, "x"),
    lambda client: client.move([5, 6], "x"),
    lambda client: client.append("x", b"a", b"b" * 70_000),
    lambda client: client.thread(),
    lambda client: client.sort("DATE"),
    lambda client: client.namespace(),
    lambda client: client.id(),
    lambda client: client.part(5),
    lambda client: client.expunge([5]),
    lambda client: client.list(rights=True, metadata=["/private/comment"]),
    lambda client: client.search("UNSEEN", save=True),
    lambda client: client.search(Query.uids("$"), partial=(-1, -2)),
    lambda client: client.sort("DATE", partial=(1, 2)),
    lambda client: client.search_in(["x", "y"]),
    lambda client: client.store("$", add={"a"}),
    lambda client: Deferred.fromCoroutine(everything(client.fetch("$", "FLAGS", partial=(1, 5)))),
    lambda client: client.part(5, BodyStructure("1", "text/plain", encoding="base64")),
    lambda client: client.select("INBOX", known=KnownMailbox(1, 1, [1, 2, 5], has_all=True)),
    lambda client: client.language("de"),
    lambda client: client.unauthenticate(),
    lambda client: client.my_rights("x"),
    lambda client: client.metadata("x", "/private/comment"),
    lambda client: client.unselect(),
    lambda client: client.logout(),
    lambda client: Deferred.fromCoroutine(client.idle().__anext__()),
]


class AnyServerTests(SynchronousTestCase):
    @given(
        st.sampled_from([GREETING, MODERN, b"* OK Hello\r\n", b""]),
        st.lists(st.integers(0, len(CALLS) - 1), min_size=1, max_size=4),
        streams,
        st.integers(0, 40),
    )
    def test_nothing_is_raised(self, greeting: bytes, calls: list[int], octets: bytes, piece: int) -> None:
        clock = Clock()
        client = IMAPClient(clock, limits=LIMITS)
        transport = MemoryTransport(client.protocol)
        transport.send(greeting)
        ended: list[object] = []
        for number in calls:
            CALLS[number](client).addBoth(ended.append)
        transport.send(octets, piece)
        clock.advance(1)
        if transport.is_reading:
            self.assertLessEqual(client.protocol.wire.pending, LIMITS.line + LIMITS.response + 300)
        for _ in range(5):
            transport.read()
            clock.advance(500)  # whoever waits for too long gives up
        if transport.is_open:
            transport.drop()
        self.assertEqual(len(ended), len(calls))
        self.assertEqual([call for call in clock.getDelayedCalls() if call.active()], [])
        self.assertEqual(self.flushLoggedErrors(), [])


class TurnTests(SynchronousTestCase):
    """Thousands of small responses that come together leave others their turn."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.client = IMAPClient(self.clock)
        self.transport = MemoryTransport(self.client.protocol)
        self.transport.send(GREETING)

    def slow_down(self) -> None:
        """From now on it is later whenever somebody looks."""
        look = self.clock.seconds

        def later() -> float:
            self.clock.rightNow += TURN / 3
            return look()

        self.clock.seconds = later  # type: ignore[method-assign]

    def flood(self) -> Deferred[list[FetchedMessage]]:
        fetching = Deferred.fromCoroutine(self.client.fetch("1:*", "FLAGS").all())
        [tag] = self.transport.read().split()[:1]
        self.slow_down()
        lines = [b"* %d FETCH (UID %d FLAGS ())\r\n" % (number, number) for number in range(1, 1001)]
        self.transport.send(b"".join([*lines, tag, b" OK Done\r\n"]))
        return fetching

    def test_events_are_handled_in_turns_and_nothing_is_read_meanwhile(self) -> None:
        turns: list[bool] = []
        pause = self.transport.pauseProducing
        self.transport.pauseProducing = lambda: turns.append(pause() is None)  # type: ignore[method-assign]
        fetching = self.flood()
        self.assertFalse(fetching.called or self.transport.is_reading)
        for _ in range(20):
            self.clock.advance(0)
        self.assertGreater(len(turns), 3)
        self.assertEqual(len(self.successResultOf(fetching)), 1000)
        self.assertTrue(self.transport.is_reading)

    def test_the_end_is_noticed_between_two_turns(self) -> None:
        for end in ("drop", "abort"):
            self.setUp()
            fetching = self.flood()
            (self.transport.drop if end == "drop" else self.client.abort)()
            self.failureResultOf(fetching, ConnectionLost)
            self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])

    def test_what_is_held_between_two_turns_goes_on_when_it_may(self) -> None:
        fetching = self.flood()
        self.client.protocol.hold()
        self.clock.advance(0)
        self.assertFalse(self.transport.is_reading or fetching.called)
        self.client.protocol.go_on()
        for _ in range(20):
            self.clock.advance(0)
        self.assertEqual(len(self.successResultOf(fetching)), 1000)
