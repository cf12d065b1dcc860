"""``mailproto queue``: an operator sees why mail waits and when it goes, and changes that."""

from __future__ import annotations

import contextlib
import io
import json
import re
import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import MemoryStore
from mailproto.model import Address, Envelope, NewQueued, QueueFilter, Recipient, Session
from mailproto.service._command import _parser
from mailproto.service._command_error import CommandError

WHEN = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
REASON = "mx.b.example: the connection was refused"


class QueueCommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = MemoryStore()
        self.queue = self.store.queue
        self.now = time.time()

    def wait_for(self, result: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(result))

    def add(self, *recipients: str, sender: str = "ann@here.example", due: float = 0.0) -> int:
        addresses = [Address.parse(each) for each in recipients]
        envelope = Envelope(
            "T1", Address.parse(sender), tuple(map(Recipient, addresses)), Session("ESMTP", "here.example")
        )
        destinations = tuple(each.domain for each in addresses)
        new = NewQueued(b"text\r\n", envelope, destinations, self.now, self.now + 9000, due=due)
        self.wait_for(self.queue.add([new]))
        number: int = self.wait_for(self.queue.find(QueueFilter()))[-1].id
        return number

    def pause(self, destination: str) -> None:
        self.wait_for(self.queue.pause(destination, self.now + 600, 3, REASON))

    def say(self, *words: str) -> str:
        """What the command prints."""
        options = _parser().parse_args(["queue", *words])
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.wait_for(options.run(self.store, options))
        return printed.getvalue()

    def fail_to_say(self, *words: str) -> tuple[str, str]:
        """What it prints, and the error."""
        options = _parser().parse_args(["queue", *words])
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            run = Deferred.fromCoroutine(options.run(self.store, options))
        return printed.getvalue(), str(self.failureResultOf(run, CommandError).value)

    # -- why it waits

    def test_what_is_due(self) -> None:
        number = self.add("bob@a.example")
        self.assertRegex(
            self.say("list"),
            rf"\A{number} {WHEN} 6 octets from <ann@here\.example>\n"
            r"    <bob@a\.example> waiting, next try now\n1 message, 6 octets\n\Z",
        )

    def test_a_destination_that_cannot_be_reached(self) -> None:
        number = self.add("bob@a.example", "eve@b.example")
        self.pause("b.example")
        listed = self.say("list")
        self.assertIn("<bob@a.example> waiting, next try now\n", listed)
        self.assertRegex(listed, rf"<eve@b\.example> waiting, next try {WHEN}, {REASON}\n")
        shown = self.say("show", str(number))
        self.assertRegex(shown, rf"could not be reached 3 times: {REASON}\n +next try: {WHEN}\n\Z")
        self.assertEqual(len(re.findall("could not be reached", shown)), 1)
        value = json.loads(self.say("list", "--json"))
        first, second = value["recipients"]
        self.assertEqual((first["paused_until"], first["paused_because"]), (None, None))
        self.assertEqual((second["paused_until"][:2], second["paused_because"]), ("20", REASON))

    def test_a_pause_that_is_over(self) -> None:
        self.add("eve@b.example")
        self.wait_for(self.queue.pause("b.example", self.now - 1, 3, REASON))
        self.assertIn("next try now\n", self.say("list"))

    def test_what_is_due_after_the_pause(self) -> None:
        self.add("eve@b.example", due=self.now + 90_000)
        self.pause("b.example")
        listed = self.say("list")
        [*_, due] = re.findall(WHEN, listed)
        self.assertEqual(due, time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.now + 90_000)))

    def test_what_is_held_does_not_wait_for_a_destination(self) -> None:
        number = self.add("eve@b.example")
        self.pause("b.example")
        self.say("hold", str(number))
        self.assertIn("<eve@b.example> held\n", self.say("list"))

    # -- numbers

    def test_numbers_that_are_not_there(self) -> None:
        number = self.add("bob@a.example")
        for action, done in (("hold", "hold: 1 message\n"), ("release", "release: 1 message\n")):
            said = self.fail_to_say(action, str(number), "98", "97")
            self.assertEqual(said, (done, "not in the queue: 97, 98"))
        for action in ("list", "show"):
            printed, error = self.fail_to_say(action, "98", str(number))
            self.assertIn("bob@a.example", printed)
            self.assertEqual(error, "not in the queue: 98")
        printed, error = self.fail_to_say("delete", str(number), "--sender", "eve@")
        self.assertEqual(
            (printed, error),
            ("delete: 0 messages\n", f"not in the queue, or not as the options say: {number}"),
        )

    def test_all_must_be_said(self) -> None:
        self.add("bob@a.example")
        for action in ("show", "hold", "delete", "retry", "release"):
            _, error = self.fail_to_say(action)
            self.assertEqual(error, f"name messages to {action} by their numbers or a filter, or say --all")
        self.assertIn("<bob@a.example>", self.say("show", "--all"))
        self.assertEqual(self.say("delete", "--all"), "delete: 1 message\n")
        self.assertEqual(self.say("list"), "0 messages, 0 octets\n")

    def test_flush_and_stats(self) -> None:
        self.add("bob@a.example", "eve@b.example", due=self.now + 500)
        self.pause("b.example")
        said = self.say("stats")
        self.assertIn("recipients: 2 waiting (0 due now, 0 tried in vain, 0 being sent), 0 held\n", said)
        self.assertRegex(said, rf"1 b\.example, paused until {WHEN}: {REASON}\n")
        self.assertEqual(self.say("flush"), "retry: 1 message\n")
        self.assertIn("(2 due now,", self.say("stats"))
