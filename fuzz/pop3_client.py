"""Fuzz the client of `mailproto.pop3` with servers that say anything.

For any octets, cut anywhere: the wire raises nothing but its own error, says the same however they
are cut, and keeps little; of a client, each call has one result or one error of its own, and the log
stays empty.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any

from _parts.fuzzing import instrumented, run

with instrumented():
    from _parts.mailbox import in_pieces
    from twisted.internet.task import Clock
    from twisted.logger import globalLogPublisher
    from twisted.python.failure import Failure

    from mailproto.auth import Password
    from mailproto.client.errors import ClientError
    from mailproto.pop3 import POP3Client
    from mailproto.pop3.wire import Body, POP3ClientWire, POP3ReplyError, POP3ReplyLimits
    from mailproto.testing import LOOPBACK, MemoryTransport

LIMITS = POP3ReplyLimits(line=200, list_line=60, list_lines=10, in_memory=500)
ALICE = Password("alice", "secret")
CALLS: tuple[Callable[[POP3Client], Any], ...] = (
    lambda client: client.capa(),
    lambda client: client.authenticate(ALICE),
    lambda client: client.authenticate(ALICE, mechanism="APOP"),
    lambda client: client.stat(),
    lambda client: client.list(),
    lambda client: client.uidl(),
    lambda client: client.list(1),
    lambda client: client.retr(1),
    lambda client: client.top(1, 1),
    lambda client: client.save(1, io.BytesIO(), limit=400),
    lambda client: client.dele(1),
    lambda client: client.commit(),
)


def play(pieces: Iterable[bytes], multiline: int) -> list[object]:
    """What the wire makes of ``pieces``; each bit of ``multiline`` is a command."""
    wire = POP3ClientWire(LIMITS)
    for bit in range(8):
        wire.expect(multiline=bool(multiline >> bit & 1))
    said: list[object] = []
    for piece in pieces:
        wire.receive(piece)
        while True:
            try:
                event = wire.next_event()
            except POP3ReplyError as error:
                return [*said, str(error)]
            if event is None:
                break
            last = said[-1] if said else None
            if isinstance(event, Body) and isinstance(last, Body) and not last.is_last:
                said[-1] = Body(last.octets + event.octets, event.is_last)
            else:
                said.append(event)
        assert wire.pending <= LIMITS.line
    return said


def session(pieces: Iterable[bytes], calls: bytes) -> None:
    """A client that makes ``calls`` while the server says ``pieces``."""
    clock = Clock()
    client = POP3Client(clock, limits=LIMITS)
    transport = MemoryTransport(client.protocol, LOOPBACK, capacity=1 << 20)
    told: list[list[Any]] = []
    waiting = [CALLS[each % len(CALLS)] for each in calls]

    def call() -> None:
        results: list[Any] = []
        told.append(results)
        waiting.pop(0)(client).addBoth(results.append)

    for piece in pieces:
        if waiting:
            call()
        transport.send(piece)
    while waiting:
        call()
    transport.drop()
    clock.advance(10_000)
    assert not clock.getDelayedCalls()
    for results in told:
        [result] = results
        assert not isinstance(result, Failure) or isinstance(result.value, ClientError), result


def one_input(data: bytes) -> None:
    """What the fuzzer calls: calls, which commands have lines, where to cut, and what is said."""
    if len(data) < 3:
        return
    count, multiline, cuts = data[0] % 8, data[1], data[2] % 16
    calls, rest = data[3 : 3 + count], data[3 + count :]
    sizes, octets = rest[:cuts], rest[cuts:]
    assert play(in_pieces(octets, sizes), multiline) == play([octets], multiline)
    problems: list[object] = []

    def observe(event: Any) -> None:
        if "log_failure" in event:
            problems.append(event["log_failure"])

    observer: Any = observe
    globalLogPublisher.addObserver(observer)
    try:
        session(in_pieces(octets, sizes), calls)
    finally:
        globalLogPublisher.removeObserver(observer)
    assert not problems, problems


SEEDS = (
    b"\4\x01\x02\0\3\4\5\x08\x09+OK ready\r\n+OK\r\nPIPELINING\r\n.\r\n+OK 1 2\r\n+OK\r\n1 2\r\n.\r\n"
    b"+OK\r\n1 a\r\n.\r\n",
    b"\3\xff\x01\7\x08\x09\x05+OK <a@b>\r\n+OK\r\n..a\r\n.\r\n-ERR [SYS/TEMP] x\r\n+OK\r\nb\r\n.\r\n",
    b"\3\x01\0\0\1\x0b+OK\r\n+OK\r\nSASL PLAIN CRAM-MD5\r\nAUTH-RESP-CODE\r\n.\r\n+ PGFAYj4=\r\n"
    b"+OK\r\n+OK bye\r\n",
)

if __name__ == "__main__":
    run(__doc__, one_input, SEEDS)
