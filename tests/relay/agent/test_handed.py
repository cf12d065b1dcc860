"""Messages that the queue hands over when it accepts them."""

from __future__ import annotations

from mailproto.model import QueueState
from mailproto.relay.limits import RelayLimits
from tests.relay.agent.world import World
from tests.smtp.client.network import serving


class HandedTests(World):
    def send_many(self, number: int, domain: str = "there.example", first: int = 0) -> None:
        for at in range(first, first + number):
            self.send(f"user{at}@{domain}", id=f"N{at}")

    def use(self, limits: RelayLimits) -> None:
        self.limits = limits
        self.agent = self.make_agent()

    def everything_arrived(self, number: int) -> None:
        self.assertEqual((len(self.arrived), len(set(self.arrived))), (number, number))
        self.assertEqual(self.counts().messages, 0)

    def test_they_are_sent_without_another_lease(self) -> None:
        self.agent.start()
        self.send_many(10)
        self.run_for(1)
        self.everything_arrived(10)
        self.assertEqual((self.queue.handed, self.queue.leased), (10, 0))
        self.stop()

    def test_some_that_come_together_share_a_connection(self) -> None:
        self.agent.start()
        self.send_many(10)
        self.run_for(1)
        self.assertLessEqual(len(self.network.connections), RelayLimits().first_connections)

    def test_a_destination_has_as_many_as_it_may(self) -> None:
        """The others wait in the queue, in their order, and so does who comes after them."""
        self.use(RelayLimits(destination_leased=10, destination_connections=1))
        self.servers["10.0.0.1"] = serving(final="1.00|250 OK")
        self.agent.start()
        self.send_many(30)
        self.assertEqual(self.counts().leased, 10)
        for _ in range(20):
            self.run_for(1)
            self.assertLessEqual(self.counts().leased, 10)
        self.send_many(1, first=30)
        self.run_for(40)
        self.everything_arrived(31)
        self.assertEqual(self.arrived, [f"user{at}@there.example" for at in range(31)])
        self.assertEqual((self.queue.handed, self.queue.leased), (10, 21))

    def test_there_is_room_for_those_that_wait(self) -> None:
        """Three quarters of all leases may be of new messages, and a destination has half of what is free."""
        self.use(RelayLimits(leased=100))
        for number in range(10):
            self.domains[f"d{number}.example"] = [f"10.0.1.{number + 1}"]
            self.servers[f"10.0.1.{number + 1}"] = serving(final="100.0|250 OK")
        self.agent.start()
        self.send_many(60, "d0.example")
        self.assertEqual(self.counts().leased, 33)
        for number in range(1, 5):
            self.send_many(12, f"d{number}.example", 100 * number)
        self.assertEqual(self.counts().leased, 75)
        self.send("bob@there.example")
        self.run_for(5)
        self.assertIn("bob@there.example", self.arrived)

    def test_the_rate_is_kept(self) -> None:
        self.use(RelayLimits(rate=2))
        self.agent.start()
        self.send_many(20)
        self.run_for(5)
        self.assertLessEqual(len(self.arrived), 11)
        self.run_for(10)
        self.everything_arrived(20)

    def test_no_more_connections_than_allowed(self) -> None:
        self.use(RelayLimits(destination_connections=3))
        self.servers["10.0.0.1"] = serving(final="1.00|250 OK")
        self.agent.start()
        for at in range(30):
            self.send_many(1, first=at)
            self.run_for(0.1)
        self.run_for(30)
        self.everything_arrived(30)
        self.assertLessEqual(len(self.network.connections), 3)

    def test_while_a_destination_fails_they_wait_in_the_queue(self) -> None:
        self.servers["10.0.0.1"] = serving(connect="refuse")
        self.agent.start()
        self.send_many(3)
        self.run_for(1)
        asked = len(self.asked())
        self.send_many(3, first=3)
        self.run_for(10)
        self.assertEqual((len(self.asked()), self.queue.handed), (asked, 3))
        self.servers.clear()
        self.run_for(200)
        self.everything_arrived(6)
        self.send_many(1, first=6)
        self.assertEqual(self.queue.handed, 4)
        self.run_for(1)
        self.everything_arrived(7)

    def test_what_is_urgent_goes_first(self) -> None:
        self.use(RelayLimits(destination_connections=1))
        self.servers["10.0.0.1"] = serving(final="1.00|250 OK")
        self.agent.start()
        self.send_many(10)
        self.run_for(2)
        self.send("urgent@there.example", priority=6)
        self.run_for(30)
        self.assertLess(self.arrived.index("urgent@there.example"), 6)

    def test_those_that_are_due_again_are_not_passed_for_ever(self) -> None:
        """Mail that comes all the time does not keep an older message from being tried."""
        self.use(RelayLimits(destination_connections=1))
        self.servers["10.0.0.1"] = serving(RCPT="451 4.7.1 Later")
        self.agent.start()
        self.send("bob@there.example")
        self.run_for(10)
        [(state, _)] = self.states("bob@there.example")
        self.assertEqual(state, QueueState.WAITING)
        self.servers["10.0.0.1"] = serving(final="1.00|250 OK")
        for at in range(150):
            self.send_many(2, first=2 * at)
            self.run_for(1)
        self.assertGreater(self.counts().waiting, 50, "more comes than goes")
        self.assertIn("bob@there.example", self.arrived)

    def test_those_that_were_not_begun_are_given_back_at_the_end(self) -> None:
        self.use(RelayLimits(destination_connections=1))
        self.servers["10.0.0.1"] = serving(final="5.00|250 OK")
        self.agent.start()
        self.send_many(10)
        self.stop()
        counts = self.counts()
        self.assertEqual((counts.messages + len(self.arrived), counts.leased), (10, 0))
        self.send_many(1, first=10)
        self.assertEqual(self.queue.handed, 10)
