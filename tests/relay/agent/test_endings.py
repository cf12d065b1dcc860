"""Nothing waits for ever, is done over and over, or is forgotten, whatever goes wrong here or there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import deferLater

from mailproto.errors import StorageFull
from mailproto.model import QueueState
from mailproto.relay import _carrier
from mailproto.relay.limits import RelayLimits
from tests.relay.agent.world import World
from tests.smtp.client.network import serving


def failing(times: int, usual: Callable[..., Any]) -> Callable[..., Any]:
    """A function that raises what nobody expects the first times."""
    left = [times]

    def function(*arguments: Any, **named: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise ZeroDivisionError
        return usual(*arguments, **named)

    return function


class FaultTests(World):
    """An exception that nothing expects."""

    def with_fault(self, name: str, messages: int, twice: int = 0) -> None:
        self.patch(_carrier, name, failing(1, getattr(_carrier, name)))
        self.agent.start()
        for number in range(messages):
            self.send(f"user{number}@there.example", id=f"N{number}")
        self.run_for(600)
        self.assertEqual(set(self.arrived), {f"user{number}@there.example" for number in range(messages)})
        self.assertLessEqual(len(self.arrived), messages + twice)
        self.assertEqual(self.counts().messages, 0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.stop()
        self.assertEqual(self.network.open_connections, [])

    def test_when_a_message_begins_it_is_tried_again(self) -> None:
        self.with_fault("with_ascii_header", 1)

    def test_when_one_of_several_begins_all_go(self) -> None:
        self.with_fault("with_ascii_header", 10)

    def test_when_a_message_is_answered_all_go(self) -> None:
        """Its result is unknown, so that it goes once more."""
        self.with_fault("outcome_of_reply", 10, twice=1)


class OpeningTests(World):
    def test_a_server_that_takes_no_message_on_a_connection_is_not_asked_over_and_over(self) -> None:
        for said in ("250-mx\r\n250 LIMITS MAILMAX=0", "250 mx\r\n421 4.3.2 Busy", "250 mx|close"):
            with self.subTest(said=said):
                self.setUp()
                self.servers["10.0.0.1"] = serving(EHLO=said)
                self.agent.start()
                self.send("bob@there.example")
                self.run_for(30)
                self.assertLess(len(self.network.connections), 4)
                self.servers.clear()
                self.run_for(4000)
                self.assertEqual(self.arrived, ["bob@there.example"])
                self.stop()

    def test_a_server_that_greets_late_has_its_turn_while_others_wait(self) -> None:
        self.limits = RelayLimits(connections=1, connection_idle=0)
        self.agent = self.make_agent()
        self.domains["slow.example"] = ["10.0.0.2"]
        self.servers["10.0.0.2"] = serving(greeting="4.00|220 mx.example", EHLO="2.00|250 mx.example")
        self.agent.start()
        for number in range(400):
            self.send(f"user{number}@d{number % 4}.example", id=f"N{number}")
        self.send("bob@slow.example")
        for number in range(400):
            self.send(f"user{number}@d{number % 4}.example", id=f"O{number}")
        self.run_for(300)
        self.assertIn("bob@slow.example", self.arrived)
        self.assertLess(self.network.asked.count("10.0.0.2"), 3)
        self.stop()

    def test_a_lane_that_cannot_connect_while_another_sends_does_not_try_over_and_over(self) -> None:
        self.servers["10.0.0.1"] = serving(final="60.0|250 OK")
        self.agent.start()
        self.send("bob@there.example")
        self.run_for(1)
        self.servers["10.0.0.1"] = serving(connect="refuse")
        self.send(
            "carol@there.example", id="M2", content=b"TLS-Required: No\r\nSubject: Hello\r\n\r\nHi.\r\n"
        )
        self.run_for(30)
        self.assertLess(len(self.network.asked), 10)
        self.servers.clear()
        self.run_for(4000)
        self.assertEqual(sorted(self.arrived), ["bob@there.example", "carol@there.example"])
        self.stop()


class LookTests(World):
    def test_one_result_that_cannot_be_noted_stops_no_other(self) -> None:
        """Its sender must be told, and that fails again and again."""
        self.servers["10.0.0.1"] = serving(connect="refuse")
        self.agent.start()
        self.send("bob@dead.example")
        self.run_for(4 * 3600 - 10)
        usual = self.queue.settle

        async def settle(lease: Any, results: Any, reports: Any = ()) -> None:
            if lease.message.envelope.id == "M1":
                raise StorageFull
            await usual(lease, results, reports)

        self.patch(self.queue, "settle", settle)
        self.run_for(60)
        self.domains["there.example"] = ["10.0.0.2"]
        self.send("carol@there.example", id="M2", due=self.now() + 30)
        self.run_for(120)
        self.assertEqual([state for state, _ in self.states("carol@there.example")], [QueueState.SENT])
        self.stop()

    def test_who_found_no_room_is_leased_as_soon_as_there_is_some(self) -> None:
        """Destinations before it asked for all that may be leased, and nothing is left of theirs."""
        self.limits = RelayLimits(leased=8)
        self.agent = self.make_agent()
        for number in range(10):
            self.send(f"user@d{number}.example", id=f"N{number}")
        usual = self.queue.lease

        async def lease(destination: str, **named: Any) -> Any:
            await deferLater(self.network, 0.01)
            # Another process has just leased those for which the agent asks last.
            return [] if destination in ("d2.example", "d3.example") else await usual(destination, **named)

        self.patch(self.queue, "lease", lease)
        self.agent.start()
        self.run_for(10)
        self.assertEqual(len(self.arrived), 8)
        self.stop()


class PartTests(World):
    """Some recipients have got the message, and the others wait for another connection."""

    TO = tuple(f"user{number}@there.example" for number in range(3))

    def begin(self, **then: Any) -> None:
        """Send a message; the server takes two recipients on a connection, and the next one does ``then``."""
        scripts = [serving(EHLO="250-mx\r\n250 LIMITS MAILMAX=1 RCPTMAX=2"), serving(**then)]
        self.network.script = lambda host, number: scripts[number] if number < 2 else serving()
        self.agent.start()
        self.send(*self.TO)
        self.run_for(1)
        self.assertEqual(self.arrived, [*self.TO[:2]])

    def all_get_it_once(self) -> None:
        self.run_for(600)
        self.assertEqual(self.arrived, [*self.TO])
        self.assertEqual(self.counts().messages, 0)

    def test_a_pause_meanwhile_sends_to_none_twice(self) -> None:
        self.begin(connect="refuse")
        self.all_get_it_once()
        self.stop()

    def test_a_stop_meanwhile_sends_to_none_twice(self) -> None:
        self.begin(greeting="silent")
        self.stop()
        self.agent = self.make_agent()
        self.agent.start()
        self.all_get_it_once()
        self.stop()
