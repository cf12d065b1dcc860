"""What a program passes by mistake is an error at once: one line that says what to pass instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends import MemoryStore
from mailproto.delivery import MailboxDelivery
from mailproto.dkim import KeyFolder, signatures
from mailproto.relay import QueueDelivery, RelayAgent, Routes
from mailproto.relay.policies import MTASTS, TLSPolicies
from mailproto.relay.servers import DNSResolver, Exchanges, Opener

clock: Any = Clock()
PLACES = "a list such as [('127.0.0.1', 53)]"
PLACE = "each of {} must be an IP address and a port, not"


class ArgumentsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = MemoryStore()
        self.routes = Routes("mx")
        self.resolver = DNSResolver(clock)

    def fail_with(self, text: str, make: Callable[..., object], *arguments: Any, **named: Any) -> None:
        with self.assertRaises((TypeError, ValueError)) as caught:
            make(*arguments, **named)
        self.assertEqual(str(caught.exception), text)

    def test_agent(self) -> None:
        exchanges, opener = Exchanges(self.resolver), Opener(clock)

        def make(**wrong: Any) -> RelayAgent:
            right: dict[str, Any] = {
                "exchanges": exchanges,
                "opener": opener,
                "prepare_report": lambda _: None,
            }
            return RelayAgent(clock, self.store.queue, self.routes, **right | wrong)

        self.assertIsInstance(make(spool_folder=None), RelayAgent)
        self.fail_with(
            "exchanges must be an Exchanges, not an object of the class Opener", make, exchanges=opener
        )
        self.fail_with("opener must be an Opener, not None", make, opener=None)
        self.fail_with("opener must be an Opener, not the class Opener", make, opener=Opener)
        report = "a function that takes a report, such as QueueDelivery.prepare"
        self.fail_with(f"prepare_report must be {report}, not None", make, prepare_report=None)
        self.fail_with("random must be a random.Random or None, not 3", make, random=3)
        folder = "the path of a folder that exists, or None"
        self.fail_with(f"spool_folder must be {folder}, not '/nowhere'", make, spool_folder="/nowhere")

    def test_delivery(self) -> None:
        local = MailboxDelivery(self.store, ["example.org"])
        takes = "a function such as Twisted's deferToThread"
        self.fail_with(
            f"in_thread must be {takes}, not 3", QueueDelivery, self.store, local, self.routes, in_thread=3
        )

    def test_routes(self) -> None:
        self.fail_with("credentials must be a mapping, not 'bob'", Routes, "mx", {}, "bob")

    def test_resolver(self) -> None:
        place = PLACE.format("servers")
        self.fail_with(f"servers must be {PLACES}, not '127.0.0.1:53'", DNSResolver, clock, "127.0.0.1:53")
        self.fail_with(f"{place} '127.0.0.1'", DNSResolver, clock, ["127.0.0.1"])
        self.fail_with(f"{place} ('127.0.0.1', '53')", DNSResolver, clock, [("127.0.0.1", "53")])
        self.fail_with(f"{place} ('dns.example', 53)", DNSResolver, clock, [("dns.example", 53)])

    def test_exchanges(self) -> None:
        self.fail_with("resolver must be a DNSResolver, not 3", Exchanges, 3)
        names = "a list such as ['mail.example.org']"
        self.fail_with(
            f"own_names must be {names}, not 'a.example': write ['a.example']",
            Exchanges,
            self.resolver,
            own_names="a.example",
        )
        place = PLACE.format("own_addresses")
        self.fail_with(f"{place} '192.0.2.1'", Exchanges, self.resolver, own_addresses=["192.0.2.1"])
        self.fail_with("policies must be a TLSPolicies or None, not 3", Exchanges, self.resolver, policies=3)

    def test_opener(self) -> None:
        self.fail_with("hostname must be a str of one line, not 'a\\r\\nb'", Opener, clock, hostname="a\r\nb")
        self.fail_with("counts must be a TLSReports or None, not 3", Opener, clock, counts=3)

    def test_policies(self) -> None:
        self.fail_with("resolver must be a DNSResolver, not 3", TLSPolicies, 3)
        self.fail_with("sts must be an MTASTS or None, not 3", TLSPolicies, self.resolver, 3)
        self.fail_with("resolver must be a DNSResolver, not 3", MTASTS, clock, 3, "mta-sts")

    def test_keys(self) -> None:
        self.fail_with("domain must be a domain, a str, not 3", KeyFolder("dkim").find, 3)
        self.fail_with("keys must be a mapping, not 3", signatures, b"", "example.org", 3)
