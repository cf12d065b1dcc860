"""``mailproto queue``: what operators read, and what they change."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.awaiting import settle
from mailproto.backends import MemoryStore
from mailproto.interfaces import IQueue
from mailproto.model import (
    Address,
    Envelope,
    NewQueued,
    Outcome,
    QueueState,
    Recipient,
    RecipientResult,
    Session,
)
from mailproto.service._command_error import CommandError
from mailproto.service._queue_command import add_queue_actions

REASON = "mx.b.example: nobody answers"


class QueueCommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = MemoryStore()
        self.queue: IQueue = self.store.queue
        self.parser = ArgumentParser()
        actions = self.parser.add_subparsers()
        add_queue_actions(lambda name, text: actions.add_parser(name, description=text))
        for domain in ("b.example", "c.example"):
            self.wait(self.queue.add([self.new(f"x@{domain}", domain)]))

    def new(self, recipient: str, destination: str) -> NewQueued:
        name, _, domain = recipient.partition("@")
        recipients = (Recipient(Address(name, domain)),)
        session = Session("ESMTP", "client.example", "192.0.2.1", "client.example", account="alice")
        envelope = Envelope(f"id-{name}", Address("alice", "a.example"), recipients, session)
        return NewQueued(b"Subject: x\r\n\r\n", envelope, (destination,), time.time(), time.time() + 5000)

    def wait(self, result: Any) -> Any:
        async def settled() -> Any:
            return await settle(result)

        return self.successResultOf(Deferred.fromCoroutine(settled()))

    def command(self, *words: str) -> str:
        options = self.parser.parse_args(words)
        self.patch(sys, "stdout", output := io.StringIO())
        self.successResultOf(Deferred.fromCoroutine(options.run(self.store, options)))
        return output.getvalue()

    def failing(self, *words: str) -> tuple[str, str]:
        """What it prints, and its error."""
        options = self.parser.parse_args(words)
        self.patch(sys, "stdout", output := io.StringIO())
        failed = Deferred.fromCoroutine(options.run(self.store, options))
        return output.getvalue(), str(self.failureResultOf(failed, CommandError).value)

    def pause(self, seconds: float) -> None:
        self.wait(self.queue.pause("b.example", max(time.time() + seconds, 0), 3, REASON))

    def test_what_waits_for_a_destination_that_is_paused(self) -> None:
        self.pause(1000)
        _, paused, _, other, total = self.command("list").splitlines()
        self.assertRegex(
            paused, "<x@b.example> waiting, next try 2.*, b.example is paused: mx.b.example: nobody"
        )
        self.assertEqual(other, "    <x@c.example> waiting, next try now")
        self.assertEqual(total, "2 messages, 28 octets")
        shown = self.command("show", "--domain", "b.example")
        self.assertRegex(shown, f"the destination is paused until 2.*, after 3 failures in a row: {REASON}")
        self.assertRegex(shown, "next try: 2")
        self.assertIn("next try: now", self.command("show", "--domain", "c.example"))

    def test_the_same_for_programs(self) -> None:
        self.pause(1000)
        first, second = (json.loads(line) for line in self.command("list", "--json").splitlines())
        paused = first["recipients"][0]["paused"]
        self.assertEqual((paused["failures"], paused["reason"]), (3, REASON))
        self.assertIsNone(second["recipients"][0]["paused"])

    def test_a_pause_that_is_over(self) -> None:
        self.pause(-1)
        self.assertNotIn("paused", self.command("list"))
        self.assertNotIn("paused", self.command("show", "--sender", "alice"))

    def test_retry_ends_the_pause(self) -> None:
        self.pause(1000)
        self.assertEqual(self.command("retry", "--domain", "b.example"), "retry: 1 message\n")
        self.assertNotIn("paused", self.command("list"))

    def test_changes_need_a_filter(self) -> None:
        for action in ("hold", "release", "delete", "retry"):
            options = self.parser.parse_args([action])
            self.failureResultOf(Deferred.fromCoroutine(options.run(self.store, options)), CommandError)
        self.assertEqual(self.command("hold", "--recipient", "x@c"), "hold: 1 message\n")
        self.assertIn("<x@c.example> held", self.command("list", "--status", "held"))
        self.assertEqual(self.command("delete", "--all"), "delete: 2 messages\n")
        self.assertEqual(self.command("list"), "0 messages, 0 octets\n")

    def test_numbers_that_are_not_there(self) -> None:
        for action in ("hold", "release", "retry"):
            said = self.failing(action, "1", "98", "97")
            self.assertEqual(said, (f"{action}: 1 message\n", "not in the queue: 97, 98"))
        for action in ("list", "show"):
            printed, error = self.failing(action, "98", "1")
            self.assertIn("x@b.example", printed)
            self.assertEqual(error, "not in the queue: 98")
        printed, error = self.failing("delete", "1", "--sender", "eve@")
        self.assertEqual(printed, "delete: 0 messages\n")
        self.assertEqual(error, "not in the queue, or not as the options say: 1")

    def test_odd_filters(self) -> None:
        """An empty one, from a shell variable that is not set, must not mean all messages."""
        for words, text in (
            (("delete", "--domain", "", "--sender", "alice"), "argument --domain: it is empty"),
            (("hold", "--sender", " "), "argument --sender: it is empty"),
            (("retry", "--recipient="), "argument --recipient: it is empty"),
            (("list", "9" * 20), "must be a message's number"),
            (("list", "--", "-5"), "must be a message's number"),
            (("list", "1.5"), "must be a message's number"),
            (("list", "--age", "5w"), "'5w' must be a length of time: seconds such as 90"),
        ):
            self.patch(sys, "stderr", said := io.StringIO())
            self.assertRaises(SystemExit, self.parser.parse_args, words)
            self.assertIn(text, said.getvalue())
        self.assertEqual(self.failing("list", "9" * 18)[1], f"not in the queue: {'9' * 18}")
        self.assertIn("x@b.example", self.command("list", "--domain", " B.Example. "))

    def test_show_all(self) -> None:
        _, error = self.failing("show")
        self.assertEqual(error, "name messages to show by their numbers or a filter, or say --all")
        self.assertIn("to <x@c.example>: waiting\n", self.command("show", "--all"))

    def test_what_was_not_tried(self) -> None:
        """Its destination could not be reached, so nobody has said anything about it."""
        now = time.time()
        [lease] = self.wait(self.queue.lease("b.example", now=now, until=now + 60, messages=1, recipients=9))
        outcome = Outcome(451, "4.4.1", "No route to host")
        number = lease.message.recipients[0].number
        result = RecipientResult(number, QueueState.WAITING, outcome, "mx", now + 60, is_attempt=False)
        self.wait(self.queue.settle(lease, [result]))
        shown = self.command("show", str(lease.message.id))
        self.assertIn("        not tried, because: 451 4.4.1 No route to host\n", shown)

    def test_what_is_due_after_the_pause(self) -> None:
        new = replace(self.new("y@b.example", "b.example"), due=time.time() + 4000)
        self.wait(self.queue.add([new]))
        before = self.command("show", "3")
        self.pause(1000)
        [due] = re.findall("next try: (.*)", before)
        self.assertIn(f"next try: {due}\n", self.command("show", "3"))

    def test_what_is_held_does_not_wait_for_its_destination(self) -> None:
        self.pause(1000)
        self.command("hold", "1")
        self.assertIn("<x@b.example> held\n", self.command("list"))

    def test_stats_leave_out_destinations_without_mail(self) -> None:
        self.pause(-1)
        self.command("delete", "1")
        counts, recipients, *destinations = self.command("stats").splitlines()
        self.assertRegex(counts, "^1 message, 14 octets, oldest 2")
        self.assertRegex(recipients, r"^recipients: 1 waiting \(1 due now,")
        self.assertEqual(destinations, ["       1 c.example"])
        self.pause(1000)
        self.assertRegex(self.command("stats"), f"       0 b.example, paused until 2.*: {REASON}\n")
