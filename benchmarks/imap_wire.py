"""What the IMAP wire costs: CPU time, the best of some rounds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from _parts.program import Options, Table, cpu_seconds_of, expect, run

from mailproto.imap.extensions import STANDARD, Tables
from mailproto.imap.wire import (
    NO_ARGUMENTS,
    Address,
    And,
    Command,
    DateKey,
    Fetch,
    FetchAttribute,
    FetchSection,
    Flagged,
    Header,
    IMAPServerWire,
    LiteralChunk,
    Or,
    Search,
    SequenceSet,
    Store,
    flag_list,
    format_set,
    internal_date,
    quoted_or_literal,
)
from mailproto.message import Section
from mailproto.model import FlagChange, FlagOperation

SYNTAX = Tables.build(STANDARD).syntax

FETCH = b"a1 UID FETCH 1:* (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT)])\r\n"
STORE = b"a1 UID STORE 17 +FLAGS.SILENT (\\Seen)\r\n"
SEARCH = b'a1 UID SEARCH UNDELETED SINCE 1-Feb-2024 OR FROM "alice" SUBJECT {4+}\r\ntest\r\n'
NOOPS = b"a1 NOOP\r\n" * (1_000_000 // 9)
SET_60K = b"a1 UID FETCH " + b",".join(b"%d" % n for n in range(1, 22_000, 2)) + b" FLAGS\r\n"
MESSAGE = bytes(range(256)) * (50 << 12)
APPEND = b"a1 APPEND INBOX {%d+}\r\n" % len(MESSAGE)
UIDS = list(range(1, 200_001, 2))
EVERY_OTHER = SequenceSet.parse(b",".join(b"%d" % n for n in range(1, 24_000, 4)))
EVERYTHING = SequenceSet.parse(b"1:*")
FLAGS = frozenset({"\\Seen", "\\Answered", "$Forwarded"})

FIELDS = (b"FROM", b"TO", b"SUBJECT")
READ_FETCH = Fetch(
    EVERYTHING,
    (
        FetchAttribute("UID"),
        FetchAttribute("FLAGS"),
        FetchAttribute("RFC822.SIZE"),
        FetchSection(
            b"BODY[HEADER.FIELDS (FROM TO SUBJECT)]", Section((), "HEADER.FIELDS", FIELDS), True, None
        ),
    ),
)
READ_STORE = Store(SequenceSet(((17, 17),)), FlagChange(FlagOperation.ADD, frozenset({"\\Seen"})), True)
READ_SEARCH = Search(
    None,
    And(
        (
            Flagged("\\Deleted", False),
            DateKey("INTERNAL", "SINCE", date(2024, 2, 1)),
            Or(Address("from", "alice"), Header("subject", "test")),
        )
    ),
    None,
)
READ_SET = Fetch(SequenceSet(tuple((n, n) for n in range(1, 22_000, 2))), (FetchAttribute("FLAGS"),))
"""What the commands mean."""


def read(data: bytes, piece: int = 65_536) -> tuple[int, object]:
    """How many events ``data`` makes, received in pieces, and the last of them."""
    wire = IMAPServerWire(syntax=SYNTAX)
    number = 0
    last: object = None
    for start in range(0, len(data), piece):
        wire.receive(data[start : start + piece])
        while (event := wire.next_event()) is not None:
            number += 1
            last = event
    return number, last


def append() -> list[LiteralChunk]:
    """The pieces of a message of 50 MiB."""
    wire = IMAPServerWire(syntax=SYNTAX)
    wire.receive(APPEND)
    chunks = []
    for start in range(0, len(MESSAGE), 65_536):
        wire.receive(MESSAGE[start : start + 65_536])
        while (event := wire.next_event()) is not None:
            if isinstance(event, LiteralChunk):
                chunks.append(event)
    return chunks


def read_sizes() -> None:
    """Fail unless the message that `append` reads is the one that it was given."""
    expect("APPEND's message", b"".join(chunk.data for chunk in append()), MESSAGE)


def one(name: str, arguments: object, *, uid: bool = True) -> tuple[int, Command[object]]:
    """What `read` finds of a single command."""
    return 1, Command("a1", name, uid, arguments)


def main() -> None:
    """Print a table."""
    options = Options(__doc__)
    options.add_number("rounds", 5, quick=1, help="how often each is measured")
    given = options.parse()
    table = Table("", "CPU us")

    def report(name: str, work: Callable[[], object], times: int, expected: object = ...) -> None:
        if expected is not ...:
            expect(name, work(), expected)
        times = max(times // 50, 1) if given.quick else times
        table.row(name, f"{cpu_seconds_of(work, times, given.rounds) * 1e6:,.1f}")

    number = NOOPS.count(b"\n")
    read_sizes()
    report("FETCH of four items", lambda: read(FETCH), 5000, one("FETCH", READ_FETCH))
    report("STORE of one flag", lambda: read(STORE), 5000, one("STORE", READ_STORE))
    report("SEARCH of four keys, one a literal", lambda: read(SEARCH), 5000, one("SEARCH", READ_SEARCH))
    report(
        "1 MB of pipelined NOOPs",
        lambda: read(NOOPS),
        1,
        (number, Command("a1", "NOOP", False, NO_ARGUMENTS)),
    )
    report(f"FETCH with a set of {len(SET_60K):,} octets", lambda: read(SET_60K), 10, one("FETCH", READ_SET))
    report("APPEND of 50 MiB", append, 1)
    report(
        "the ranges of a set of 6,000 numbers",
        lambda: EVERY_OTHER.merged(len(UIDS)),
        20,
        [(number, number) for number in range(1, 24_000, 4)],
    )
    report(
        "100,000 numbers without neighbours as a set",
        lambda: format_set(UIDS),
        5,
        b",".join(b"%d" % uid for uid in UIDS),
    )
    report("a flag list, seen before", lambda: flag_list(FLAGS), 50_000, b"(\\Answered \\Seen $Forwarded)")
    report(
        "an internal date, day seen before",
        lambda: internal_date(1_700_000_000),
        50_000,
        b'"14-Nov-2023 22:13:20 +0000"',
    )
    text = b"A subject of usual length"
    report("a quoted string", lambda: quoted_or_literal(text), 50_000, b'"%b"' % text)


if __name__ == "__main__":
    run(main)
