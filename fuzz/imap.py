"""Fuzz `mailproto.imap`.

For any octets, cut anywhere: the wire raises nothing but its own error and says the same however
they are cut, and holds no more than its limits allow; a whole session logs no failure, answers no
command twice, and leaves nothing to be done when the client is gone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from _parts.fuzzing import instrumented, run

with instrumented():
    from _parts.mailbox import in_pieces, portal, serve
    from twisted.internet.task import Clock

    from mailproto.connection.commands import ServerCommand, State
    from mailproto.imap import IMAPServerFactory
    from mailproto.imap.extensions import STANDARD, Tables
    from mailproto.imap.limits import IMAPLimits
    from mailproto.imap.wire import (
        Command,
        IMAPServerWire,
        IMAPWireError,
        IMAPWireLimits,
        LiteralChunk,
        LiteralRequest,
        StreamedLiteral,
    )

WIRE_LIMITS = IMAPWireLimits(
    line=300, literal_total=200, literals=4, append=300, nesting=5, swallowed=1000, swallowed_line=400
)
LIMITS = IMAPLimits(wire=WIRE_LIMITS, bad_commands=1000, failed_logins=1000, failure_delay=0)
SYNTAX = Tables.build(STANDARD).syntax
EXTENSIONS = [each for each in STANDARD if each.name != "COMPRESS=DEFLATE"]  # answers are read as lines
SIGN_IN = b"in LOGIN alice secret\r\nbox SELECT INBOX\r\n"
_TAGGED = re.compile(rb"(?m)^([^\s*+]+) (?:OK|NO|BAD)\b")


def play(pieces: Iterable[bytes]) -> tuple[list[object], Counter[str]]:
    """What the wire makes of ``pieces``, and the tags that it heard."""
    wire = IMAPServerWire(WIRE_LIMITS, syntax=SYNTAX)
    said: list[object] = []
    tags: Counter[str] = Counter()
    for piece in pieces:
        wire.receive(piece)
        while True:
            try:
                event = wire.next_event()
            except IMAPWireError as error:
                said.append((error.tag, error.text, error.code, error.bad, error.fatal))
                tags[error.tag or ""] += 1
                if error.fatal:
                    return said, tags
                continue
            if event is None:
                break
            if isinstance(event, LiteralChunk) and said and isinstance(said[-1], LiteralChunk):
                said[-1] = LiteralChunk(said[-1].data + event.data)
                continue
            said.append(event)
            if isinstance(event, Command | StreamedLiteral | LiteralRequest):
                tags[event.tag] += isinstance(event, Command)
        assert wire.pending <= 1000, wire.pending
    return said, tags


def _echo(session: Any, arguments: Any) -> None:
    values = arguments.list_of(lambda: (arguments.atom(), arguments.nstring(), arguments.text()))
    arguments.end()
    session.untagged("XECHO", values)


COMMANDS = {"XECHO": ServerCommand(_echo, State.ANY)}


def one_input(data: bytes) -> None:
    """What the fuzzer calls: whether to sign in, where to cut, and what is sent."""
    choice, cuts = (data[0], data[1] % 16) if len(data) > 1 else (0, 0)
    sizes, octets = data[2 : 2 + cuts], data[2 + cuts :]
    whole, _ = play([octets])
    assert play(in_pieces(octets, sizes))[0] == whole
    clock = Clock()
    factory = IMAPServerFactory(
        portal(),
        clock=clock,
        hostname="mail.example",
        limits=LIMITS,
        commands=COMMANDS,
        extensions=EXTENSIONS,
    )
    said = serve(factory, clock, SIGN_IN if choice & 1 else b"", octets, sizes)
    answered = Counter(_TAGGED.findall(said))
    lines = octets.count(b"\n") + octets.count(b"\r") + 2
    assert all(number <= lines for number in answered.values()), answered


SEEDS = (
    b"\1\1\x07a FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[2.1.HEADER]<0.9>)\r\n"
    b"b UID SEARCH RETURN (MIN COUNT) OR SUBJECT {3+}\r\none NOT SEEN\r\n"
    b"c STORE 1 +FLAGS.SILENT (\\Deleted)\r\nd EXPUNGE\r\ne IDLE\r\nDONE\r\nf LOGOUT\r\n",
    b"\0\2\1\x0ca CAPABILITY\r\nb LOGIN {5}\r\nalice {6}\r\nsecret\r\nc SELECT inbox\r\n"
    b'd LIST (SUBSCRIBED) "" (% *) RETURN (STATUS (MESSAGES))\r\n'
    b"e APPEND INBOX (\\Seen) {9+}\r\nx: y\r\n\r\nz\r\nf COPY 1 Other\r\n"
    b'g APPEND {5}\r\nINBOX {4}\r\nx: y () {3+}\r\na b "17-Jul-1996 02:44:25 -0700" {1+}\r\nz\r\n',
    b"\1\1\x1fa CREATE x\r\nb RENAME x y/z\r\nc STATUS y/z (UIDNEXT SIZE)\r\nd MOVE 2:3 y/z\r\n"
    b'e SUBSCRIBE y\r\nf ENABLE X\r\ng NAMESPACE\r\nh ID ("a" NIL)\r\ni UNSELECT\r\n'
    b'h XECHO ((a "b" {1+}\r\nc) (d NIL e))\r\nh XECHO ((a {2}\r\nbc d))\r\n'
    b"j AUTHENTICATE PLAIN\r\n*\r\nk DELETE y/z\r\n",
    b"\1\1\x1fa FETCH 1:* (BINARY.PEEK[1]<0.9> BINARY.SIZE[2])\r\nb APPEND INBOX ~{3+}\r\na\0b\r\n"
    b"c REPLACE 1 INBOX {1+}\r\nz\r\nd ENABLE UTF8=ACCEPT\r\ne APPEND INBOX UTF8 (~{1+}\r\nz)\r\n"
    b"f NOTIFY SET STATUS (selected (MessageNew (UID) MessageExpunge)) (subtree (a INBOX) (MailboxName))\r\n"
    b"g LANGUAGE de en\r\nh UNAUTHENTICATE\r\ni LOGIN alice secret\r\n",
    b'\1\1\x1fa GENURLAUTH "imap://alice@x/INBOX/;UID=1/;SECTION=1;URLAUTH=anonymous" INTERNAL\r\n'
    b'b URLFETCH "imap://alice@x/INBOX/;UID=1;EXPIRE=2999-12-31T23:59:59Z;URLAUTH=authuser:INTERNAL:'
    b'00112233445566778899aabbccddeeff"\r\nc RESETKEY INBOX\r\n'
    b'd URLFETCH ("imap://alice@x/INBOX/;UID=1" BINARY BODY)\r\n',
)

if __name__ == "__main__":
    run(__doc__, one_input, SEEDS)
