"""Messages that are sent, and how connections are used for them."""

from __future__ import annotations

from dataclasses import replace

from mailproto.model import QueueState
from mailproto.relay import _carrier, _connections, _worker
from mailproto.relay._connections import FOUND_FOR
from mailproto.relay.limits import RelayLimits
from tests.relay.agent.world import CONTENT, World
from tests.smtp.client.network import serving


class SendingTests(World):
    def test_a_message_goes_to_the_domains_server(self) -> None:
        self.agent.start()
        self.send("bob@there.example")
        self.run_for(1)
        self.assertEqual(self.network.taken, [("RCPT TO:<bob@there.example>", CONTENT[:-2])])
        [(state, outcome)] = self.states("bob@there.example")
        self.assertEqual((state, outcome.code), (QueueState.SENT, 250))
        self.assertEqual(self.counts().messages, 0)
        self.stop()
        self.assertEqual(self.network.open_connections, [])

    def test_what_was_queued_before_the_start_is_sent(self) -> None:
        self.send("bob@there.example")
        self.agent.start()
        self.run_for(1)
        self.assertEqual(self.arrived, ["bob@there.example"])

    def test_what_is_due_later_is_sent_then(self) -> None:
        self.agent.start()
        self.send("bob@there.example", due=self.network.seconds() + 3600)
        self.run_for(3599)
        self.assertEqual(self.arrived, [])
        self.run_for(2)
        self.assertEqual(self.arrived, ["bob@there.example"])

    def test_recipients_of_a_domain_share_a_transaction(self) -> None:
        self.agent.start()
        self.send("bob@there.example", "carol@there.example", "dave@elsewhere.example")
        self.run_for(1)
        self.assertEqual(
            sorted(self.arrived), ["bob@there.example", "carol@there.example", "dave@elsewhere.example"]
        )
        transactions = [sum("MAIL" in line for line in each.heard) for each in self.network.connections]
        self.assertEqual(transactions, [1, 1])

    def test_what_is_urgent_goes_first(self) -> None:
        self.limits = RelayLimits(destination_connections=1)
        self.servers["10.0.0.1"] = serving(final="1.00|250 OK")
        for number in range(10):
            self.send(f"user{number}@there.example")
        self.make_agent().start()
        self.run_for(2)
        self.send("urgent@there.example", priority=6)
        self.send("bulk@there.example", priority=-6)
        self.send("later@there.example")
        self.run_for(30)
        self.assertLess(self.arrived.index("urgent@there.example"), 6)
        self.assertEqual(self.arrived[-2:], ["later@there.example", "bulk@there.example"])

    def test_a_transaction_has_fifty_recipients_at_most(self) -> None:
        self.agent.start()
        self.send(*(f"user{number}@there.example" for number in range(120)))
        self.run_for(2)
        self.assertEqual(len(set(self.arrived)), 120)
        heard = [line for each in self.network.connections for line in each.heard]
        self.assertEqual(sum(line.startswith("MAIL") for line in heard), 3)

    def test_each_attempt_is_logged(self) -> None:
        self.agent.start()
        self.send("bob@there.example", id="MSG7")
        self.run_for(1)
        [line] = self.lines
        self.assertRegex(
            line,
            r"^sent id=MSG7 sender=<alice@home.example> recipient=<bob@there.example> "
            r"host=mx1.there.example address=192.0.2.1 reply=\"250 2.0.0 Queued\" delay=0\.\d+ attempt=1$",
        )
        [event] = self.witness.relayed_
        self.assertEqual((event.destination, event.state), ("there.example", QueueState.SENT))


class ConnectionTests(World):
    def test_messages_follow_each_other_over_one_connection(self) -> None:
        for number in range(10):
            self.send(f"user{number}@there.example")
        self.limits = replace(self.limits, destination_connections=1)
        self.make_agent().start()
        self.run_for(2)
        self.assertEqual(len(self.arrived), 10)
        self.assertEqual(len(self.network.connections), 1)

    def test_where_a_server_is_quick_they_wait_for_its_connection(self) -> None:
        self.patch(_carrier, "QUICK", 1.0)
        self.assertEqual(self.connections_for_a_few(), 1)

    def test_where_it_is_slow_they_get_connections_of_their_own(self) -> None:
        self.patch(_carrier, "QUICK", 0.01)
        self.assertEqual(self.connections_for_a_few(), 5)

    def connections_for_a_few(self) -> int:
        """Two messages that come one after the other, and four at once."""
        self.agent.start()
        self.send("first@there.example")
        self.run_for(1)
        for number in range(2):
            self.send(f"user{number}@there.example")
            self.run_for(0.03)
        for number in range(4):
            self.send(f"another{number}@there.example")
        self.run_for(2)
        self.assertEqual(len(self.arrived), 7)
        return len(self.network.connections)

    def test_a_quick_connection_that_has_had_its_messages_takes_no_more(self) -> None:
        self.patch(_carrier, "QUICK", 1.0)
        self.limits = replace(self.limits, destination_connections=1, connection_messages=3)
        self.make_agent().start()
        for number in range(12):
            self.send(f"user{number}@there.example")
            self.run_for(0.03)
        self.run_for(2)
        self.assertEqual((len(self.arrived), len(self.network.connections)), (12, 4))

    def test_a_server_that_becomes_slow_is_quick_no_more(self) -> None:
        self.patch(_carrier, "QUICK", 0.2)
        self.servers["10.0.0.1"] = serving(final=["250 Yes", "250 Yes", "1.25|250 Yes"])
        self.agent.start()
        for messages, connections in ((1, 1), (3, 1), (3, 2)):
            for number in range(messages):
                self.send(f"user{number}@there.example")
            self.run_for(0.1)
            self.assertEqual(len(self.network.open_connections), connections)
            self.run_for(3.5)

    def test_an_unused_connection_is_kept_for_a_while(self) -> None:
        self.agent.start()
        self.send("bob@there.example")
        self.run_for(4)
        self.send("carol@there.example")
        self.run_for(1)
        self.assertEqual((len(self.arrived), len(self.network.connections)), (2, 1))
        self.run_for(6)
        self.assertEqual(self.network.open_connections, [])
        self.assertEqual(self.network.connections[0].heard[-1], "QUIT")

    def test_for_a_kept_connection_the_server_need_not_be_found_again(self) -> None:
        self.agent.start()
        for number in range(5):
            self.send(f"user{number}@there.example")
            self.run_for(0.3)
        self.assertEqual((len(self.arrived), self.asked_for), (5, [("there.example", None)]))
        self.run_for(FOUND_FOR)
        self.domains["there.example"] = ["10.0.0.2"]
        self.send("user@there.example")
        self.run_for(0.3)
        self.assertEqual((len(self.arrived), self.asked()), (6, ["10.0.0.1", "10.0.0.2"]))

    def test_messages_with_another_demand_do_not_use_it(self) -> None:
        self.agent.start()
        self.send("bob@there.example")
        self.run_for(0.3)
        self.send("carol@there.example", content=b"TLS-Required: No\r\n" + CONTENT)
        self.run_for(0.1)
        self.assertEqual(self.asked_for, [("there.example", None), ("there.example", False)])

    def test_domains_whose_servers_are_remembered_are_few(self) -> None:
        self.patch(_connections, "MOST_FOUND", 3)
        self.agent.start()
        for number in range(9):
            self.send(f"bob@d{number}.example")
            self.run_for(0.1)
        self.assertEqual(len(self.arrived), 9)
        found = self.agent._worker._connections._found
        self.assertEqual([domain for domain, _ in found], ["d6.example", "d7.example", "d8.example"])

    def test_domains_with_the_same_server_share_connections(self) -> None:
        self.domains = {name: ["mx.shared.example=10.0.0.1"] for name in ("one.example", "two.example")}
        self.agent.start()
        self.send("bob@one.example")
        self.run_for(1)
        self.send("bob@two.example")
        self.run_for(1)
        self.assertEqual((len(self.arrived), len(self.network.connections)), (2, 1))

    def test_that_a_kept_connection_is_gone_does_no_harm(self) -> None:
        """The server closes it at the very moment at which it is used again."""
        self.servers["10.0.0.1"] = serving(MAIL=["250 OK", "close"])
        self.agent.start()
        self.send("bob@there.example")
        self.run_for(1)
        self.servers.clear()
        self.send("carol@there.example")
        self.run_for(1)
        self.assertEqual(self.arrived, ["bob@there.example", "carol@there.example"])
        self.assertEqual([len(self.states(each)) for each in self.arrived], [1, 1])

    def test_a_connection_carries_so_many_messages(self) -> None:
        for number in range(10):
            self.send(f"user{number}@there.example")
        self.limits = replace(self.limits, destination_connections=1, connection_messages=3)
        self.make_agent().start()
        self.run_for(5)
        self.assertEqual((len(self.arrived), len(self.network.connections)), (10, 4))

    def test_a_server_that_announces_how_many_it_takes_gets_no_more(self) -> None:
        self.servers["10.0.0.1"] = serving(EHLO="250-mx\r\n250-PIPELINING\r\n250 LIMITS MAILMAX=2")
        for number in range(6):
            self.send(f"user{number}@there.example")
        self.limits = replace(self.limits, destination_connections=1)
        self.make_agent().start()
        self.run_for(5)
        self.assertEqual((len(self.arrived), len(self.network.connections)), (6, 3))

    def test_a_server_that_says_421_after_some_messages(self) -> None:
        self.servers["10.0.0.1"] = serving(MAIL=["250 OK"] * 3 + ["421 4.7.0 That is enough|close"])
        for number in range(10):
            self.send(f"user{number}@there.example")
        self.agent.start()
        self.run_for(10)
        self.assertEqual(len(set(self.arrived)), 10)
        self.assertEqual(len(self.arrived), 10)


class ConcurrencyTests(World):
    def most_at_once(self, seconds: float) -> int:
        most = 0
        for _ in range(int(seconds * 100)):
            self.run_for(0.01)
            most = max(most, len(self.network.open_connections))
        return most

    def test_it_grows_while_messages_are_taken(self) -> None:
        self.servers["10.0.0.1"] = serving(final="0.50|250 OK")
        self.agent.start()
        for number in range(200):
            self.send(f"user{number}@there.example")
        self.assertEqual(self.most_at_once(0.4), 5)
        self.assertGreater(self.most_at_once(5), 10)
        self.run_for(30)
        self.assertEqual(len(self.arrived), 200)

    def test_one_connection_tells_whether_a_domain_can_be_reached(self) -> None:
        self.servers["10.0.0.1"] = serving(connect="silent")
        self.agent.start()
        for number in range(50):
            self.send(f"user{number}@there.example")
        self.run_for(40)
        self.assertEqual(len(self.network.asked), 1)

    def test_a_server_that_takes_three_connections_keeps_three(self) -> None:
        self.servers["10.0.0.1"] = serving(final="0.20|250 OK")
        script = self.network.script

        def crowded(host: str, number: int) -> object:
            full = len(self.network.open_connections) >= 3
            return serving(greeting="421 4.7.0 Too many connections|close") if full else script(host, number)

        self.network.script = crowded  # type: ignore[assignment]
        self.agent.start()
        for number in range(100):
            self.send(f"user{number}@there.example")
        self.run_for(30)
        self.assertEqual(len(self.arrived), 100)
        self.assertEqual(self.witness.unreached_, [])
        refused = len(self.network.asked) - 3
        self.assertLess(refused, 30)

    def test_there_are_so_many_connections_in_all(self) -> None:
        self.limits = RelayLimits(connections=4)
        self.servers = {"10.0.0.1": serving(final="0.20|250 OK")}
        for number in range(60):
            self.send(f"user@domain{number % 12}.example")
        self.make_agent().start()
        self.assertLessEqual(self.most_at_once(20), 4)
        self.assertEqual(len(self.arrived), 60)

    def test_a_slow_domain_does_not_keep_others_waiting(self) -> None:
        """It has a thousand messages, and each takes a while; the others wait for its connections."""
        self.limits = RelayLimits(leased=50, connections=3)
        self.domains = {"slow.example": ["10.0.0.9"]}
        self.servers = {"10.0.0.9": serving(final="2.00|250 OK")}
        for number in range(1000):
            self.send(f"user{number}@slow.example")
        self.make_agent().start()
        self.run_for(60)
        for number in range(20):
            self.send(f"user@quick{number}.example")
        self.run_for(210)
        quick = [each for each in self.arrived if "quick" in each]
        self.assertEqual(len(quick), 20)

    def test_servers_that_never_finish_do_not_take_all_connections(self) -> None:
        self.limits = RelayLimits(connections=30)
        for number in range(10):
            self.domains[f"tar{number}.example"] = [f"10.0.0.{number + 10}"]
            self.servers[f"10.0.0.{number + 10}"] = serving(final="silent")
        for number in range(500):
            self.send(f"user{number}@tar{number % 10}.example")
        self.make_agent().start()
        self.run_for(60)
        for number in range(10):
            self.send(f"user{number}@well.example")
        self.run_for(10)
        self.assertEqual(sum("well" in each for each in self.arrived), 10)

    def test_connections_do_not_get_old(self) -> None:
        self.limits = RelayLimits(connection_age=10, destination_connections=1)
        self.servers["10.0.0.1"] = serving(final="1.00|250 OK")
        for number in range(30):
            self.send(f"user{number}@there.example")
        self.make_agent().start()
        self.run_for(60)
        self.assertEqual(len(self.arrived), 30)
        self.assertIn(len(self.network.connections), (3, 4))

    def test_a_rate_is_kept(self) -> None:
        self.limits = RelayLimits(rates={"slow.example": 0.5})
        for number in range(10):
            self.send(f"user{number}@slow.example")
            self.send(f"user{number}@quick.example")
        self.make_agent().start()
        self.run_for(9)
        counts = [sum(name in each for each in self.arrived) for name in ("slow", "quick")]
        self.assertEqual(counts, [5, 10])
        self.run_for(12)
        self.assertEqual(len(self.arrived), 20)

    def test_messages_in_memory_are_limited(self) -> None:
        self.limits = RelayLimits(leased=20)
        self.servers = {"10.0.0.1": serving(final="10.0|250 OK")}
        for number in range(100):
            self.send(f"user{number}@domain{number % 10}.example")
        self.make_agent().start()
        for _ in range(50):
            self.run_for(1)
            self.assertLessEqual(self.counts().leased, 20)
        self.run_for(200)
        self.assertEqual(len(self.arrived), 100)


class ManyDestinationsTests(World):
    def test_few_are_remembered(self) -> None:
        self.limits = RelayLimits(leased=40)
        self.patch(_worker, "REMEMBERED", 20)
        agent = self.make_agent()
        for number in range(300):
            self.send(f"user@domain{number}.example")
        agent.start()
        self.run_for(100)
        self.assertEqual(len(self.arrived), 300)
        self.assertLessEqual(len(agent._worker._destinations), 20)

    def test_all_have_their_turn(self) -> None:
        """More destinations are due than are looked at together, and than messages may be leased."""
        self.limits = RelayLimits(leased=40)
        for number in range(500):
            self.send(f"user@domain{number}.example")
        self.make_agent().start()
        self.run_for(20)
        self.assertEqual(len(self.arrived), 500)

    def test_servers_that_never_answer_do_not_keep_the_others_waiting(self) -> None:
        self.limits = RelayLimits(connections=10, slow_connections=30)
        for number in range(25):
            domain = f"tarpit{number}.example"
            self.domains[domain] = [f"10.1.0.{number}"]
            self.servers[f"10.1.0.{number}"] = serving(greeting="silent")
            self.send(f"user@{domain}")
        self.make_agent().start()
        self.run_for(1)
        self.send("user@well.example")
        self.run_for(20)
        self.assertEqual(self.arrived, ["user@well.example"])
        for number in range(25):
            self.servers[f"10.1.0.{number}"] = serving()
        self.run_for(4000)
        self.assertEqual(len(self.arrived), 26)

    def test_those_have_a_limit_too(self) -> None:
        self.limits = RelayLimits(connections=3, slow_connections=4)
        for number in range(9):
            self.domains[f"tarpit{number}.example"] = [f"10.1.0.{number}"]
            self.servers[f"10.1.0.{number}"] = serving(greeting="silent")
            self.send(f"user@tarpit{number}.example")
        agent = self.make_agent()
        agent.start()
        self.run_for(60)
        self.assertEqual(agent._worker._connections.number, 7)
        done = agent.stop()
        self.run_for(30)
        self.successResultOf(done)
