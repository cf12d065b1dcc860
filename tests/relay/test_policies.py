"""What TLS a domain's servers must have: DANE before MTA-STS before the route."""

from __future__ import annotations

import hashlib
from typing import Any

from twisted.internet.defer import Deferred, succeed

from mailproto.relay._dns import TLSARecord
from mailproto.relay._exchange import OPPORTUNISTIC, TLSDemand
from mailproto.relay._tls import TLSPolicies
from mailproto.relay._tls._dane import TLSA_LIMIT
from mailproto.relay._tls._sts_policy import STSPolicy
from tests.relay.test_exchanges import Case as ExchangesCase

KEY = hashlib.sha256(b"key").digest()
EE, TA = TLSARecord(3, 1, 1, KEY), TLSARecord(2, 0, 1, KEY)


class Policies:
    """The policies of MTA-STS that a test has set."""

    def __init__(self, **policies: STSPolicy) -> None:
        self.policies = {name.replace("_", "."): policy for name, policy in policies.items()}

    def policy(self, domain: str) -> Deferred[STSPolicy | None]:
        return succeed(self.policies.get(domain))


class Case(ExchangesCase):
    """example.org has two servers, a.example and b.example, and the DNS is secure."""

    sts: Policies | None = None

    def setUp(self) -> None:
        super().setUp()
        self.dns.say("example.org", MX=["10 a.example", "20 b.example"], secure=True)
        self.dns.say("a.example", A=["192.0.2.1"], secure=True)
        self.dns.say("b.example", A=["192.0.2.2"], secure=True)

    def tlsa(self, host: str, *records: TLSARecord, secure: bool = True, port: int = 25) -> None:
        self.dns.say(f"_{port}._tcp.{host}", TLSA=records, secure=secure)

    def find(self, *arguments: Any, **settings: Any) -> Any:
        return super().find(*arguments, policies=TLSPolicies(self.dns, self.sts), **settings)

    def fail_to_find(self, *arguments: Any, **settings: Any) -> str:
        return super().fail_to_find(*arguments, policies=TLSPolicies(self.dns, self.sts), **settings)

    def demands(self, hop: str = "mx", **settings: Any) -> dict[str, TLSDemand]:
        return {each.host: each.tls for each in self.find(hop=hop, **settings)}


class RouteTests(Case):
    def test_by_default_it_is_opportunistic(self) -> None:
        self.assertEqual(self.demands(), {"a.example": OPPORTUNISTIC, "b.example": OPPORTUNISTIC})

    def test_what_the_route_says(self) -> None:
        for level in ("none", "opportunistic", "required"):
            self.assertEqual(self.demands(f"mx?tls={level}")["a.example"].level, level)
        demand = self.demands("mx?tls=verified")["b.example"]
        self.assertEqual((demand.level, demand.names, demand.reason), ("verified", ("b.example",), "route"))

    def test_the_url_of_a_host_is_all_that_counts(self) -> None:
        self.tlsa("a.example", EE)
        self.assertEqual(self.demands("smtp://a.example?tls=none")["a.example"].level, "none")
        self.assertEqual(self.demands("smtp://a.example")["a.example"].level, "opportunistic")


class DANETests(Case):
    def test_secure_records(self) -> None:
        self.tlsa("a.example", EE, TA)
        demands = self.demands()
        self.assertEqual(
            demands["a.example"], TLSDemand("dane", ("a.example", "example.org"), (TA, EE), reason="dane")
        )
        self.assertEqual(demands["b.example"], OPPORTUNISTIC)

    def test_the_port(self) -> None:
        self.tlsa("a.example", EE, port=2525)
        self.assertEqual(self.demands(mx_port=2525)["a.example"].level, "dane")

    def test_what_is_not_secure_does_not_count(self) -> None:
        self.tlsa("a.example", EE, secure=False)
        self.assertEqual(self.demands()["a.example"], OPPORTUNISTIC)
        self.tlsa("a.example", EE)
        self.dns.say("a.example", A=["192.0.2.1"], secure=False)
        self.assertEqual(self.demands()["a.example"], OPPORTUNISTIC)
        self.dns.say("a.example", A=["192.0.2.1"], secure=True)
        self.dns.say("example.org", MX=["10 a.example"], secure=False)
        self.assertEqual(self.demands()["a.example"], OPPORTUNISTIC)

    def test_an_address_that_cannot_be_known_takes_nothing_away(self) -> None:
        """An attacker could keep the answer from us."""
        self.tlsa("a.example", EE)
        self.dns.break_down("a.example", "AAAA")
        self.assertEqual(self.demands()["a.example"].level, "dane")

    def test_no_question_where_the_answer_would_not_count(self) -> None:
        """Servers of the DNS that know no TLSA would delay mail for nothing (RFC 7672 2.1.3)."""
        self.dns.say("a.example", A=["192.0.2.1"], secure=False)
        self.dns.break_down("_25._tcp.a.example", "TLSA")
        self.demands()
        self.assertNotIn("_25._tcp.a.example TLSA", self.dns.asked)

    def test_records_that_cannot_be_used(self) -> None:
        """There must be TLS nevertheless (RFC 7672 2.2)."""
        for record in (
            TLSARecord(0, 1, 1, KEY),
            TLSARecord(1, 1, 1, KEY),
            TLSARecord(255, 1, 1, KEY),
            TLSARecord(3, 2, 1, KEY),
            TLSARecord(3, 1, 3, KEY),
            TLSARecord(3, 1, 1, KEY[:-1]),
            TLSARecord(3, 1, 2, KEY),
            TLSARecord(3, 0, 0, b""),
        ):
            self.tlsa("a.example", record)
            self.assertEqual(self.demands()["a.example"], TLSDemand("required", reason="dane"), record)
            self.tlsa("a.example", record, EE)
            self.assertEqual(self.demands()["a.example"].records, (EE,))

    def test_a_limit(self) -> None:
        records = [TLSARecord(3, 1, 1, hashlib.sha256(bytes([number])).digest()) for number in range(100)]
        self.tlsa("a.example", *records)
        self.assertEqual(len(self.demands()["a.example"].records), TLSA_LIMIT)

    def test_no_answer_means_no_mail_there(self) -> None:
        """An attacker could keep the answer from us (RFC 7672 2.1.2)."""
        self.dns.break_down("_25._tcp.a.example", "TLSA")
        self.assertEqual(list(self.demands()), ["b.example"])
        self.dns.break_down("_25._tcp.b.example", "TLSA")
        self.assertIn("451 4.4.3 ", self.fail_to_find())

    def test_a_host_that_is_an_alias(self) -> None:
        """Records of the name that it stands for count first (RFC 7672 2.2.3)."""
        self.dns.say("a.example", A=["192.0.2.1"], secure=True, alias="c.example")
        self.tlsa("a.example", TA)
        self.assertEqual(self.demands()["a.example"].names, ("a.example", "example.org"))
        self.tlsa("c.example", EE)
        self.assertEqual(self.demands()["a.example"].names, ("c.example", "example.org", "a.example"))
        self.assertEqual(self.demands()["a.example"].records, (EE,))

    def test_without_mx(self) -> None:
        self.dns.say("b.example", A=["192.0.2.2"], secure=True)
        self.tlsa("b.example", EE)
        [exchange] = self.find("b.example")
        self.assertEqual(exchange.tls.names, ("b.example",))

    def test_a_route_without_tls(self) -> None:
        self.tlsa("a.example", EE)
        self.assertEqual(self.demands("mx?tls=none")["a.example"].level, "none")

    def test_a_route_with_tls(self) -> None:
        for level in ("required", "verified"):
            self.tlsa("a.example", EE)
            self.assertEqual(self.demands(f"mx?tls={level}")["a.example"].level, "dane")
        self.tlsa("a.example", TLSARecord(0, 1, 1, KEY))
        self.assertEqual(self.demands("mx?tls=verified")["a.example"].level, "verified")

    def test_an_address_literal(self) -> None:
        self.assertEqual(self.find("[192.0.2.1]")[0].tls, OPPORTUNISTIC)


class STSTests(Case):
    def setUp(self) -> None:
        super().setUp()
        self.dns.say("example.org", MX=["10 a.example", "20 b.example"])

    def policy(self, mode: Any, *patterns: str) -> None:
        self.sts = Policies(example_org=STSPolicy(mode, patterns, 86400))

    def test_enforced(self) -> None:
        self.policy("enforce", "a.example", "b.example")
        self.assertEqual(self.demands()["b.example"], TLSDemand("verified", ("b.example",), reason="sts"))

    def test_a_server_that_it_does_not_name(self) -> None:
        self.policy("enforce", "b.example")
        self.assertEqual(list(self.demands()), ["b.example"])
        self.policy("enforce", "c.example")
        self.assertEqual(
            self.fail_to_find(),
            "451 4.7.5 a.example is no server that the policy of example.org (MTA-STS) names",
        )

    def test_only_tested(self) -> None:
        self.policy("testing", "b.example")
        demands = self.demands()
        self.assertEqual(demands["a.example"], OPPORTUNISTIC)
        self.assertEqual(
            demands["b.example"], TLSDemand("verified", ("b.example",), reason="sts", is_tried_only=True)
        )

    def test_none(self) -> None:
        self.policy("none")
        self.assertEqual(self.demands()["a.example"], OPPORTUNISTIC)

    def test_dane_decides_above_it(self) -> None:
        self.dns.say("example.org", MX=["10 a.example", "20 b.example"], secure=True)
        self.tlsa("a.example", EE)
        self.policy("enforce", "b.example")
        demands = self.demands()
        self.assertEqual((demands["a.example"].level, demands["b.example"].level), ("dane", "verified"))

    def test_a_route(self) -> None:
        self.policy("enforce", "a.example", "b.example")
        self.assertEqual(self.demands("mx?tls=none")["a.example"].level, "none")
        self.assertEqual(self.demands("mx?tls=required")["a.example"].level, "verified")
        self.policy("testing", "a.example", "b.example")
        self.assertFalse(self.demands("mx?tls=verified")["a.example"].is_tried_only)


class RequireTLSTests(Case):
    """RFC 8689 4.2.1: a name that nobody could forge, and a valid certificate for it."""

    def test_a_secure_name(self) -> None:
        self.assertEqual(
            self.demands(require_tls=True)["a.example"],
            TLSDemand("verified", ("a.example",), reason="requiretls", needs_requiretls=True),
        )

    def test_dane(self) -> None:
        self.tlsa("a.example", EE)
        demand = self.demands(require_tls=True)["a.example"]
        self.assertEqual((demand.level, demand.needs_requiretls), ("dane", True))

    def test_records_that_cannot_be_used_are_not_enough(self) -> None:
        self.tlsa("a.example", TLSARecord(0, 1, 1, KEY))
        self.assertEqual(self.demands(require_tls=True)["a.example"].level, "verified")

    def test_a_policy(self) -> None:
        self.dns.say("example.org", MX=["10 a.example", "20 b.example"])
        for mode in ("enforce", "testing"):
            self.sts = Policies(example_org=STSPolicy(mode, ("b.example",), 86400))  # type: ignore[arg-type]
            demands = self.demands(require_tls=True)
            self.assertEqual(
                demands,
                {"b.example": TLSDemand("verified", ("b.example",), reason="sts", needs_requiretls=True)},
            )

    def test_nothing_vouches(self) -> None:
        self.dns.say("example.org", MX=["10 a.example"])
        error = "550 5.7.10 The message demands TLS (REQUIRETLS), but "
        self.assertEqual(
            self.fail_to_find(require_tls=True), f"{error}nothing vouches for the name a.example"
        )
        self.assertIn(error, self.fail_to_find("[192.0.2.1]", require_tls=True))
        self.assertIn(error, self.fail_to_find(hop="lmtp:///run/lmtp", require_tls=True))

    def test_it_may_be_known_later(self) -> None:
        self.dns.say("example.org", MX=["10 a.example", "20 b.example"])
        self.dns.break_down("b.example", "A")
        self.dns.break_down("b.example", "AAAA")
        self.assertIn("451 4.4.3 ", self.fail_to_find(require_tls=True))

    def test_above_the_route(self) -> None:
        for level in ("none", "opportunistic", "required", "verified"):
            self.assertEqual(self.demands(f"mx?tls={level}", require_tls=True)["a.example"].level, "verified")
        demand = self.demands("smtp://a.example:26?tls=none", require_tls=True)["a.example"]
        self.assertEqual((demand.level, demand.needs_requiretls), ("verified", True))

    def test_a_message_that_does_not_want_it(self) -> None:
        """``TLS-Required: No`` (RFC 8689 5)."""
        self.tlsa("a.example", EE)
        self.sts = Policies(example_org=STSPolicy("enforce", ("c.example",), 86400))
        self.assertEqual(self.demands(require_tls=False)["a.example"], OPPORTUNISTIC)
        self.assertEqual(self.demands("mx?tls=required", require_tls=False)["a.example"].level, "required")
