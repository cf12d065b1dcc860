"""The servers to try for a domain, in order."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import Password
from mailproto.errors import MailError
from mailproto.relay import MX, NextHop
from mailproto.relay._hosts import ADDRESSES_LIMIT, HOSTS_LIMIT
from mailproto.relay.servers import Exchange, Exchanges
from tests.relay.fake_resolver import FakeResolver


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.dns = FakeResolver()

    def find(self, domain: str = "example.org", hop: NextHop | str = MX, **settings: Any) -> list[Exchange]:
        wish = {"require_tls": settings.pop("require_tls")} if "require_tls" in settings else {}
        exchanges = Exchanges(self.dns, **{"shuffle": list.reverse, **settings})
        hop = NextHop.parse(hop) if isinstance(hop, str) else hop
        return list(self.successResultOf(ensureDeferred(exchanges.find(hop, domain, **wish))))

    def fail_to_find(self, domain: str = "example.org", hop: NextHop | str = MX, **settings: Any) -> str:
        wish = {"require_tls": settings.pop("require_tls")} if "require_tls" in settings else {}
        exchanges = Exchanges(self.dns, **settings)
        hop = NextHop.parse(hop) if isinstance(hop, str) else hop
        failure = self.failureResultOf(ensureDeferred(exchanges.find(hop, domain, **wish)), MailError)
        return f"{failure.value.code} {failure.value.enhanced} {failure.value}"

    def hosts(self, domain: str = "example.org", **settings: Any) -> list[str]:
        return [each.host for each in self.find(domain, **settings)]


class OrderTests(Case):
    def test_by_preference_and_at_random_among_equals(self) -> None:
        self.dns.say("example.org", MX=["20 c.example", "10 b.example", "5 z.example", "10 a.example"])
        for host in "abcz":
            self.dns.say(f"{host}.example", A=["192.0.2.1"])
        shuffled: list[Any] = []

        def shuffle(group: list[Any]) -> None:
            shuffled.append([host for _, host in group])
            group.reverse()

        self.assertEqual(self.hosts(shuffle=shuffle), ["z.example", "b.example", "a.example", "c.example"])
        self.assertEqual(shuffled, [["z.example"], ["a.example", "b.example"], ["c.example"]])

    def test_by_default_the_order_differs(self) -> None:
        self.dns.say("example.org", MX=[f"10 {host}.example" for host in "abcdef"])
        for host in "abcdef":
            self.dns.say(f"{host}.example", A=["192.0.2.1"])
        exchanges = Exchanges(self.dns)
        orders = {
            tuple(
                each.host for each in self.successResultOf(ensureDeferred(exchanges.find(MX, "example.org")))
            )
            for _ in range(50)
        }
        self.assertGreater(len(orders), 10)

    def test_a_host_that_is_named_twice_comes_once(self) -> None:
        self.dns.say("example.org", MX=["20 a.example", "10 b.example", "10 a.example", "10 a.example"])
        self.dns.say("a.example", A=["192.0.2.1"])
        self.dns.say("b.example", A=["192.0.2.2"])
        self.assertEqual(self.hosts(), ["b.example", "a.example"])

    def test_addresses_of_both_kinds_in_turn(self) -> None:
        self.dns.say("example.org", MX=["10 a.example"])
        self.dns.say(
            "a.example", A=["192.0.2.1", "192.0.2.2"], AAAA=["2001:db8::1", "2001:db8::2", "2001:db8::3"]
        )
        [exchange] = self.find()
        self.assertEqual(
            exchange.addresses, ("2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "2001:db8::3")
        )
        self.assertEqual((exchange.host, exchange.port), ("a.example", 25))

    def test_limits(self) -> None:
        self.dns.say("example.org", MX=[f"{number} {number}.a.example" for number in range(1000)])
        for number in range(1000):
            self.dns.say(f"{number}.a.example", A=[f"192.0.2.{host}" for host in range(100)])
        found = self.find()
        self.assertEqual(len(found), HOSTS_LIMIT)
        self.assertEqual({len(each.addresses) for each in found}, {ADDRESSES_LIMIT})
        self.assertLess(len(self.dns.asked), 2 * HOSTS_LIMIT + 2)

    def test_another_port(self) -> None:
        self.dns.say("example.org", A=["192.0.2.1"])
        self.assertEqual(self.find(mx_port=2525)[0].port, 2525)

    def test_any_spelling(self) -> None:
        self.dns.say("xn--bcher-kva.example", A=["192.0.2.1"])
        self.assertEqual(self.hosts("BÜCHER.Example."), ["xn--bcher-kva.example"])


class FallBackTests(Case):
    def test_without_mx_the_domain_is_the_host(self) -> None:
        self.dns.say("example.org", A=["192.0.2.1"], AAAA=["2001:db8::1"])
        self.assertEqual(self.find(), [Exchange("example.org", ("2001:db8::1", "192.0.2.1"))])

    def test_not_if_there_is_an_mx(self) -> None:
        self.dns.say("example.org", MX=["10 a.example"], A=["192.0.2.1"])
        self.assertEqual(
            self.fail_to_find(), "550 5.4.4 No server for example.org has an address (a.example)"
        )

    def test_hosts_without_addresses_are_left_out(self) -> None:
        self.dns.say("example.org", MX=["10 a.example", "20 b.example"])
        self.dns.say("b.example", A=["192.0.2.1"])
        self.assertEqual(self.hosts(), ["b.example"])

    def test_no_such_domain(self) -> None:
        self.assertEqual(self.fail_to_find(), "550 5.1.2 There is no domain example.org")

    def test_a_domain_without_anything(self) -> None:
        self.dns.say("example.org")
        self.assertEqual(
            self.fail_to_find(), "550 5.4.4 No server for example.org has an address (example.org)"
        )

    def test_an_alias(self) -> None:
        """The mail exchanger may be an alias, although RFC 5321 5.1 forbids it: many are."""
        self.dns.say("example.org", MX=["10 a.example"], alias="example.com")
        self.dns.say("a.example", A=["192.0.2.1"], alias="b.example")
        self.assertEqual(self.hosts(), ["a.example"])

    def test_what_is_no_domain(self) -> None:
        for domain in (
            "127.1",
            "a..example",
            "-a.example",
            "ex ample.org",
            "",
            "[what]",
            "a" * 64 + ".example",
        ):
            self.assertIn("550 5.1.2 ", self.fail_to_find(domain), domain)
        self.assertEqual(self.dns.asked, [])


class NullMXTests(Case):
    def test_it_takes_no_mail(self) -> None:
        """RFC 7505."""
        self.dns.say("example.org", MX=["0 ."], A=["192.0.2.1"])
        self.assertEqual(self.fail_to_find(), "556 5.1.10 example.org takes no mail (its MX record says so)")

    def test_not_beside_others(self) -> None:
        """RFC 7505 3: it is the only one then."""
        self.dns.say("example.org", MX=["0 .", "10 a.example"])
        self.dns.say("a.example", A=["192.0.2.1"])
        self.assertEqual(self.hosts(), ["a.example"])


class BadDataTests(Case):
    def test_what_is_no_host(self) -> None:
        self.dns.say("example.org", MX=["10 192.0.2.1", r"10 a\.b.example", "10 -a.example", "20 a.example"])
        self.dns.say("a.example", A=["192.0.2.1"])
        self.assertEqual(self.hosts(), ["a.example"])
        self.dns.say("example.org", MX=["10 192.0.2.1"])
        self.assertEqual(self.fail_to_find(), "550 5.4.4 No MX record of example.org has a valid host's name")

    def test_addresses_that_cannot_take_mail(self) -> None:
        self.dns.say("example.org", MX=["10 a.example"])
        self.dns.say("a.example", A=["0.0.0.0", "224.0.0.1", "192.0.2.1"], AAAA=["::", "ff02::1"])
        self.assertEqual(self.find()[0].addresses, ("192.0.2.1",))


class TroubleTests(Case):
    def test_no_answer_about_the_domain(self) -> None:
        self.dns.break_down("example.org", "MX")
        self.assertEqual(
            self.fail_to_find(),
            "451 4.4.3 The DNS gives no answer now, try again later (example.org MX: SERVFAIL)",
        )

    def test_no_answer_about_any_host(self) -> None:
        self.dns.say("example.org", MX=["10 a.example", "20 b.example"])
        self.dns.break_down("b.example", "A")
        self.assertIn("451 4.4.3", self.fail_to_find())

    def test_no_answer_about_one_host(self) -> None:
        self.dns.say("example.org", MX=["10 a.example", "20 b.example"])
        self.dns.break_down("a.example", "A")
        self.dns.say("b.example", A=["192.0.2.1"])
        self.assertEqual(self.hosts(), ["b.example"])

    def test_no_answer_about_one_kind_of_address(self) -> None:
        self.dns.say("example.org", MX=["10 a.example"])
        self.dns.say("a.example", A=["192.0.2.1"])
        self.dns.break_down("a.example", "AAAA")
        self.assertEqual(self.find()[0].addresses, ("192.0.2.1",))


class LoopTests(Case):
    def setUp(self) -> None:
        super().setUp()
        self.dns.say("example.org", MX=["10 a.example", "20 b.example", "20 c.example", "30 d.example"])
        for number, host in enumerate("abcd", 1):
            self.dns.say(f"{host}.example", A=[f"192.0.2.{number}"])

    def test_our_own_name_and_what_is_not_better_are_cut(self) -> None:
        self.assertEqual(self.hosts(own_names=["C.Example."]), ["a.example"])

    def test_our_own_address(self) -> None:
        self.assertEqual(self.hosts(own_addresses=[("192.0.2.3", 25)]), ["a.example"])

    def test_at_another_port_it_is_another_server(self) -> None:
        self.assertEqual(len(self.find(own_addresses=[("192.0.2.1", 2525)])), 4)
        self.assertEqual(len(self.find(own_addresses=[("192.0.2.4", 2525)], mx_port=2525)), 3)

    def test_we_are_the_best(self) -> None:
        error = "554 5.4.6 Mail for example.org would come back here: this is its own server"
        self.assertEqual(self.fail_to_find(own_names=["a.example"]), error)
        self.assertEqual(self.fail_to_find(own_addresses=[("192.0.2.1", 25)]), error)

    def test_an_address_of_this_machine(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
        self.dns.say("c.example", A=["127.0.0.1"])
        self.assertEqual(self.hosts(own_addresses=[("0.0.0.0", 25)]), ["a.example"])
        self.assertEqual(self.hosts(own_addresses=[("::", 25)]), ["a.example"])
        self.assertEqual(len(self.find(own_addresses=[("0.0.0.0", 26)])), 4)

    def test_without_an_mx(self) -> None:
        self.dns.say("mail.example", A=["192.0.2.9"])
        self.assertIn("554 5.4.6", self.fail_to_find("mail.example", own_names=["mail.example"]))


class LiteralTests(Case):
    def test_an_address_is_its_own_server(self) -> None:
        self.assertEqual(self.find("[192.0.2.1]"), [Exchange("192.0.2.1", ("192.0.2.1",))])
        self.assertEqual(self.find("[IPv6:2001:DB8::1]"), [Exchange("2001:db8::1", ("2001:db8::1",))])
        self.assertEqual(self.find("[ipv6:::ffff:192.0.2.1]")[0].addresses, ("192.0.2.1",))
        self.assertEqual(self.dns.asked, [])

    def test_our_own(self) -> None:
        for literal in ("[192.0.2.1]", "[IPv6:::ffff:192.0.2.1]"):
            self.assertIn("554 5.4.6", self.fail_to_find(literal, own_addresses=[("192.0.2.1", 25)]))

    def test_an_address_that_takes_no_mail(self) -> None:
        for literal in ("[0.0.0.0]", "[IPv6:::]", "[224.0.0.1]", "[IPv6:ff02::1]"):
            self.assertIn("550 5.1.2 ", self.fail_to_find(literal))


class RouteTests(Case):
    def test_an_address(self) -> None:
        self.assertEqual(
            self.find(hop="smtp://192.0.2.1:2525"), [Exchange("192.0.2.1", ("192.0.2.1",), 2525)]
        )
        self.assertEqual(self.dns.asked, [])

    def test_a_name(self) -> None:
        self.dns.say("mail.example", A=["192.0.2.1"], MX=["10 other.example"])
        [exchange] = self.find(hop="smtps://mail.example")
        self.assertEqual(
            (exchange.host, exchange.addresses, exchange.port), ("mail.example", ("192.0.2.1",), 465)
        )
        self.assertEqual((exchange.tls.level, exchange.tls.names), ("verified", ("mail.example",)))
        self.assertTrue(exchange.tls.is_implicit)

    def test_our_own_machine_is_no_loop(self) -> None:
        """The operator says so: a filter, for example."""
        self.assertEqual(len(self.find(hop="smtp://127.0.0.1:25", own_addresses=[("127.0.0.1", 25)])), 1)

    def test_lmtp(self) -> None:
        [exchange] = self.find(hop="lmtp:///run/lmtp")
        self.assertEqual(exchange, Exchange("", (), 0, "/run/lmtp", True, exchange.tls))
        self.assertEqual(exchange.tls.level, "none")
        self.assertTrue(self.find(hop="lmtp://192.0.2.1")[0].is_lmtp)

    def test_credentials(self) -> None:
        password = Password("bob", "secret")
        [exchange] = self.find(hop=NextHop.parse("smtp://192.0.2.1").with_credentials(password))
        self.assertEqual((exchange.credentials, exchange.tls.level), (password, "verified"))
        self.assertNotIn("secret", repr(exchange))

    def test_a_name_without_an_address_can_be_mended(self) -> None:
        self.assertEqual(
            self.fail_to_find(hop="smtp://mail.example"), "451 4.4.4 The next hop mail.example has no address"
        )

    def test_no_answer(self) -> None:
        self.dns.break_down("mail.example", "A")
        self.assertIn("451 4.4.3", self.fail_to_find(hop="smtp://mail.example"))


class ExchangeTests(SynchronousTestCase):
    def test_who_may_share_connections(self) -> None:
        one, other = Exchange("a.example", ("192.0.2.1", "192.0.2.2")), Exchange("a.example", ("192.0.2.2",))
        self.assertEqual(one.identity, other.identity)
        self.assertNotEqual(one.identity, Exchange("b.example", ("192.0.2.1",)).identity)
        bob = Exchange("a.example", credentials=Password("bob", "secret"))
        self.assertNotEqual(one.identity, bob.identity)

    def test_for_people(self) -> None:
        self.assertEqual(str(Exchange("2001:db8::1", port=25)), "[2001:db8::1]:25")
        self.assertEqual(str(Exchange("", path="/run/lmtp")), "/run/lmtp")
