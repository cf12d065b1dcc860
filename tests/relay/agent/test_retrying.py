"""Messages that cannot be sent at once: when they are tried again, where, and when they are given up."""

from __future__ import annotations

from itertools import pairwise

from twisted.internet.defer import ensureDeferred

from mailproto.errors import Refused
from mailproto.model import QueueState
from mailproto.relay._dns import DNSFailure
from tests.relay.agent.world import World
from tests.smtp.client.network import serving

WAITING, SENT, FAILED = QueueState.WAITING, QueueState.SENT, QueueState.FAILED


class ScheduleTests(World):
    def test_the_wait_grows_with_the_age(self) -> None:
        self.servers["10.0.0.1"] = serving(RCPT="450 4.2.0 Later")
        self.agent.start()
        self.send("bob@there.example")
        began = self.network.seconds()
        self.run_for(6 * 3600)
        events = [event for event in self.witness.relayed_ if event.id == "M1"]
        times = [round(event.seconds) for event in events]
        gaps = [after - before for before, after in pairwise(times)]
        for gap, expected in zip(gaps, [60, 60, 120, 240, 480, 960], strict=False):
            self.assertLess(abs(gap - expected), 7)
        self.assertLessEqual(max(gaps), 3600)
        self.assertEqual({event.due > began for event in events}, {True})

    def test_greylisting_costs_one_attempt(self) -> None:
        self.servers["10.0.0.1"] = serving(RCPT="450 4.7.1 Greylisted, come back in a minute")
        self.agent.start()
        self.send("bob@there.example", id="GREY")
        self.run_for(10)
        self.servers.clear()
        self.run_for(60)
        self.assertEqual(self.arrived, ["bob@there.example"])
        self.assertEqual([state for state, _ in self.states("bob@there.example")], [WAITING, SENT])
        self.assertRegex(
            self.lines[0],
            r'^delayed id=GREY .*reply="450 4.7.1 Greylisted, come back in a minute" .*attempt=1 '
            r"next=1970-01-12T13:47:40Z$",
        )
        self.assertRegex(self.lines[1], r"^sent id=GREY .*delay=60\.\d+ attempt=2$")

    def test_a_message_is_given_up_after_five_days(self) -> None:
        self.servers["10.0.0.1"] = serving(RCPT="450 4.2.2 Mailbox full")
        self.agent.start()
        self.send("bob@there.example", id="OLD")
        self.run_for(5 * 86400 - 10)
        self.assertNotIn(FAILED, [state for state, _ in self.states("bob@there.example")])
        self.run_for(20)
        state, outcome = self.states("bob@there.example")[-1]
        self.assertEqual((state, outcome.code, outcome.enhanced), (FAILED, 554, "5.4.7"))
        self.assertEqual(outcome.text, "Given up after 5 days; the last reply: 450 4.2.2 Mailbox full")
        self.assertEqual(
            [line.partition(" ")[0] for line in self.lines[-3:]], ["given-up", "reported", "sent"]
        )
        self.assertEqual(self.lines[-2], "reported id=OLD report=report1 recipient=<alice@home.example>")
        self.assertIn("To: <alice@home.example>", self.reports()[-1])
        self.assertIn("Status: 5.4.7", self.reports()[-1])
        self.assertIn("X-mailproto; 554 5.4.7 Given up after 5 days", " ".join(self.reports()[-1].split()))
        self.assertNotIn("said: 554", self.reports()[-1])  # this server has said so

    def test_a_held_message_is_not_late_or_old_when_its_time_comes(self) -> None:
        """Its sender had it held for a week (FUTURERELEASE)."""
        self.servers["10.0.0.1"] = serving(RCPT="450 4.2.2 Mailbox full")
        self.agent.start()
        hold = 7 * 86400
        self.send("bob@there.example", parameters={"HOLDFOR": str(hold)}, due=self.network.seconds() + hold)
        self.run_for(hold + 3600)
        self.assertEqual({state for state, _ in self.states("bob@there.example")}, {WAITING})
        self.assertGreater(len(self.states("bob@there.example")), 4)
        self.assertEqual(self.reports(), [])
        self.run_for(4 * 3600)
        self.assertIn("Action: delayed", self.reports()[0])
        self.run_for(5 * 86400)
        self.assertIs(self.states("bob@there.example")[-1][0], FAILED)

    def test_what_an_operator_can_mend_is_tried_again(self) -> None:
        """530: this server has to use TLS, or to sign in."""
        self.agent.start()
        for stage in ("MAIL", "RCPT", "DATA"):
            self.network.taken.clear()
            self.lines.clear()
            self.servers["10.0.0.1"] = serving(**{stage: "530 5.7.0 Must issue a STARTTLS command first"})
            self.send("bob@there.example")
            self.run_for(10)
            reply = 'reply="451 4.7.0 530 5.7.0 Must issue a STARTTLS command first"'
            self.assertRegex(self.lines[0], f"^(delayed|unreached) .*{reply}")
            self.servers.clear()
            self.run_for(4000)
            self.assertEqual(self.arrived, ["bob@there.example"])
        self.assertEqual(self.reports(), [])

    def test_a_refusal_is_final(self) -> None:
        self.servers["10.0.0.1"] = serving(RCPT=["250 OK", "550 5.1.1 No such user"])
        self.agent.start()
        self.send("bob@there.example", "nobody@there.example")
        self.run_for(10)
        self.assertEqual([state for state, _ in self.states("bob@there.example")], [SENT])
        self.assertEqual([state for state, _ in self.states("nobody@there.example")], [FAILED])
        [report] = self.reports()
        self.assertIn("Final-Recipient: rfc822;nobody@there.example", report)
        self.assertIn("There is no such mailbox: check how the address is spelled.", report)
        self.assertNotIn("bob@", report.partition("message/rfc822")[0])

    def test_a_message_whose_last_reply_was_lost_is_sent_again(self) -> None:
        self.servers["10.0.0.1"] = serving(final="close")
        self.agent.start()
        self.send("bob@there.example")
        self.run_for(5)
        [(state, outcome)] = self.states("bob@there.example")
        self.assertEqual((state, outcome.enhanced), (WAITING, "4.4.2"))
        self.servers.clear()
        self.run_for(90)
        self.assertEqual(self.arrived, ["bob@there.example"] * 2)

    def test_421_in_the_middle_is_tried_again(self) -> None:
        self.servers["10.0.0.1"] = serving(RCPT="421 4.3.2 Shutting down|close")
        self.agent.start()
        self.send("bob@there.example")
        self.run_for(5)
        self.servers.clear()
        self.run_for(90)
        self.assertEqual(self.arrived, ["bob@there.example"])
        self.assertEqual(self.states("bob@there.example")[0][1].code, 421)


class NextServerTests(World):
    def setUp(self) -> None:
        super().setUp()
        self.domains["there.example"] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
        self.agent.start()

    def goes_to_the_second(self) -> None:
        self.send("bob@there.example")
        self.run_for(40)
        self.assertEqual(self.arrived, ["bob@there.example"])
        self.assertEqual([each.host for each in self.network.connections][-1], "10.0.0.2")
        self.assertEqual(len(self.states("bob@there.example")), 1)

    def test_after_one_that_is_not_there(self) -> None:
        self.servers["10.0.0.1"] = serving(connect="refuse")
        self.goes_to_the_second()
        self.send("carol@there.example")  # which is not tried at the first one again
        self.run_for(1)
        self.assertEqual(self.asked().count("10.0.0.1"), 1)

    def test_after_one_that_does_not_answer(self) -> None:
        self.servers["10.0.0.1"] = serving(connect="silent")
        self.goes_to_the_second()

    def test_after_one_that_greets_with_a_refusal(self) -> None:
        for reply in ("421 4.3.2 Busy|close", "450 4.7.0 Later", "554 5.7.1 Go away"):
            with self.subTest(reply=reply):
                self.servers["10.0.0.1"] = serving(greeting=reply)
                self.network.taken.clear()
                self.queue.done.clear()
                self.goes_to_the_second()

    def test_after_one_that_refuses_ehlo(self) -> None:
        self.servers["10.0.0.1"] = serving(EHLO="450 4.7.0 Not now")
        self.goes_to_the_second()

    def test_after_one_that_refuses_mail_for_now(self) -> None:
        self.servers["10.0.0.1"] = serving(MAIL="452 4.3.1 Insufficient storage")
        self.goes_to_the_second()

    def test_if_none_wants_it_now_it_waits(self) -> None:
        for number in (1, 2, 3):
            self.servers[f"10.0.0.{number}"] = serving(MAIL=f"452 4.3.1 Full at {number}")
        self.send("bob@there.example")
        self.run_for(40)
        self.assertEqual(self.asked(), ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
        [(state, outcome)] = self.states("bob@there.example")
        self.assertEqual((state, outcome.text), (WAITING, "Full at 3"))
        self.servers.clear()
        self.run_for(60)
        self.assertEqual(self.arrived, ["bob@there.example"])

    def test_what_a_server_says_about_recipients_counts(self) -> None:
        self.servers["10.0.0.1"] = serving(RCPT="550 5.1.1 No such user")
        self.send("bob@there.example")
        self.run_for(5)
        self.assertEqual(self.asked(), ["10.0.0.1"])
        self.assertEqual([state for state, _ in self.states("bob@there.example")], [FAILED])

    def serve_all(self, **script: str) -> None:
        for number in (1, 2, 3):
            self.servers[f"10.0.0.{number}"] = serving(**script)

    def test_if_no_greeting_is_friendly_it_waits(self) -> None:
        """It is about our address, and can be mended."""
        self.serve_all(greeting="554 5.7.1 No mail from you")
        self.send("bob@there.example")
        self.run_for(5)
        self.assertEqual(self.asked(), ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
        self.assertEqual(self.states("bob@there.example"), [])
        [unreached] = self.witness.unreached_
        self.assertEqual((unreached.outcome.code, unreached.outcome.enhanced), (451, "4.7.1"))
        self.assertEqual(unreached.outcome.text, "mx1.there.example[10.0.0.1]: 554 5.7.1 No mail from you")
        self.serve_all()
        self.run_for(100)
        self.assertEqual(self.arrived, ["bob@there.example"])

    def test_if_all_refuse_us_for_good_it_fails(self) -> None:
        for script, enhanced in (
            ({"greeting": "521 No mail here"}, "5.0.0"),
            ({"EHLO": "550 5.7.1 Go", "HELO": "550 5.7.1 Go"}, "5.7.1"),
        ):
            self.serve_all(**script)
            self.send("bob@there.example")
            self.run_for(5)
            (state, outcome) = self.states("bob@there.example")[-1]
            self.assertEqual((state, outcome.enhanced), (FAILED, enhanced))

    def test_so_many_servers_are_tried(self) -> None:
        self.domains["there.example"] = [f"10.0.1.{number}" for number in range(20)]
        self.servers.update({f"10.0.1.{number}": serving(connect="refuse") for number in range(20)})
        self.send("bob@there.example")
        self.run_for(5)
        self.assertEqual(len(self.asked()), 5)


class DeadDestinationTests(World):
    def setUp(self) -> None:
        super().setUp()
        self.servers["10.0.0.1"] = serving(connect="refuse")
        self.agent.start()

    def test_it_is_left_alone_for_twice_as_long_each_time(self) -> None:
        for number in range(30):
            self.send(f"user{number}@there.example")
        self.run_for(4 * 3600 - 100)
        self.assertEqual(
            [round(event.due) for event in self.witness.unreached_][:3],
            [round(1_000_000 + each) for each in (60, 180, 420)],
        )
        failures = [event.failures for event in self.witness.unreached_]
        self.assertEqual(failures, list(range(1, len(failures) + 1)))
        gaps = [b.due - a.due for a, b in pairwise(self.witness.unreached_)]
        self.assertLessEqual(max(gaps), 3601)
        self.assertEqual(len(self.asked()), len(failures))  # one connection for each
        self.assertEqual(self.queue.done, [])  # no message was touched
        self.assertRegex(
            self.lines[0],
            r"^unreached destination=there.example host=mx1.there.example "
            r'reply="451 4.4.1 Cannot connect to mx1.there.example:25 .*" failures=1 '
            r"next=1970-01-12T13:47:40Z$",
        )

    def test_when_it_is_back_everything_is_sent(self) -> None:
        for number in range(30):
            self.send(f"user{number}@there.example")
        self.run_for(600)
        self.servers.clear()
        self.run_for(600)
        self.assertEqual(len(self.arrived), 30)
        self.assertEqual(self.queue.paused["there.example"], 0)
        self.assertEqual({result.is_attempt for _, result in self.queue.done}, {True})

    def test_its_messages_are_given_up_in_time(self) -> None:
        for number in range(30):
            self.send(f"user{number}@there.example", id=f"M{number}")
        self.run_for(3 * 86400)
        self.send("young@there.example")
        self.run_for(2 * 86400 + 3700)
        failed = [address for address, result in self.queue.done if result.state is FAILED]
        self.assertEqual(len(failed), 30)
        self.assertNotIn("young@there.example", failed)
        [(_, outcome), *_] = [each for each in self.states("user0@there.example") if each[0] is FAILED]
        self.assertIn(
            "Given up after 5 days; the last reply: 451 4.4.1 Cannot connect to mx1.there.example:25 (10",
            outcome.text,
        )

    def test_deadlines_that_follow_one_another_are_all_kept(self) -> None:
        """They end the pause early: that makes the next one no longer."""
        given_up = 0
        for second in range(0, 5000, 100):
            if second < 2000:
                self.send(f"user{second}@there.example", parameters={"BY": "2000;R"}, id=f"M{second}")
            self.run_for(100)
            given_up = sum(result.state is FAILED for _, result in self.queue.done)
            over = max(min(second - 2000, 2000) // 100, 0)  # the deadlines of 100 seconds ago and before
            self.assertGreaterEqual(given_up, over)
        self.assertEqual(given_up, 20)
        self.assertLess(max(event.failures for event in self.witness.unreached_), 9)

    def test_their_senders_are_told_that_they_are_late(self) -> None:
        self.send("bob@there.example")
        self.run_for(4 * 3600 - 60)
        self.assertEqual(self.reports(), [])
        self.run_for(120)
        [report] = self.reports()
        self.assertIn("Subject: Your message is delayed", report)
        self.assertIn("Action: delayed", report)
        self.run_for(86400)
        self.assertEqual(len([each for each in self.reports() if "bob@" in each]), 1)

    def test_all_are_told_in_time(self) -> None:
        """Also those that are behind others in the queue, or have come during a pause; no try is added."""
        for number in range(300):
            self.send(f"user{number}@there.example", id=f"M{number}")
        self.run_for(2 * 3600)
        failures = len(self.witness.unreached_)
        for number in range(300, 400):
            self.send(f"user{number}@there.example", id=f"M{number}", parameters={"BY": "600;N"})
            self.send(f"gone{number}@there.example", id=f"G{number}", parameters={"BY": "600;R"})
        self.run_for(605)
        delayed = [each for each in self.reports() if "Action: delayed" in each]
        self.assertEqual((len(delayed), len(self.reports())), (100, 200))
        self.assertIn("Status: 4.4.1", delayed[0])
        self.run_for(2 * 3600 - 610)
        self.assertEqual(len(self.reports()), 200)
        self.run_for(10)
        self.assertEqual(len(self.reports()), 500)
        self.assertLess(len(self.witness.unreached_) - failures, 5)
        self.servers.clear()
        self.run_for(4000)
        self.assertEqual(len([each for each in self.arrived if "there" in each]), 400)

    def test_another_process_may_have_paused_it(self) -> None:
        self.send("bob@there.example")
        self.run_for(3 * 3600)
        self.stop()
        self.agent = self.make_agent()
        until = max(self.queue.paused.values())
        self.successResultOf(ensureDeferred(self.queue.pause("there.example", until + 3 * 3600, 9)))
        self.agent.start()
        self.run_for(3601)
        self.assertEqual(len(self.reports()), 1)
        self.assertIn("No server of the domain could be reached", " ".join(self.reports()[0].split()))

    def test_a_server_that_ends_every_connection_is_dead_too(self) -> None:
        self.servers["10.0.0.1"] = serving(MAIL="close")
        for number in range(50):
            self.send(f"user{number}@there.example")
        self.run_for(30)
        self.assertLess(len(self.asked()), 12)
        self.assertEqual(len(self.witness.unreached_), 1)

    def test_the_others_are_not_held_up(self) -> None:
        self.domains["well.example"] = ["10.0.0.2"]
        self.servers["10.0.0.1"] = serving(connect="silent")
        for number in range(500):
            self.send(f"user{number}@dead{number % 50}.example")
        for number in range(50):
            self.send(f"user{number}@well.example")
        self.run_for(5)
        self.assertEqual(len(self.arrived), 50)


class NameTests(World):
    def test_a_domain_that_is_not_there(self) -> None:
        self.domains["nowhere.example"] = Refused(550, "5.1.2", "There is no domain nowhere.example")
        self.agent.start()
        for number in range(300):
            self.send(f"user{number}@nowhere.example")
        self.run_for(5)
        self.assertEqual(
            {result.state for address, result in self.queue.done if "nowhere" in address}, {FAILED}
        )
        self.assertEqual(len(self.reports()), 300)
        self.assertIn(
            "There is no such domain: check how the part after the @ is spelled.", self.reports()[0]
        )
        self.assertEqual(self.witness.unreached_, [])

    def test_no_answer_of_the_dns_is_temporary(self) -> None:
        self.domains["there.example"] = DNSFailure(detail="SERVFAIL")
        self.agent.start()
        self.send("bob@there.example")
        self.run_for(30)
        self.assertEqual(self.queue.done, [])
        self.assertTrue(
            self.queue.reasons["there.example"].endswith(" (SERVFAIL)")
        )  # for who runs the server
        del self.domains["there.example"]
        self.run_for(60)
        self.assertEqual(self.arrived, ["bob@there.example"])
