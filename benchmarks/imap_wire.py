"""What the IMAP wire costs: ``python benchmarks/imap_wire.py``.  The best of five, CPU time."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

from mailproto.imap.wire import (
    IMAPServerWire,
    SequenceSet,
    flag_list,
    format_set,
    internal_date,
    quoted_or_literal,
)

FETCH = b"a1 UID FETCH 1:* (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT)])\r\n"
STORE = b"a1 UID STORE 17 +FLAGS.SILENT (\\Seen)\r\n"
SEARCH = b'a1 UID SEARCH UNDELETED SINCE 1-Feb-2024 OR FROM "alice" SUBJECT {4+}\r\ntest\r\n'
NOOPS = b"a1 NOOP\r\n" * (1_000_000 // 9)
SET_60K = b"a1 UID FETCH " + b",".join(b"%d" % n for n in range(1, 22_000, 2)) + b" FLAGS\r\n"
MESSAGE = b"x" * (50 << 20)
APPEND = b"a1 APPEND INBOX {%d+}\r\n" % len(MESSAGE)
UIDS = list(range(1, 200_001, 2))
EVERY_OTHER = SequenceSet.parse(b",".join(b"%d" % n for n in range(1, 24_000, 4)))
EVERYTHING = SequenceSet.parse(b"1:*")
FLAGS = frozenset({"\\Seen", "\\Answered", "$Forwarded"})


def read(data: bytes, piece: int = 65_536) -> None:
    """All events of ``data``, received in pieces."""
    wire = IMAPServerWire()
    for start in range(0, len(data), piece):
        wire.receive(data[start : start + piece])
        while wire.next_event() is not None:
            pass


def append() -> None:
    """A message of 50 MiB."""
    wire = IMAPServerWire()
    wire.receive(APPEND)
    for start in range(0, len(MESSAGE), 65_536):
        wire.receive(MESSAGE[start : start + 65_536])
        while wire.next_event() is not None:
            pass


def report(name: str, work: Callable[[], object], times: int) -> None:
    """Print the microseconds that one ``work`` takes."""
    best = float("inf")
    for _ in range(5):
        began = process_time()
        for _ in range(times):
            work()
        best = min(best, process_time() - began)
    print(f"{name:48} {best / times * 1e6:12,.1f} us")


def main() -> None:
    """Print a table."""
    report("FETCH of four items", lambda: read(FETCH), 5000)
    report("STORE of one flag", lambda: read(STORE), 5000)
    report("SEARCH of four keys, one a literal", lambda: read(SEARCH), 5000)
    report("1 MB of pipelined NOOPs", lambda: read(NOOPS), 1)
    report(f"FETCH with a set of {len(SET_60K):,} octets", lambda: read(SET_60K), 10)
    report("APPEND of 50 MiB", append, 1)
    report("1:* among 100,000 UIDs", lambda: EVERYTHING.resolve_uids(UIDS), 20)
    report("a set of 6,000 numbers among 100,000 UIDs", lambda: EVERY_OTHER.resolve_uids(UIDS), 20)
    report("100,000 numbers without neighbours as a set", lambda: format_set(UIDS), 5)
    report("a flag list, seen before", lambda: flag_list(FLAGS), 50_000)
    report("an internal date, day seen before", lambda: internal_date(1_700_000_000), 50_000)
    report("a quoted string", lambda: quoted_or_literal(b"A subject of usual length"), 50_000)


if __name__ == "__main__":
    main()
