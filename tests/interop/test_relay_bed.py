"""The relay loses nothing and doubles nothing, whatever other servers do, and however often it is killed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.interop.relay_bed.bed import Plan, run_bed
from tests.interop.relay_bed.hosts import Arrival, Record
from tests.interop.relay_bed.judging import Kill, judge
from tests.interop.relay_bed.sending import Message

reactor: Any = installed

REPORT = b"""Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.bed.example

Final-Recipient: rfc822; %b
Action: failed

--x
Content-Type: text/rfc822-headers

Message-ID: <1@bed>

--x--
"""


class RelayBedTests(TestCase):
    timeout = 150  # seconds; some 15 on a machine that does nothing else

    async def test_each_message_arrives_once_or_comes_back_once(self) -> None:
        """Some hundred messages to some tens of domains, with three kills; see `tests.interop.relay_bed`."""
        found = await run_bed(reactor, Plan(messages=320, domains=40, kills=3, between=0.8))
        self.assertEqual(found.verdict.faults, [])
        self.assertEqual(found.traceback, "", found.traceback)
        self.assertEqual(len(found.kills), 3)
        self.assertEqual(found.refusals, [])
        for host in ("slow", "greylisting", "tired", "dropping", "broken TLS", "refusing"):
            self.assertGreater(found.record.faults[host], 0, host)
        for host in ("trusted", "other name", "own"):
            self.assertGreater(found.record.in_tls[host], 0, host)
        self.assertGreater(found.verdict.bounced, 50)
        self.assertGreater(found.verdict.arrived, 150)


class JudgeTests(SynchronousTestCase):
    """The judge finds what it is there for."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.record = Record(self.clock)

    def faults(self, domain: str, *, reports: int = 0, kills: Sequence[Kill] = ()) -> list[str]:
        recipient = f"r@{domain}"
        report = REPORT % recipient.encode()
        verdict = judge(
            [Message("1@bed", [recipient], is_accepted=True)], self.record, [report] * reports, kills
        )
        return [fault.partition(":")[0] for fault in verdict.faults]

    def arrive(self, domain: str, *, is_answered: bool = True) -> None:
        self.record.arrived(b"Message-ID: <1@bed>\r\n\r\n", [f"r@{domain}"], is_answered=is_answered)

    def test_what_may_be(self) -> None:
        self.arrive("plain-1")
        self.assertEqual(self.faults("plain-1"), [])
        self.assertEqual(self.faults("null-1", reports=1), [])

    def test_what_is_lost_or_comes_back(self) -> None:
        self.assertEqual(self.faults("plain-1"), ["lost"])
        self.assertEqual(self.faults("plain-1", reports=1), ["came back, but must not"])
        self.assertEqual(self.faults("null-1", reports=2)[0], "0 times, 2 reports, 0 lost replies")

    def test_what_arrives_twice(self) -> None:
        for is_answered, kills, faults in (
            (True, [], ["2 times, 0 reports, 0 lost replies"]),
            (True, [Kill(50, 49, 52)], ["2 times, 0 reports, 0 lost replies"]),
            (True, [Kill(1, 0, 3)], []),
            (False, [], []),
        ):
            self.arrive("plain-1", is_answered=is_answered)
            self.clock.advance(10)
            self.arrive("plain-1")
            self.assertEqual(self.faults("plain-1", kills=kills), faults)
            self.clock.advance(-10)

    def test_losses_are_all_told_and_come_first(self) -> None:
        messages = [Message(f"{number}@bed", ["r@plain-1"], is_accepted=True) for number in range(200)]
        for message in messages[:100]:
            for _ in range(2):
                self.record.arrived(f"Message-ID: <{message.id}>\r\n\r\n".encode(), message.recipients)
        faults = judge(messages, self.record, [], []).faults
        self.assertEqual([fault[:4] for fault in faults[:100]], ["lost"] * 100)
        self.assertEqual([fault[:7] for fault in faults[100:120]], ["2 times"] * 20)
        self.assertEqual(faults[120:], ["and 80 more"])


class KillTests(SynchronousTestCase):
    """Which final replies the server may not have noted when it was killed."""

    def since(self, at: float, *signs: float) -> float:
        return Kill.of(at, signs, at + 1).since

    def test_while_it_works(self) -> None:
        self.assertEqual(self.since(10.0, 8.0, 8.5, 9.0, 9.9), 8.9)

    def test_while_it_stands_still(self) -> None:
        self.assertEqual(self.since(25.0, 9.0, 9.5, 9.9), 8.9)

    def test_just_after_it_stood_still(self) -> None:
        """What was said to it before, it has only just heard."""
        self.assertEqual(self.since(25.0, 9.0, 9.9, 24.9), 8.9)
        self.assertEqual(self.since(26.0, 9.0, 9.9, 24.9, 25.8), 24.8)

    def test_before_it_has_done_anything(self) -> None:
        self.assertEqual(self.since(10.0), 9.0)
        self.assertEqual(self.since(10.0, 4.0), 3.0)

    def test_until_its_successor_is_ready(self) -> None:
        kill = Kill.of(10.0, [9.0, 9.9], 15.0)
        for at, explained in ((8.8, False), (9.0, True), (14.9, True), (15.1, False)):
            self.assertEqual(kill.explains(Arrival(at, is_answered=True)), explained, at)
