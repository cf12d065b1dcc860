"""What may go wrong: servers that do not behave, leases, the queue, and the end of the agent."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import ensureDeferred
from twisted.logger import capturedLogs, formatEvent

from mailproto.content import Content
from mailproto.errors import StorageFull
from mailproto.model import QueueChange, QueueState
from tests.relay.agent.world import World
from tests.smtp.client.network import serving

WAITING, SENT, FAILED = QueueState.WAITING, QueueState.SENT, QueueState.FAILED


class BadServerTests(World):
    def setUp(self) -> None:
        super().setUp()
        self.agent.start()

    def is_delivered_later(self, seconds: float) -> None:
        """The message is not lost, and arrives once the server is well."""
        self.send("bob@there.example")
        self.run_for(seconds)
        self.assertEqual(self.arrived, [])
        self.assertTrue(self.lines)
        self.servers.clear()
        self.run_for(4000)
        self.assertEqual(self.arrived, ["bob@there.example"])

    def test_it_accepts_connections_and_never_answers(self) -> None:
        self.servers["10.0.0.1"] = serving(greeting="silent")
        self.is_delivered_later(320)
        self.assertRegex(self.lines[0], "^unreached .*no answer|^unreached .*Timed out|^unreached .*300")

    def test_it_falls_silent_at_each_stage(self) -> None:
        for stage, seconds in {"EHLO": 300, "MAIL": 300, "RCPT": 300, "DATA": 120, "final": 600}.items():
            with self.subTest(stage=stage):
                self.lines.clear()
                self.network.taken.clear()
                self.servers["10.0.0.1"] = serving(**{stage: "silent"})
                self.send("bob@there.example")
                self.run_for(2 * seconds + 20)
                self.assertTrue(self.lines, stage)
                self.servers.clear()
                self.run_for(4000)
                self.assertIn("bob@there.example", self.arrived)

    def test_it_says_what_no_reply_is(self) -> None:
        for stage in ("greeting", "EHLO", "MAIL", "RCPT", "DATA"):
            with self.subTest(stage=stage):
                self.lines.clear()
                self.network.taken.clear()
                self.servers["10.0.0.1"] = serving(**{stage: "garbage"})
                self.is_delivered_later(20)

    def test_its_replies_never_end(self) -> None:
        self.servers["10.0.0.1"] = serving(EHLO="250-" + "x" * 20_000)
        self.is_delivered_later(20)
        self.assertRegex(self.lines[0], "^unreached ")

    def test_it_has_no_end_of_lines(self) -> None:
        self.servers["10.0.0.1"] = serving(EHLO="\r\n".join(["250-mx"] * 5000))
        self.is_delivered_later(20)

    def test_it_drops_the_connection_in_the_content(self) -> None:
        self.servers["10.0.0.1"] = serving(content="close")
        self.is_delivered_later(20)


class ContentTests(World):
    def test_a_message_whose_content_is_gone_is_returned(self) -> None:
        self.queue.contents["GONE"] = Content.of_file("/nowhere/body", 100)
        self.agent.start()
        self.send("bob@there.example", id="GONE")
        self.run_for(5)
        [(state, outcome)] = self.states("bob@there.example")
        self.assertEqual((state, outcome.code, outcome.enhanced), (FAILED, 554, "5.3.0"))
        self.assertRegex(self.lines[0], "^given-up id=GONE .*lost the content")
        [report] = self.reports()
        self.assertIn("it has to be sent again", report)

    def test_the_others_are_sent(self) -> None:
        self.queue.contents["GONE"] = None
        self.send("bob@there.example", id="GONE")
        self.send("carol@there.example")
        self.agent.start()
        self.run_for(5)
        self.assertIn("carol@there.example", self.arrived)


class QueueTests(World):
    def test_results_that_cannot_be_noted_are_noted_later(self) -> None:
        self.queue.failures = [StorageFull()] * 5
        self.agent.start()
        self.send("bob@there.example")
        self.run_for(3)
        self.assertEqual(self.queue.done, [])
        self.run_for(60)
        self.assertEqual([state for state, _ in self.states("bob@there.example")], [SENT])
        self.assertEqual(self.arrived, ["bob@there.example"])

    def test_a_full_disk_does_not_fill_the_log(self) -> None:
        """It may be on the same disk."""
        for number in range(50):
            self.send(f"user{number}@there.example", id=f"N{number}")
        self.queue.failures = [StorageFull()] * 300
        self.agent.start()
        with capturedLogs() as events:
            self.run_for(100)
        lines = [formatEvent(event) or "" for event in events]
        lines = [line for line in lines if "cannot be noted now" in line]
        self.assertEqual(len(self.queue.done), 50)
        self.assertLess(len(lines), 5)
        self.assertIn(": Insufficient system storage", lines[0])
        self.assertIn(" more attempts to note results failed", lines[-1])

    def test_also_after_a_fault(self) -> None:
        self.queue.failures = [ZeroDivisionError()]
        self.agent.start()
        self.send("bob@there.example")
        self.run_for(60)
        self.assertEqual(self.arrived, ["bob@there.example"])
        self.assertEqual([state for state, _ in self.states("bob@there.example")], [SENT])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_lease_is_renewed_while_a_message_is_sent(self) -> None:
        self.limits = replace(self.limits, lease=40)
        self.servers["10.0.0.1"] = serving(final="200.0|250 OK")
        self.send("bob@there.example")
        self.make_agent().start()
        self.make_agent().start()  # another one, which would take it over
        self.run_for(210)
        self.assertEqual(self.arrived, ["bob@there.example"])
        self.assertGreaterEqual(self.queue.renewals, 4)

    def test_that_an_operator_deletes_it_meanwhile_does_no_harm(self) -> None:
        self.servers["10.0.0.1"] = serving(final="10.0|250 OK")
        self.agent.start()
        self.send("bob@there.example")
        self.run_for(5)
        self.successResultOf(ensureDeferred(self.queue.change([1], QueueChange.DELETE)))
        self.run_for(20)
        self.assertEqual(self.queue.done, [])
        self.stop()

    def test_agents_share_a_queue(self) -> None:
        for number in range(100):
            self.send(f"user{number}@domain{number % 5}.example")
        for _ in range(3):
            self.make_agent().start()
        self.run_for(20)
        self.assertEqual(len(self.arrived), 100)
        self.assertEqual(len(set(self.arrived)), 100)


class StopTests(World):
    def test_what_is_being_sent_is_finished(self) -> None:
        self.servers["10.0.0.1"] = serving(final="10.0|250 OK")
        self.limits = replace(self.limits, destination_connections=1)
        self.agent = self.make_agent()
        for number in range(10):
            self.send(f"user{number}@there.example")
        self.agent.start()
        self.run_for(5)
        done = self.agent.stop()
        self.assertNoResult(done)
        self.run_for(30)
        self.successResultOf(done)
        self.assertEqual(len(self.queue.done), len(self.arrived))
        self.assertLessEqual(len(self.arrived), 2)
        counts = self.counts()
        self.assertEqual((counts.messages, counts.leased), (10 - len(self.arrived), 0))
        self.assertEqual(self.network.open_connections, [])
        self.assertEqual(self.network.getDelayedCalls(), [])

    def test_it_waits_no_longer_than_it_may(self) -> None:
        self.servers["10.0.0.1"] = serving(final="silent")
        self.send("bob@there.example")
        self.agent.start()
        self.run_for(5)
        done = self.agent.stop()
        self.run_for(21)
        self.successResultOf(done)
        [(state, outcome)] = self.states("bob@there.example")
        self.assertEqual((state, outcome.enhanced), (WAITING, "4.4.2"))

    def test_connections_that_are_being_opened_are_given_up(self) -> None:
        self.servers["10.0.0.1"] = serving(connect="silent")
        self.send("bob@there.example")
        self.agent.start()
        self.run_for(5)
        done = self.agent.stop()
        self.run_for(1)
        self.successResultOf(done)
        counts = self.counts()
        self.assertEqual((counts.messages, counts.leased), (1, 0))
        self.assertEqual(self.network.getDelayedCalls(), [])

    def test_a_full_disk_does_not_hold_it_up_for_ever(self) -> None:
        self.queue.failures = [StorageFull()] * 50
        self.send("bob@there.example")
        self.agent.start()
        self.run_for(5)
        done = self.agent.stop()
        self.assertNoResult(done)
        self.run_for(10)
        self.successResultOf(done)

    def test_before_the_start_there_is_nothing_to_stop(self) -> None:
        self.successResultOf(self.agent.stop())
