"""Dialogues of the corner cases, each had with a new server in every way in which TCP may cut them.

What `mailproto.testing.Dialogue` knows, and::

    S: 250...   one reply, with all of its lines
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mailproto.smtp.lmtp import LMTPServerFactory
from mailproto.testing import FEEDS, Feed, MemoryTransport
from tests.smtp.server.dialogue import DialogueTestCase, FakeDelivery

__all__ = ["ONE_BY_ONE", "LMTPTranscriptTestCase", "Message", "TranscriptTestCase"]

ONE_BY_ONE: tuple[Feed, ...] = ("turns", "octets")
"""For a client that may not speak before it is answered."""

TRACE = re.compile(rb"\A(?:Received: from .*\r\n(?:[ \t].*\r\n)*)")

_REPLY = re.compile(r"(?m)^ *S: (\d{3})\.\.\.$")


class Message(NamedTuple):
    """What a delivery was given: addresses as in a command, content without our trace field."""

    sender: str
    recipients: list[str]
    content: bytes


class TranscriptTestCase(DialogueTestCase):
    """A test of rows in the table of corner cases."""

    def play(
        self,
        transcript: str,
        *,
        feeds: Sequence[Feed] = FEEDS,
        prepare: Callable[[FakeDelivery], object] | None = None,
        **settings: Any,
    ) -> list[Message]:
        """Have it each way with a new server.

        :param prepare: makes each server's delivery what the test needs.
        :returns: what was delivered, the same each time.
        """
        results: list[list[Message]] = []
        for feed in feeds:
            self.converse(self._start(prepare, settings), transcript, feed)
            results.append(self.messages())
        for result in results[1:]:
            self.assertEqual(result, results[0], "it matters how the octets come")
        return results[0]

    def play_cut(self, before: str, content: bytes, after: str, **settings: Any) -> list[Message]:
        """Play ``content`` in two segments, cut at every place; what is delivered must not differ."""
        results: list[list[Message]] = []
        for cut in range(len(content) + 1):
            transport = self._start(None, settings)
            self.converse(transport, before)
            transport.send(content[:cut])
            transport.send(content[cut:])
            self.converse(transport, after)
            results.append(self.messages())
        for result in results[1:]:
            self.assertEqual(result, results[0])
        return results[0]

    def converse(self, transport: MemoryTransport, transcript: str, feed: Feed = "turns") -> None:
        super().converse(transport, _REPLY.sub(r"S*: \1-...\nS: \1...", transcript), feed)

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


class LMTPTranscriptTestCase(TranscriptTestCase):
    factory_class = LMTPServerFactory
