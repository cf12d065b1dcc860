"""Fuzz the cost of FETCH: an input fails because it keeps others waiting, or because much is held in memory.

The octets of an input choose the items of a FETCH, of messages that are as expensive as a stranger can make
them.  An input fails if the time between two turns of others is too long, or if much is sent before the
client has read.
"""

from __future__ import annotations

from _parts.fuzzing import instrumented, is_instrumented, run

with instrumented():
    from _parts.mailbox import portal
    from _parts.stepping import ThreadClock, longest_step

    from mailproto.imap import IMAPServerFactory
    from mailproto.imap.limits import IMAPLimits
    from mailproto.imap.wire import IMAPWireLimits

PAUSE = 0.5 if is_instrumented() else 0.05
"""Seconds; several times what others may have to wait, because other programs use the processor, too."""

UNREAD = 3 << 20
"""Octets that a client has not read."""

BEFORE = b"in LOGIN alice secret\r\nbox EXAMINE INBOX\r\n"

ITEMS = 400

MIXED = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
PART = b'Content-Type: a/b; c="d e"; f=g\r\nContent-Disposition: attachment; filename="h i"\r\n\r\n\r\n'
INNER = b"Content-Type: message/rfc822\r\n\r\nTo: " + b"a@b," * 9000 + b"\r\nX: y\r\n\r\nz\r\n"
MESSAGES = (
    MIXED + b"--b\r\n\r\n\r\n" * 9000,
    MIXED + (b"--b\r\n" + PART) * 2500,
    MIXED + (b"--b\r\n" + INNER) * 30,
    b"X: y\r\nZ: y\r\n" * 5000 + b"\r\nbody",
    b"Subject: " + b"a" * 300_000 + b"\r\nTo: " + b"a@b," * 60_000 + b"\r\n\r\n" + b"x" * 1_000_000,
    b"Content-Type: message/rfc822\r\n\r\n" * 150 + b"X:a\r\n" * 100_000,
    b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (at, at) for at in range(99)),
)

NAMES = (
    b"FLAGS ENVELOPE INTERNALDATE RFC822.SIZE UID BODYSTRUCTURE BODY RFC822 RFC822.HEADER RFC822.TEXT".split()
)
TEXTS = (
    b"",
    b"HEADER",
    b"TEXT",
    b"MIME",
    b"HEADER.FIELDS (X%d)",
    b"HEADER.FIELDS (X)",
    b"HEADER.FIELDS.NOT (X)",
    b"HEADER.FIELDS.NOT (Z %d)",
)
PATHS = (b"", b"1.", b"%d.", b"1.1.", b"1.1.1.1.1.1.1.1.1.1.1.1.", b"30.")


def items_of(data: bytes) -> bytes:
    """Some data items, as octets choose them."""
    items: list[bytes] = []
    for number in range(ITEMS if data else 0):
        kind = data[number % len(data)]
        if kind < len(NAMES):
            items.append(NAMES[kind])
            continue
        text = TEXTS[kind % len(TEXTS)].replace(b"%d", b"%d" % number)
        path = PATHS[kind // len(TEXTS) % len(PATHS)].replace(b"%d", b"%d" % (number + 1))
        if text == b"MIME":
            path = path or b"1."
        partial = b"<%d.%d>" % (number, 1 << kind % 20) if kind & 64 else b""
        items.append(b"BODY.PEEK[%b]%b" % (path + text if text else path[:-1], partial))
    return b" ".join(items or [b"FLAGS"])


clock = ThreadClock()
wire = IMAPWireLimits(fetch_items=ITEMS, fetch_labels=1 << 16)
factory = IMAPServerFactory(
    portal(MESSAGES), clock=clock, hostname="mail.example", limits=IMAPLimits(wire=wire)
)


def one_input(data: bytes) -> None:
    """What the fuzzer calls; a machine that is busy with something else has three tries."""
    longest = min(answered(data) for _ in range(3)) if answered(data) >= PAUSE else 0.0
    assert longest < PAUSE, (longest, items_of(data)[:100])


def answered(data: bytes) -> float:
    """The processor time of the longest step of a FETCH, in seconds."""
    line = b"a FETCH 1:* (%b)\r\n" % items_of(data)
    return longest_step(factory, clock, BEFORE, line, UNREAD)


SEEDS = (*(bytes((kind,)) for kind in range(58)), b"\x06\x0c", b"\x0c\x3d", bytes(range(40, 80)))

if __name__ == "__main__":
    run(__doc__, one_input, SEEDS)
