"""Values of the queue that cannot be are refused when they are made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailproto.content import Content
from mailproto.model import (
    Address,
    DestinationState,
    Envelope,
    Lease,
    NewQueued,
    Outcome,
    Placement,
    QueueCounts,
    QueuedMessage,
    QueuedRecipient,
    QueueFilter,
    QueueState,
    Recipient,
    RecipientResult,
    Session,
)
from tests.arguments import assert_refused

BOB = Recipient(Address("b", "y.example"))
ENVELOPE = Envelope("T1", Address("a", "x.example"), (BOB, BOB), Session("ESMTP", "mx.example"))
NEW = NewQueued(b"text", ENVELOPE, ("y.example", None), 1.0, 2.0)
BUSY = Outcome(451, "4.3.0", "Busy")
RESULT = RecipientResult(0, QueueState.WAITING, BUSY)
TO = QueuedRecipient(0, BOB, "y.example", QueueState.WAITING, 1.0)
QUEUED = QueuedMessage(1, ENVELOPE, (TO,), 1.0, 2.0, 0, 4)


class QueueValueTests(SynchronousTestCase):
    def refused(self, line: str, value: Any, **wrong: Any) -> None:
        """``value`` with another field is refused."""
        with self.subTest(line=line):
            assert_refused(self, line, replace, value, **wrong)

    def test_new_messages(self) -> None:
        each = "a tuple with a str or None for each of the envelope's recipients"
        for line, wrong in (
            ("content must be octets or a Content, not 'text': write text.encode()", {"content": "text"}),
            ("envelope must be an Envelope, not None", {"envelope": None}),
            (f"destinations must be {each}, not ['a', 'b']", {"destinations": ["a", "b"]}),
            (f"destinations must be {each}, not ('a',)", {"destinations": ("a",)}),
            ("each of destinations must be a str of one line, not b'a'", {"destinations": (b"a", "b")}),
            ("each of destinations must be a str of one line, not 'a\\nb'", {"destinations": ("a\nb", "b")}),
            ("each of destinations must be a str that is not empty, or None...", {"destinations": ("", "b")}),
            ("each of destinations must be a str without surrogates...", {"destinations": ("\udc80", "b")}),
            ("placements must be a tuple of Placement, not []", {"placements": []}),
            ("placements must be a tuple of Placement, not ('alice',)", {"placements": ("alice",)}),
            ("arrived must be a number of seconds of at least 0, not '1'", {"arrived": "1"}),
            ("expires must be a number of seconds of at least 0, not nan", {"expires": float("nan")}),
            ("due must be a number of seconds of at least 0, not -1", {"due": -1}),
            ("due must be a number of seconds of at least 0, not True", {"due": True}),
            ("skip must be a whole number of at least 0, not 1.5", {"skip": 1.5}),
            ("skip must be at most the content's 4 octets, not 5", {"skip": 5}),
            ("priority must be a whole number from -9 to 9, not 10", {"priority": 10}),
            ("priority must be a whole number from -9 to 9, not '1'", {"priority": "1"}),
            ("share must be a str of one line, not None", {"share": None}),
            ("share must be a str of one line, not 'a\\x00b'", {"share": "a\0b"}),
        ):
            self.refused(line, NEW, **wrong)

    def test_new_messages_that_are_unusual(self) -> None:
        for right in (
            {"content": Content(b"text"), "skip": 4},
            {"destinations": (None, None), "placements": (Placement("alice"),)},
            {"destinations": ("a b\u00a0\u200b", "[2001:db8::1]")},
            {"arrived": 0, "due": 10**9, "priority": -9},
            {"share": "caf\u00e9 \U0001f600"},
        ):
            made = replace(NEW, **right)  # type: ignore[arg-type]
            self.assertEqual({name: getattr(made, name) for name in right}, right)

    def test_results(self) -> None:
        states = "QueueState.WAITING, QueueState.SENT or QueueState.FAILED"
        for line, wrong in (
            ("number must be a whole number of at least 0, not -1", {"number": -1}),
            (f"state must be {states}, not 'sent'", {"state": "sent"}),
            (f"state must be {states}, not <QueueState.HELD: 'held'>", {"state": QueueState.HELD}),
            ("outcome must be an Outcome, not 250", {"outcome": 250}),
            ("host must be a str, not None", {"host": None}),
            ("due must be a number of seconds of at least 0, not inf", {"due": float("inf")}),
            ("is_attempt must be True or False, not 1", {"is_attempt": 1}),
            ("is_reported_late must be True or False, not None", {"is_reported_late": None}),
        ):
            self.refused(line, RESULT, **wrong)

    def test_what_queues_return(self) -> None:
        for line, value, wrong in (
            ("number must be a whole number of at least 0, not '0'", TO, {"number": "0"}),
            ("recipient must be a Recipient, not 'bob'", TO, {"recipient": "bob"}),
            ("state must be a QueueState, not 0", TO, {"state": 0}),
            ("due must be a number of seconds of at least 0, not None", TO, {"due": None}),
            ("outcome must be an Outcome or None, not ''", TO, {"outcome": ""}),
            ("id must be a whole number of at least 0, not 'Q1'", QUEUED, {"id": "Q1"}),
            ("recipients must be a tuple of QueuedRecipient, not []", QUEUED, {"recipients": []}),
            (
                "content must be a Content or None, not b'': write Content(octets)",
                QUEUED,
                {"content": b""},
            ),
            ("token must be a whole number of at least 0, not None", Lease(1, QUEUED, 2.0), {"token": None}),
            ("message must be a QueuedMessage, not 1", Lease(1, QUEUED, 2.0), {"message": 1}),
            ("until must be a number of seconds of at least 0, not 'x'", Lease(1, QUEUED, 2), {"until": "x"}),
            ("destination must be a str, not None", DestinationState("a", 0, 1), {"destination": None}),
            (
                "waiting must be a whole number of at least 0, not -1",
                DestinationState("a", 0, 1),
                {"waiting": -1},
            ),
            (
                "held must be a whole number of at least 0, not None",
                QueueCounts(0, 0, 0, 0, 0, 0, 0, None),
                {"held": None},
            ),
        ):
            self.refused(line, value, **wrong)

    def test_filters(self) -> None:
        nothing = QueueFilter()
        for line, wrong in (
            ("ids must be a list of numbers, or None, not 5", {"ids": 5}),
            ("each of ids must be a whole number of at least 0, not '5'", {"ids": ["5"]}),
            ("sender must be a str, not None", {"sender": None}),
            ("state must be a QueueState or None, not 'held'", {"state": "held"}),
            ("is_deferred must be True or False, not 'no'", {"is_deferred": "no"}),
            ("arrived_before must be a number of seconds of at least 0, not -5", {"arrived_before": -5}),
        ):
            self.refused(line, nothing, **wrong)
