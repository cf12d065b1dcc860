"""Transcripts that are played to a new server in every way in which TCP may cut them.

C: text     a line of the client; ␍ ␊ ␀ ␉ stand for CR, LF, NUL and TAB, CRLF is added
S: text     a line of the server
S: 250...   one reply that begins so, with all of its lines
S: --       the server closes the connection
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mailproto.smtp import LMTPServerFactory
from tests.smtp.server.dialogue import DialogueTestCase, FakeDelivery
from tests.transport import MemoryTransport

__all__ = ["CLOSED", "LMTPTranscriptTestCase", "Message", "TranscriptTestCase", "Turn", "read_transcript"]

CLOSED = "--"

_PICTURES = {ord(picture): chr(ord(picture) - 0x2400) for picture in "␀␉␊␍"}

TRACE = re.compile(rb"\A(?:Received: from .*\r\n(?:[ \t].*\r\n)*)")


class Turn(NamedTuple):
    """What the client sends at once, and the lines that it must hear."""

    sent: bytes
    heard: list[str]


class Message(NamedTuple):
    """What a delivery was given: addresses as in a command, content without our trace field."""

    sender: str
    recipients: list[str]
    content: bytes


def read_transcript(transcript: str) -> list[Turn]:
    """The turns of a transcript; lines that stand together are sent together."""
    turns: list[Turn] = []
    for line in filter(None, map(str.strip, transcript.splitlines())):
        speaker, _, words = line.partition(":")
        words = words.removeprefix(" ")
        if speaker in ("C", "C~"):
            if not turns or turns[-1].heard:
                turns.append(Turn(b"", []))
            end = "\r\n" if speaker == "C" else ""
            sent = (words.translate(_PICTURES) + end).encode("utf-8", "surrogateescape")
            turns[-1] = Turn(turns[-1].sent + sent, [])
        elif speaker == "S":
            turns[-1].heard.append(words)
        else:
            raise ValueError(f"neither C: nor S: in {line!r}")
    return turns


def _pattern(lines: Sequence[str]) -> str:
    """What matches the server's lines."""
    patterns = []
    for line in lines:
        if line.endswith("..."):
            patterns.append(
                rf"(?:{line[:3]}-[^\r\n]*\r\n)*{re.escape(line.removesuffix('...'))}[^\r\n]*\r\n"
                if line[3:] == "..."
                else rf"{re.escape(line.removesuffix('...'))}[^\r\n]*\r\n"
            )
        else:
            patterns.append(re.escape(line) + r"\r\n")
    return "".join(patterns)


class TranscriptTestCase(DialogueTestCase):
    """A test of rows in the table of corner cases."""

    def play(
        self,
        transcript: str,
        *,
        together: bool = True,
        prepare: Callable[[FakeDelivery], object] | None = None,
        **settings: Any,
    ) -> list[Message]:
        """Play it turn by turn, octet by octet, and as one segment; each time with a new server.

        :param together: whether the client may send everything at once.
        :param prepare: makes each server's delivery what the test needs.
        :returns: what was delivered, the same each time.
        """
        turns = read_transcript(transcript)
        ways = [(turns, 0), (turns, 1)]
        if together:
            everything = Turn(
                b"".join(turn.sent for turn in turns), [s for turn in turns for s in turn.heard]
            )
            ways.append(([everything], 0))
        results = [self._play(way, piece, prepare, settings) for way, piece in ways]
        for result in results[1:]:
            self.assertEqual(result, results[0], "it matters how the octets come")
        return results[0]

    def play_cut(self, before: str, content: bytes, after: str, **settings: Any) -> list[Message]:
        """Play ``content`` in two segments, cut at every place; what is delivered must not differ."""
        results: list[list[Message]] = []
        for cut in range(len(content) + 1):
            transport = self._start(None, settings)
            self._turns(transport, read_transcript(before), 0)
            transport.send(content[:cut])
            transport.send(content[cut:])
            self._compare(transport, content, read_transcript("C:\n" + after)[0].heard)
            results.append(self.messages())
        for result in results[1:]:
            self.assertEqual(result, results[0])
        return results[0]

    def messages(self) -> list[Message]:
        """What the delivery of the latest connection has."""
        return [
            Message(
                str(envelope.sender),
                [str(recipient.address) for recipient in envelope.recipients],
                TRACE.sub(b"", content),
            )
            for envelope, content in self.delivery.delivered
        ]

    def _start(
        self, prepare: Callable[[FakeDelivery], object] | None, settings: dict[str, Any]
    ) -> MemoryTransport:
        delivery = FakeDelivery()
        if prepare is not None:
            prepare(delivery)
        return self.connect(**{"delivery": delivery, **settings})

    def _play(
        self,
        turns: list[Turn],
        piece: int,
        prepare: Callable[[FakeDelivery], object] | None,
        settings: dict[str, Any],
    ) -> list[Message]:
        transport = self._start(prepare, settings)
        self._turns(transport, turns, piece)
        return self.messages()

    def _turns(self, transport: MemoryTransport, turns: list[Turn], piece: int) -> None:
        for turn in turns:
            transport.send(turn.sent, piece)
            self._compare(transport, turn.sent, turn.heard)

    def _compare(self, transport: MemoryTransport, sent: bytes, lines: list[str]) -> None:
        heard = transport.read().decode()
        expected = [line for line in lines if line != CLOSED]
        if not re.fullmatch(_pattern(expected), heard):
            shown = "\n".join(f"S: {line}" for line in expected)
            self.fail(f"after {sent[-300:]!r}, instead of\n{shown}\nthe server said\n{heard}")
        self.assertEqual(transport.is_open, CLOSED not in lines, "whether the connection is open")


class LMTPTranscriptTestCase(TranscriptTestCase):
    factory_class = LMTPServerFactory
