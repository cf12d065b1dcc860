"""Fuzz `mailproto.imap.IMAPClient`.

Whatever a server sends, cut anywhere: the wire says the same however octets are cut, and holds no more
than its limits allow; the client raises nothing, each of its calls comes to an end, and nothing is left to
be done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from _parts.fuzzing import instrumented, run

with instrumented():
    from _parts.mailbox import in_pieces
    from twisted.internet.defer import Deferred
    from twisted.internet.task import Clock

    from mailproto.auth import Password
    from mailproto.imap import IMAPClient
    from mailproto.imap.limits import IMAPClientLimits
    from mailproto.imap.values import BodyStructure, FetchedMessage, KnownMailbox
    from mailproto.imap.wire._answers import BodyPiece, Fetches, IMAPResponseError
    from mailproto.imap.wire._client_wire import IMAPClientWire
    from mailproto.testing import MemoryTransport

LIMITS = IMAPClientLimits(
    line=400,
    line_before_login=300,
    in_memory=20,
    literal=100,
    response=600,
    literals=6,
    nesting=5,
    values=50,
    garbage=3,
    ahead=300,
    ahead_of_others=2000,
    events=5,
)
GREETING = (
    b"* PREAUTH [CAPABILITY IMAP4rev1 LITERAL+ UIDPLUS MOVE ESEARCH IDLE CONDSTORE QRESYNC ENABLE"
    b" LIST-EXTENDED LIST-STATUS LIST-MYRIGHTS LIST-METADATA SORT ESORT THREAD=REFERENCES NAMESPACE ID QUOTA"
    b" ACL METADATA PARTIAL SEARCHRES MULTISEARCH BINARY LANGUAGE UNAUTHENTICATE]\r\n"
)


def play(pieces: Iterable[bytes]) -> list[object]:
    """What the wire makes of ``pieces``; the pieces of a literal are joined."""
    wire = IMAPClientWire(LIMITS)
    said: list[object] = []
    for piece in pieces:
        wire.receive(piece)
        while True:
            try:
                event = wire.next_event()
            except IMAPResponseError as error:
                return [*said, str(error)]
            if event is None:
                break
            if isinstance(event, Fetches):
                said += event.answers
            elif isinstance(event, BodyPiece):
                if said and isinstance(said[-1], bytes):
                    said[-1] += event.octets
                    continue
                said.append(event.octets)
            else:
                said.append(event)
        assert wire.pending <= LIMITS.line + LIMITS.response, wire.pending
    return said


async def look(fetched: Any) -> None:
    """Ask for everything that messages may have."""
    async for message in fetched:
        for name in dir(FetchedMessage):
            if not name.startswith("_"):
                getattr(message, name)
        for part in message.structure.walk() if message.structure else ():
            repr(part)


def _fetch(client: IMAPClient) -> Deferred[Any]:
    return Deferred.fromCoroutine(look(client.fetch("1:*", "BODY.PEEK[]", "ENVELOPE", "BODYSTRUCTURE")))


CALLS: list[Callable[[IMAPClient], Deferred[Any]]] = [
    _fetch,
    lambda client: client.search("UNSEEN", save=True, partial=(1, 9)),
    lambda client: client.list(status=["MESSAGES"], rights=True, metadata=["/a"]),
    lambda client: client.select("INBOX", known=KnownMailbox(1, 1, [1, 5, 6], has_all=True)),
    lambda client: client.store([5, 6], add={"a"}, unchanged_since=5, silent=False),
    lambda client: client.move([5, 6], "x"),
    lambda client: client.append("x", b"a", b"b" * 70_000),
    lambda client: client.thread(),
    lambda client: client.namespace(),
    lambda client: client.quota(),
    lambda client: client.acl("x"),
    lambda client: client.metadata("x", "/a"),
    lambda client: client.part(5, BodyStructure("1", "text/plain", encoding="base64")),
    lambda client: client.expunge([5]),
    lambda client: client.authenticate(Password("bob", "secret")),
    lambda client: client.search_in(["x", "y"]),
    lambda client: client.sort("DATE", partial=(-1, -2)),
    lambda client: client.unauthenticate(),
    lambda client: client.language(),
    lambda client: client.store("$", add={"a"}),
    lambda client: Deferred.fromCoroutine(client.idle().__anext__()),
]


def one_input(data: bytes) -> None:
    """What the fuzzer calls: what to ask first and second, where to cut, and what the server says."""
    choice, second, cuts = (data[0], data[1] // 16, data[1] % 16) if len(data) > 1 else (0, 0, 0)
    sizes, octets = data[2 : 2 + cuts], data[2 + cuts :]
    whole = play([octets])
    assert play(in_pieces(octets, sizes)) == whole
    clock = Clock()
    client = IMAPClient(clock, limits=LIMITS)
    transport = MemoryTransport(client.protocol)
    if choice & 128:
        transport.send(GREETING)
    ended: list[object] = []
    calls = CALLS[(choice & 127) % len(CALLS)], CALLS[second]
    for call in calls:
        call(client).addBoth(ended.append)
    for piece in in_pieces(octets, sizes):
        transport.send(piece)
        transport.read()
        clock.advance(0.1)
    for _ in range(6):
        transport.read()
        clock.advance(500)
    if transport.is_open:
        transport.drop()
    clock.advance(2000)
    assert len(ended) == len(calls), ended
    assert not [call for call in clock.getDelayedCalls() if call.active()]


SEEDS = (
    b"\x80\1\7* 1 FETCH (UID 5 BODY[] {30}\r\n" + b"x" * 30 + b' ENVELOPE (NIL "a" (("b" NIL "c" {1}\r\nd)))'
    b' BODYSTRUCTURE (("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 1 1) "mixed"))\r\nA1 OK done\r\n',
    b'\x81\x92\1\x20* SEARCH 1 2 30 (MODSEQ 9)\r\n* ESEARCH (TAG "A1") UID ALL 1:3,7\r\nA1 NO [X y] z\r\n',
    b'\x82\x31\5* LIST (\\Sent) "/" {3}\r\na&- ("OLDNAME" ("b"))\r\n* STATUS a (MESSAGES 4)\r\nA1 OK\r\n',
    b"\x83\1\x30* 3 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n* VANISHED (EARLIER) 1:4\r\n"
    b"* 1 FETCH (UID 5 FLAGS (a))\r\n"
    b"A1 OK [READ-ONLY] x\r\n* 2 EXPUNGE\r\n* VANISHED 5\r\n* BYE\r\n",
    b"\x0e\x11\x0a* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN]\r\n+ \r\nA1 OK [CAPABILITY X]\r\n+ YQ==\r\n",
    b'\x87\x81\x10* THREAD (1)(2 3 (4)(5 6))\r\n* NAMESPACE (("" "/")) NIL NIL\r\n* QUOTA a (STORAGE 1 2)\r\n'
    b"* ACL x bob lr\r\n* METADATA x (/a {1}\r\nb)\r\nA1 OK\r\nA2 OK\r\n",
    b'\x81\xc1\x30* ESEARCH (TAG "A1") UID PARTIAL (1:9 5,7)\r\nA1 OK\r\n* 1 FETCH (UID 5 BINARY[1] ~{3}\r\n'
    b"\0\0\0)\r\nA2 OK\r\n",
    b'\x82\x01\x09* LIST () "/" x\r\n* MYRIGHTS x lr\r\n* METADATA x (/a {1}\r\nb)\r\nA1 OK\r\n',
    b'\x90\x11\x10* ESEARCH (TAG "A1" MAILBOX x UIDVALIDITY 7) UID ALL 1:3\r\n* BAD x\r\nA1 OK\r\n',
    b"\x93\x31\x05* LANGUAGE (EN DE)\r\nA1 OK [CAPABILITY X]\r\n",
)

if __name__ == "__main__":
    run(__doc__, one_input, SEEDS)
