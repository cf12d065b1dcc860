"""Fuzz `mailproto.pop3`.

For any octets, cut anywhere: the wire raises nothing but its own error and says the same however
they are cut; a whole session says the same, too, logs no failure, and each line that is no part of a
multi-line reply begins with +OK, -ERR or "+ ".
"""

from __future__ import annotations

from collections.abc import Iterable

from _parts.fuzzing import instrumented, run

with instrumented():
    from _parts.mailbox import in_pieces, portal, serve
    from twisted.internet.task import Clock

    from mailproto.pop3 import POP3ServerFactory
    from mailproto.pop3.limits import POP3Limits
    from mailproto.pop3.wire import POP3ServerWire, POP3SyntaxError, POP3WireLimits

WIRE_LIMITS = POP3WireLimits(line=60, auth_line=200)
LIMITS = POP3Limits(wire=WIRE_LIMITS, bad_commands=1000, failed_logins=1000, failure_delay=0)
LISTINGS = (
    b"octets",
    b"octets)",
    b"follow",
    b"follows",
    b"Unique ids",
    b"Capabilities",
    b"Mechanisms",
    b"Languages",
)
SIGN_IN = b"USER alice\r\nPASS secret\r\n"


def play(pieces: Iterable[bytes]) -> list[object]:
    """What the wire makes of ``pieces``."""
    wire = POP3ServerWire(WIRE_LIMITS)
    said: list[object] = []
    for piece in pieces:
        wire.receive(piece)
        while True:
            try:
                event = wire.next_event()
            except POP3SyntaxError as error:
                said.append(str(error))
                continue
            if event is None:
                break
            said.append(event)
        assert wire.pending <= 300
    return said


def session(octets: bytes, sizes: bytes, *, signed_in: bool) -> bytes:
    """All that a server says."""
    clock = Clock()
    factory = POP3ServerFactory(portal(), clock=clock, hostname="mail.example", limits=LIMITS)
    return serve(factory, clock, SIGN_IN if signed_in else b"", octets, sizes)


def one_input(data: bytes) -> None:
    """What the fuzzer calls: whether to sign in, where to cut, and what is sent."""
    choice, cuts = (data[0], data[1] % 16) if len(data) > 1 else (0, 0)
    sizes, octets = data[2 : 2 + cuts], data[2 + cuts :]
    whole = play([octets])
    assert play(in_pieces(octets, sizes)) == whole
    said = session(octets, sizes, signed_in=bool(choice & 1))
    is_listing = False
    for line in said.split(b"\r\n")[:-1]:
        if is_listing:
            is_listing = line != b"."
        elif line.startswith(b"+OK"):
            # Whether lines follow is seen from the commands that can have them.
            is_listing = line.endswith(LISTINGS)
        else:
            assert line.startswith((b"-ERR", b"+ ")), line


SEEDS = (
    b"\0\1\x05CAPA\r\nUSER alice\r\nPASS secret\r\nSTAT\r\nLIST\r\nUIDL 2\r\nQUIT\r\n",
    b"\1\1\x03RETR 1\r\nTOP 2 1\r\nDELE 3\r\nRSET\r\nLIST 1\r\nUIDL\r\nNOOP\r\nQUIT\r\n",
    b"\0\2\1\x09AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\nAUTH\r\nLANG\r\nUTF8\r\n"
    b"AUTH LOGIN\r\nYWxpY2U=\r\n*\r\nSTLS\r\n",
)

if __name__ == "__main__":
    run(__doc__, one_input, SEEDS)
