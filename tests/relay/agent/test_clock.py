"""The system's clock is set forward or back by an hour, or by more."""

from __future__ import annotations

from mailproto.model import QueueState
from tests.relay.agent.world import World
from tests.smtp.client.network import serving

HOUR = 3600.0


class ClockTests(World):
    def setUp(self) -> None:
        super().setUp()
        self.agent.start()

    def begin_slowly(self) -> None:
        """A message whose final reply takes its time."""
        self.servers["10.0.0.1"] = serving(final="200.0|250 OK")
        self.send("bob@there.example")
        self.run_for(5)
        self.assertEqual(self.arrived, ["bob@there.example"])

    def arrives_once(self) -> None:
        self.run_for(400)
        self.assertEqual(self.arrived.count("bob@there.example"), 1)
        [(state, _)] = self.states("bob@there.example")
        self.assertEqual(state, QueueState.SENT)
        self.assertEqual(self.counts().messages, 0)

    def test_forward_while_a_message_is_sent(self) -> None:
        """Its lease has run out, as it seems: who has it goes on with it."""
        self.begin_slowly()
        self.ahead = HOUR
        self.send("carol@there.example", id="M2")  # something to look for
        self.arrives_once()
        self.assertEqual(sorted(self.arrived), ["bob@there.example", "carol@there.example"])

    def test_forward_while_messages_wait_here(self) -> None:
        """They are sent once, too."""
        self.begin_slowly()
        for number in range(30):
            self.send(f"user{number}@there.example", id=f"N{number}")
        self.run_for(1)
        self.assertEqual(self.counts().leased, 31)
        self.ahead = HOUR
        self.send("carol@there.example", id="M2")
        self.run_for(4000)
        self.assertEqual(len(self.arrived), 32)
        self.assertEqual(len(set(self.arrived)), 32)

    def test_back_while_a_message_is_sent(self) -> None:
        self.begin_slowly()
        self.ahead = -HOUR
        self.send("carol@there.example", id="M2")
        self.arrives_once()
        self.assertIn("delay=0.0 ", "".join(self.lines))

    def test_forward_while_a_message_waits(self) -> None:
        """It is tried within a minute."""
        self.servers["10.0.0.1"] = serving(RCPT="451 4.7.1 Later")
        self.send("bob@there.example")
        self.run_for(2000)
        tried = len(self.states("bob@there.example"))
        self.servers.clear()
        self.ahead = HOUR
        self.run_for(61)
        self.assertEqual(len(self.states("bob@there.example")), tried + 1)
        self.assertEqual(self.arrived, ["bob@there.example"])

    def test_back_while_a_message_waits(self) -> None:
        """It is late by that hour, and neither lost nor given up."""
        self.servers["10.0.0.1"] = serving(RCPT="451 4.7.1 Later")
        self.send("bob@there.example")
        self.run_for(100)
        self.servers.clear()
        self.ahead = -HOUR
        self.run_for(HOUR + 1000)
        self.assertEqual(self.arrived, ["bob@there.example"])

    def test_back_while_a_server_is_left_alone(self) -> None:
        self.servers["10.0.0.1"] = serving(connect="refuse")
        self.send("bob@there.example")
        self.run_for(100)
        self.servers.clear()
        self.ahead = -HOUR
        self.run_for(HOUR + 1000)
        self.assertEqual(self.arrived, ["bob@there.example"])

    def test_to_and_fro(self) -> None:
        self.servers["10.0.0.1"] = serving(final="20.0|250 OK")
        for number in range(60):
            self.ahead = HOUR * (number % 3 - 1)
            self.send(f"user{number}@there.example", id=f"N{number}")
            self.run_for(7)
        self.ahead = 0
        self.run_for(3 * HOUR)
        self.assertEqual(len(self.arrived), 60)
        self.assertEqual(len(set(self.arrived)), 60)
        self.assertEqual(self.counts().messages, 0)
