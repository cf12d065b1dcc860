"""Fuzz the cost of `mailproto.message`: an input fails because of time or memory, not because of an error.

The first octet of an input chooses what the others are repeated as, to three sizes: as a whole message, as
a field, as many fields, as a body of each kind, or as what stands between delimiters.  An input fails if the
time between two pauses is too long, if four times the octets take much more than four times as long, or if
much memory is needed.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

from _parts.fuzzing import instrumented, is_instrumented, run

with instrumented():
    from mailproto.message import (
        STRUCTURE_LIMIT,
        Index,
        Message,
        Searchable,
        Section,
        Steps,
        base_subject,
        body_steps,
        finish,
        message_id,
        parse_addresses,
        parse_date,
        preview,
        relations,
        scan_steps,
        section,
        summarise,
        summarise_steps,
        top_steps,
    )

SIZES = (1 << 11, 1 << 13, 1 << 15)

PAUSE = 0.5 if is_instrumented() else 0.02
"""Seconds; several times what the work should take, because other programs use the processor, too."""

AT_ONCE = 2.5 * PAUSE
"""Seconds for functions that only applications call, which have no steps."""

GROWTH = 10
"""How many times as long four times the octets may take."""

LITTLE = 0.004
"""Seconds of work, in steps, that are as good as none: small messages are searched in another way."""

MEMORY = 64
"""Octets of memory for each octet, besides `FIXED`."""

FIXED = 4 << 20

APPLICATIONS = {"to", "addresses", "subject", "id", "date", "preview", "section"}

KEYS = [f"SOME {number} THINGS" for number in range(20)]

LEVELS = b"".join(
    b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (level, level) for level in range(90)
)


def messages(unit: bytes, size: int) -> Iterator[bytes]:
    """Messages of about ``size`` octets, made of ``unit``."""
    octets = unit * (size // len(unit))
    yield octets
    for name in (b"Subject", b"To", b"Message-ID", b"References", b"Content-Type", b"Content-Disposition"):
        yield name + b": " + octets + b"\r\n\r\n"
    line = unit.replace(b"\r", b"").replace(b"\n", b"")[:500] + b"\r\n"
    for before in (b"X:", b"To:", b"Content-Type: message/rfc822\r\n\r\nX:"):
        yield before + (line + before[-3:].lstrip(b"\n")) * (size // (len(line) + 3)) + b"\r\n\r\n"
    for kind in (b"plain; charset=utf-8", b"plain; charset=iso-2022-jp", b"html; charset=big5", b"html"):
        for encoding in (b"8bit", b"quoted-printable"):
            yield (
                b"MIME-Version: 1.0\r\nContent-Type: text/%b\r\nContent-Transfer-Encoding: %b\r\n\r\n%b"
                % (kind, encoding, octets)
            )
    for before in (b"Content-Type: multipart/mixed; boundary=1\r\n\r\n", LEVELS):
        for delimiter in (b"\r\n--1", b"\n--89\n", b"\n--8"):
            yield before + (delimiter + unit) * (size // (len(delimiter) + len(unit)))


def works_on(octets: bytes) -> dict[str, Callable[[], Steps[object]]]:
    """All work on a message, by name."""
    index = Index.load(summarise(octets).index)
    fields = Section((), "HEADER.FIELDS.NOT", (b"X",))

    def once(work: Callable[[], object]) -> Callable[[], Steps[object]]:
        def steps() -> Steps[object]:
            yield
            return work()

        return steps

    return {
        "scan": lambda: scan_steps(octets),
        "summarise": lambda: summarise_steps(octets),
        "body": lambda: body_steps(octets, index),
        "top": lambda: top_steps(octets, index, 1000),
        "search": lambda: Searchable(octets, index).in_text_steps("SOMETHING"),
        "search for keys": lambda: Searchable(octets, index, KEYS).in_text_steps(KEYS[0]),
        "search for addresses": lambda: Searchable(octets, index).in_addresses_steps(b"to", "SOMETHING"),
        "search in a field": lambda: Searchable(octets, index).in_header_steps(b"x", "SOMETHING"),
        "search for blanks": lambda: Searchable(octets, index).in_text_steps("SOME THING"),
        "section": once(lambda: section(octets, index, fields)),
        "preview": once(lambda: preview(octets, index)),
        "relations": once(lambda: relations(octets)),
        "to": once(lambda: Message(octets).to),
        "addresses": once(lambda: parse_addresses(octets)),
        "subject": once(lambda: base_subject(octets)),
        "id": once(lambda: message_id(octets)),
        "date": once(lambda: parse_date(octets[:1000])),
    }


def measured(steps: Steps[object]) -> tuple[float, float]:
    """The seconds of all steps, and of the longest."""
    total = longest = 0.0
    while True:
        start = time.thread_time()
        try:
            next(steps)
            is_end = False
        except StopIteration:
            is_end = True
        spent = time.thread_time() - start
        total += spent
        longest = max(longest, spent)
        if is_end:
            return total, longest


def best(make: Callable[[], Steps[object]]) -> tuple[float, float]:
    """As `measured`; the best of some rounds, if it is not short at once."""
    total, longest = measured(make())
    for _ in range(9):
        if total < 0.004:
            break
        found = measured(make())
        total, longest = min(total, found[0]), min(longest, found[1])
    return total, longest


def one_input(octets: bytes) -> None:
    """What the fuzzer calls; the first octet is the number of the kind of message."""
    unit = octets[1:2000] or b"a"
    kinds = [list(messages(unit, size)) for size in SIZES]
    number = octets[0] % len(kinds[0]) if octets else 0
    costs: dict[str, list[float]] = {}
    for found in kinds:
        message = found[number]
        for name, work in works_on(message).items():
            total, longest = best(work)
            assert longest < (AT_ONCE if name in APPLICATIONS else PAUSE), (
                name,
                len(message),
                longest,
                message[:60],
            )
            costs.setdefault(name, []).append(max(total, LITTLE))
    for name, spent in costs.items():
        assert spent[2] < GROWTH * spent[1], (name, spent, message[:60])
    check_memory(message)


def check_memory(octets: bytes) -> None:
    """Fail if any work on a message needs much memory."""
    works = works_on(octets)
    tracemalloc.start()
    try:
        for name, work in works.items():
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            result: Any = finish(work())
            _, most = tracemalloc.get_traced_memory()
            assert most - before < FIXED + MEMORY * len(octets), (name, most, len(octets), octets[:60])
            if name in ("body", "summarise"):
                size = len(result) if isinstance(result, bytes) else len(result.body_structure)
                assert size < STRUCTURE_LIMIT + 10 * len(octets), (name, size)
    finally:
        tracemalloc.stop()


UNITS = (
    b"X:a\r\n",
    b"<p>a",
    b"<!>",
    "\ufdfa".encode(),
    "\u0301\u0323".encode(),
    b"a@b,",
    b"(c) a@b . c,",
    b"=?utf-8?q?=C3=A9?= ",
    b"; a*0=b",
    b"\x1b$B-!",
    b"\r\nContent-Type: message/rfc822\r\n\r\nCc: a@b,a@b\r\n\r\n",
    b"a  ",
    b"(a)",
    b"<(a)>",
    b"b . ",
    b'"a" ',
)

SEEDS = tuple(bytes((number,)) + unit for number, unit in enumerate(UNITS))

if __name__ == "__main__":
    run(__doc__, one_input, SEEDS)
