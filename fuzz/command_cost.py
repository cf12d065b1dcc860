"""Fuzz the cost of IMAP's commands: an input fails because it keeps others waiting, or by what is unread.

The octets of an input choose a command, its sets, flags, names, patterns and keys, and how many there are.
The account has thousands of messages and hundreds of mailboxes.  An input fails if the time between two turns
of others is too long, or if much is sent before the client has read.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import cycle

from _parts.fuzzing import instrumented, is_instrumented, run

with instrumented():
    from _parts.mailbox import portal
    from _parts.stepping import ThreadClock, longest_step

    from mailproto.imap import IMAPServerFactory

PAUSE = 0.5 if is_instrumented() else 0.03
"""Seconds; several times what others may have to wait, because other programs use the processor, too."""

UNREAD = 3 << 20
"""Octets that a client has not read."""

MESSAGES = (b"Subject: x\r\n\r\nhello\r\n",) * 5000

BEFORE = (
    b"in LOGIN alice secret\r\n"
    + b"".join(b"m CREATE a%d/b%d/%d\r\n" % (number % 3, number % 7, number) for number in range(300))
    + b"m CREATE Target\r\nm SELECT INBOX\r\nm STORE 2:* FLAGS.SILENT (k \\Deleted)\r\n"
    + b"m SEARCH RETURN (SAVE) NOT 7\r\na1 SEARCH RETURN (UPDATE) UNDELETED\r\n"
    + b"a2 UID SORT RETURN (UPDATE) (REVERSE SUBJECT) UTF-8 UNSEEN\r\nlast NOOP\r\n"
)

LINE = 60_000
"""Octets of a command; more are not read."""

COMMANDS = (
    b"SEARCH %K",
    b"UID SEARCH RETURN (MIN MAX ALL COUNT) %K",
    b"SEARCH RETURN (SAVE UPDATE PARTIAL 5:4000) %K",
    b"SEARCH RETURN (RELEVANCY ALL) FUZZY (%K)",
    b"SORT (SUBJECT REVERSE DATE) UTF-8 %K",
    b"UID SORT RETURN (UPDATE ALL) (FROM) UTF-8 %K",
    b"THREAD REFERENCES UTF-8 %K",
    b"UID THREAD ORDEREDSUBJECT UTF-8 %K",
    b"ESEARCH IN (selected subtree (a0 a1) mailboxes (INBOX a2)) RETURN (COUNT ALL) %K",
    b"UID FETCH $ (PREVIEW (LAZY))",
    b"CANCELUPDATE %Q",
    b"STORE %S +FLAGS (%F)",
    b"UID STORE %S FLAGS.SILENT (%F)",
    b"STORE %S -FLAGS (\\Deleted)",
    b"COPY %S Target",
    b"COPY %S INBOX",
    b"MOVE %S Target",
    b"UID MOVE %S INBOX",
    b"UID EXPUNGE %S",
    b"EXPUNGE",
    b"CLOSE",
    b"FETCH %S (UID FLAGS)",
    b"UID FETCH %S (ENVELOPE BODYSTRUCTURE)",
    b"SELECT INBOX",
    b'LIST "" (%P) RETURN (SUBSCRIBED CHILDREN STATUS (MESSAGES UNSEEN SIZE))',
    b'LIST (SUBSCRIBED RECURSIVEMATCH) "" (%P)',
    b'LSUB "" %P',
    b"STATUS INBOX (%I)",
    b"CREATE %N",
    b"SUBSCRIBE %N",
    b"RENAME a1 %N",
    b"RENAME INBOX %N",
    b"DELETE a1/b1/1",
    b"ENABLE %F",
    b"ID (%Q)",
    b"LOGIN %N %N",
    b"UNKNOWN %F %S",
)
SETS = (b"1:*", b"%d", b"%d:*", b"*:%d", b"%d:%d", b"1,3:*", b"4999", b"*")
FLAGS = (b"k%d", b"\\Seen", b"k", b"\\Deleted", b"k%dxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")
NAMES = (
    b"%d/",
    b"a",
    b"a%d",
    b"&AOk-",
    b'"',
    b"INBOX/",
    b"x%d/yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy/",
)
PATTERNS = (b"*", b"%", b"*a", b"%/", b"a*b", b"a%d/%/*")
KEYS = (
    b"%S",
    b"UID %S",
    b"NOT %S",
    b"OR UNSEEN %S",
    b"KEYWORD k%d",
    b"UNSEEN",
    b"NOT (DELETED",
    b"OR",
    b"LARGER %d",
    b"SINCE 1-Jan-2001",
    b"HEADER Subject x%d",
    b"TEXT hello%d",
    b"FROM a@%d",
    b"$",
    b"YOUNGER %d",
    b'FUZZY SUBJECT "x %d hello"',
    b"SENTSINCE 1-Jan-2001",
    b"ALL",
)
ITEMS = (b"MESSAGES", b"UNSEEN", b"UIDNEXT", b"SIZE", b"RECENT")
WORDS = (b'"a%d"', b"NIL", b'"b"')
SEPARATORS = {b"S": b",", b"N": b""}
OTHERS = {b"S": SETS, b"F": FLAGS, b"N": NAMES, b"P": PATTERNS, b"K": KEYS, b"I": ITEMS, b"Q": WORDS}


def repeated(choices: tuple[bytes, ...], octets: Iterator[int], separator: bytes) -> bytes:
    """Some of ``choices``, again and again, with numbers for their places."""
    chosen = [choices[next(octets) % len(choices)] for _ in range(1 + next(octets) % 3)]
    pieces: list[bytes] = []
    step, size = 1 + next(octets) % 5, 0
    for number, piece in zip(range(1, 1 << (1 + next(octets) % 14)), cycle(chosen)):
        for _ in range(piece.count(b"%d")):
            piece = piece.replace(b"%d", b"%d" % (number * step % 5000 + 1), 1)
        if b"%S" in piece:
            piece = piece.replace(b"%S", repeated(SETS, cycle((number, 0, step)), b","))
        size += len(piece) + 1
        if size > LINE:
            break
        pieces.append(piece)
    return separator.join(pieces)


def command_of(data: bytes) -> bytes:
    """The command that octets choose."""
    octets = cycle(data or b"\0")
    command = COMMANDS[next(octets) % len(COMMANDS)]
    for place, choices in OTHERS.items():
        for _ in range(command.count(b"%" + place)):
            text = repeated(choices, octets, SEPARATORS.get(place, b" "))
            command = command.replace(b"%" + place, text, 1)
    return command + b")" * min(command.count(b"(") - command.count(b")"), 100)


def one_input(data: bytes) -> None:
    """What the fuzzer calls; a machine that is busy with something else has three tries."""
    line = b"a %b\r\n" % command_of(data)
    longest = min(answered(line) for _ in range(3)) if answered(line) >= PAUSE else 0.0
    assert longest < PAUSE, (longest, line[:100])


def answered(line: bytes) -> float:
    """The processor time of the longest step of a command, in seconds."""
    clock = ThreadClock()
    factory = IMAPServerFactory(portal(MESSAGES), clock=clock, hostname="mail.example")
    gc.disable()  # it would look at all messages, which are new for each input
    try:
        return longest_step(factory, clock, BEFORE, line, UNREAD)
    finally:
        gc.enable()


SEEDS = tuple(
    bytes((kind, *more)) for kind in range(len(COMMANDS)) for more in ((0, 0, 0, 13), (1, 1, 1, 13))
)

if __name__ == "__main__":
    run(__doc__, one_input, SEEDS)
