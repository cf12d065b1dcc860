"""The relay loses nothing and doubles nothing, whatever other servers do, and however often it is killed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.interop.relay_bed.bed import Plan, run_bed
from tests.interop.relay_bed.hosts import Record
from tests.interop.relay_bed.judging import judge
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
        self.assertEqual(found.traceback, "")
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

    def faults(self, domain: str, *, reports: int = 0, kills: Sequence[float] = ()) -> list[str]:
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
            (True, [50.0], ["2 times, 0 reports, 0 lost replies"]),
            (True, [1.0], []),
            (False, [], []),
        ):
            self.arrive("plain-1", is_answered=is_answered)
            self.clock.advance(10)
            self.arrive("plain-1")
            self.assertEqual(self.faults("plain-1", kills=kills), faults)
            self.clock.advance(-10)
