"""What senders are told, and what the next servers are asked to tell them."""

from __future__ import annotations

from mailproto.client.errors import TLSUnavailable
from mailproto.errors import Refused
from mailproto.model import Address, QueueState, Recipient
from tests.relay.agent.world import World
from tests.smtp.client.network import serving

FAILED = QueueState.FAILED
WITH_DSN = "250-mx\r\n250-PIPELINING\r\n250 DSN"


def recipient(address: str, **parameters: str) -> Recipient:
    return Recipient(Address.parse(address), parameters)


class ReportTests(World):
    def setUp(self) -> None:
        super().setUp()
        self.agent.start()

    def heard(self, verb: str) -> list[str]:
        return [line for each in self.network.connections for line in each.heard if line.startswith(verb)]

    def test_nothing_is_reported_about_a_report(self) -> None:
        self.servers["10.0.0.1"] = serving(RCPT="550 5.1.1 No such user")
        self.send("bob@there.example", sender="")
        self.run_for(5)
        self.assertEqual(self.reports(), [])
        self.assertEqual([state for state, _ in self.states("bob@there.example")], [FAILED])

    def test_one_report_is_about_all_recipients_of_an_attempt(self) -> None:
        self.servers["10.0.0.1"] = serving(RCPT="550 5.1.1 No such user")
        self.send("bob@there.example", "carol@there.example")
        self.run_for(5)
        [report] = self.reports()
        self.assertEqual(report.count("Final-Recipient:"), 2)
        self.assertIn("mx1.there.example said: 550 5.1.1 No such user", report)
        self.assertIn("Remote-MTA: dns; mx1.there.example", report)

    def test_the_report_goes_to_the_sender(self) -> None:
        self.servers["10.0.0.1"] = serving(RCPT="550 5.1.1 No such user")
        self.send("bob@there.example")
        self.run_for(5)
        self.assertEqual(self.arrived, ["alice@home.example"])
        self.assertTrue(self.heard("MAIL FROM:<>"))

    def test_notify_never_is_kept(self) -> None:
        self.servers["10.0.0.1"] = serving(RCPT="550 5.1.1 No such user")
        self.send(recipient("bob@there.example", NOTIFY="NEVER"))
        self.run_for(5)
        self.assertEqual(self.reports(), [])

    def test_a_delay_is_not_told_to_those_who_do_not_want_it(self) -> None:
        self.servers["10.0.0.1"] = serving(RCPT="450 4.2.0 Later")
        self.send(recipient("bob@there.example", NOTIFY="FAILURE"), recipient("carol@there.example"))
        self.run_for(5 * 3600)
        [report] = self.reports()
        self.assertIn("Action: delayed", report)
        self.assertIn("carol@", report.partition("rfc822-headers")[0])
        self.assertNotIn("bob@", report.partition("rfc822-headers")[0])

    def test_a_server_without_dsn_leaves_it_to_us(self) -> None:
        self.send(recipient("bob@there.example", NOTIFY="SUCCESS"), "carol@there.example")
        self.run_for(5)
        [report] = self.reports()
        self.assertIn("Action: relayed", report)
        self.assertIn("mx1.there.example took it, but does not report deliveries", report)
        self.assertNotIn("carol@", report.partition("rfc822-headers")[0])
        self.assertNotIn("NOTIFY", self.heard("RCPT")[0])

    def test_a_server_with_dsn_is_asked(self) -> None:
        self.servers["10.0.0.1"] = serving(EHLO=WITH_DSN)
        self.send(
            recipient("bob@there.example", NOTIFY="SUCCESS,DELAY", ORCPT="rfc822;robert@list.example"),
            parameters={"RET": "HDRS", "ENVID": "QQ314159"},
        )
        self.run_for(5)
        self.assertEqual(self.reports(), [])
        self.assertEqual(self.heard("MAIL"), ["MAIL FROM:<alice@home.example> RET=HDRS ENVID=QQ314159"])
        self.assertEqual(
            self.heard("RCPT"),
            ["RCPT TO:<bob@there.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;robert@list.example"],
        )

    def test_a_large_report_is_written_whole(self) -> None:
        self.servers["10.0.0.1"] = serving(RCPT="550 5.1.1 No such user")
        self.send(*(f"user{number}@there.example" for number in range(50)))
        self.run_for(5)
        self.assertEqual([report.count("Final-Recipient:") for report in self.reports()], [50])

    def test_a_priority_is_passed_on(self) -> None:
        self.servers["10.0.0.1"] = serving(EHLO="250-mx\r\n250 MT-PRIORITY")
        self.send("bob@there.example", parameters={"MT-PRIORITY": "3"})
        self.run_for(5)
        self.assertEqual(self.heard("MAIL"), ["MAIL FROM:<alice@home.example> MT-PRIORITY=3"])

    def test_what_was_held_here_is_not_held_again(self) -> None:
        self.send("bob@there.example", parameters={"HOLDFOR": "3600"}, due=self.network.seconds() + 3600)
        self.run_for(3605)
        self.assertEqual(self.heard("MAIL"), ["MAIL FROM:<alice@home.example>"])


class DeadlineTests(World):
    """DELIVERBY (RFC 2852)."""

    def setUp(self) -> None:
        super().setUp()
        self.agent.start()

    def test_a_server_that_knows_deadlines_gets_what_is_left(self) -> None:
        self.servers["10.0.0.1"] = serving(EHLO="250-mx\r\n250 DELIVERBY", RCPT=["450 4.2.0 Later"])
        self.send("bob@there.example", parameters={"BY": "600;R"})
        self.run_for(50)
        self.servers["10.0.0.1"] = serving(EHLO="250-mx\r\n250 DELIVERBY")
        self.run_for(20)
        heard = [line for each in self.network.connections for line in each.heard if "MAIL" in line]
        self.assertEqual(heard[0], "MAIL FROM:<alice@home.example> BY=600;R")
        self.assertRegex(heard[1], r"MAIL FROM:<alice@home.example> BY=5(39|40);R")
        self.assertEqual(self.reports(), [])

    def test_a_late_message_is_returned_at_its_time(self) -> None:
        self.servers["10.0.0.1"] = serving(EHLO="250-mx\r\n250 DELIVERBY", RCPT="450 4.2.0 Later")
        self.send("bob@there.example", parameters={"BY": "600;R"})
        self.run_for(595)
        self.assertEqual(self.reports(), [])
        self.run_for(10)
        [report] = self.reports()
        self.assertIn("Status: 5.4.7", report)

    def test_also_if_nothing_can_be_reached(self) -> None:
        self.servers["10.0.0.1"] = serving(connect="refuse")
        self.send("bob@there.example", parameters={"BY": "600;R"})
        self.run_for(595)
        self.assertEqual(self.reports(), [])
        self.run_for(10)
        [report] = self.reports()
        self.assertIn("Status: 5.4.7", report)

    def test_also_if_it_comes_while_its_destination_is_left_alone(self) -> None:
        self.servers["10.0.0.1"] = serving(connect="refuse")
        self.send("carol@there.example", id="OLD")
        self.run_for(8000)  # for an hour at a time, by now
        self.send("bob@there.example", parameters={"BY": "600;R"})
        self.run_for(595)
        self.assertEqual(self.reports(), [])
        self.run_for(10)
        [report] = self.reports()
        self.assertIn("bob@there.example", report)
        self.assertIn("Status: 5.4.7", report)

    def test_in_the_other_mode_the_sender_is_only_told(self) -> None:
        self.servers["10.0.0.1"] = serving(RCPT="450 4.2.0 Later")
        self.send("bob@there.example", parameters={"BY": "600;N"})
        self.run_for(605)
        [report] = self.reports()
        self.assertIn("Action: delayed", report)
        self.servers.clear()
        self.run_for(3600)
        self.assertIn("bob@there.example", self.arrived)

    def test_it_does_not_go_where_deadlines_are_not_kept(self) -> None:
        self.send("bob@there.example", parameters={"BY": "600;R"})
        self.run_for(5)
        [(state, _)] = self.states("bob@there.example")
        self.assertIs(state, FAILED)

    def test_where_they_are_not_known_the_sender_is_told(self) -> None:
        self.send("bob@there.example", parameters={"BY": "600;N"})
        self.run_for(5)
        [report] = self.reports()
        self.assertIn("Action: relayed", report)


class WantedTLSTests(World):
    def test_the_exchanges_are_asked_for_what_the_message_demands(self) -> None:
        self.agent.start()
        self.send("bob@one.example", parameters={"REQUIRETLS": None})
        self.send("bob@two.example", content=b"Subject: x\r\nTLS-Required: No\r\n\r\nHi.\r\n")
        self.send("bob@three.example", content=b"Subject: x\r\n\r\nTLS-Required: No\r\n")
        self.run_for(5)
        self.assertEqual(
            {(domain, wanted) for domain, wanted in self.asked_for if domain != "home.example"},
            {("one.example", True), ("two.example", False), ("three.example", None)},
        )

    def test_a_server_without_tls_sends_it_back(self) -> None:
        self.domains["there.example"] = TLSUnavailable("mx.there.example offers no STARTTLS")
        self.agent.start()
        self.send("bob@there.example", parameters={"REQUIRETLS": None})
        self.run_for(5)
        [(state, outcome)] = self.states("bob@there.example")
        self.assertEqual((state, outcome.enhanced), (FAILED, "5.7.10"))

    def test_its_report_is_protected_and_is_not_lost(self) -> None:
        self.servers["10.0.0.1"] = serving(RCPT="550 5.1.1 No such user")
        self.domains["there.example"] = Refused(550, "5.7.10", "no TLS")
        self.agent.start()
        self.send(
            "bob@there.example", parameters={"REQUIRETLS": None}, content=b"Subject: x\r\n\r\nsecret\r\n"
        )
        self.run_for(5)
        [report] = self.queue.reports
        self.assertIn("REQUIRETLS", report.envelope.parameters)
        self.assertNotIn("secret", self.reports()[0])
        self.assertEqual(self.arrived, ["alice@home.example"])

    def test_without_tls_it_does_not_leave(self) -> None:
        self.agent.start()
        self.send("bob@there.example", parameters={"REQUIRETLS": None})
        self.send("carol@there.example")
        self.run_for(5)
        [(state, outcome)] = self.states("bob@there.example")
        self.assertEqual((state, outcome.enhanced), (FAILED, "5.7.30"))
        self.assertIn("carol@there.example", self.arrived)
        self.assertNotIn("bob@there.example", self.arrived)
