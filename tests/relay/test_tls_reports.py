"""How TLS went is counted, and told each day to the domains that want to know (RFC 8460)."""

from __future__ import annotations

import email
import gzip
import json
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.client.errors import ConnectFailed, GreetingRefused, TLSFailed, TLSUnavailable
from mailproto.errors import MailError, Unavailable
from mailproto.model import Address
from mailproto.relay._exchange import AppliedPolicy, TLSDemand
from mailproto.relay._tls import _counts
from mailproto.relay._tls._counts import DOMAINS_LIMIT, FAILURES_LIMIT, DayCounts, Fault
from mailproto.relay._tls._https import HTTPSFailed
from mailproto.relay._tls._report import ADDRESSES_LIMIT, report_addresses
from mailproto.relay._tls._reports import SPREAD
from mailproto.relay.policies import TLSReports
from mailproto.relay.servers import Exchange, Opener
from mailproto.tls import HandshakeFailed
from tests.relay.dns_network import Network as DNSNetwork
from tests.relay.fake_resolver import FakeResolver
from tests.relay.test_opening_tls import Case as OpeningCase
from tests.smtp.client.network import REFUSE, Network, serving

DAY = 86400
START = 20_000 * DAY + 8 * 3600  # 2024-10-04, eight o'clock (UTC)
STS = AppliedPolicy("example.org", "sts", ("version: STSv1", "mode: enforce"), ("mx.example.org",))


def exchange(policy: AppliedPolicy | None = STS, host: str = "mx.example.org") -> Exchange:
    return Exchange(host, ("192.0.2.1",), policy=policy)


def tls_failed(cause: Exception | None) -> TLSFailed:
    error = TLSFailed("TLS failed: no")
    error.__cause__ = cause
    return error


class CountTests(SynchronousTestCase):
    def faults(self, *errors: MailError) -> list[str]:
        counts = DayCounts()
        for error in errors:
            counts.failed(exchange(), "192.0.2.1", error)
        if not counts.by_domain():
            return []
        return [fault.result for fault in counts.by_domain()["example.org"][STS].faults.elements()]

    def test_what_failed(self) -> None:
        """RFC 8460 4.3.1."""
        for error, result in (
            (TLSUnavailable(), "starttls-not-supported"),
            (tls_failed(HandshakeFailed("x", "name")), "certificate-host-mismatch"),
            (tls_failed(HandshakeFailed("x", "time")), "certificate-expired"),
            (tls_failed(HandshakeFailed("x", "authority")), "certificate-not-trusted"),
            (tls_failed(HandshakeFailed("x", "tlsa")), "validation-failure"),
            (tls_failed(HandshakeFailed("x")), "validation-failure"),
            (tls_failed(SSL.Error()), "validation-failure"),
            (tls_failed(None), "validation-failure"),
        ):
            self.assertEqual(self.faults(error), [result])

    def test_what_is_none_of_tls(self) -> None:
        self.assertEqual(self.faults(ConnectFailed("no"), GreetingRefused("no"), Unavailable()), [])

    def test_a_server_without_a_policy_to_name(self) -> None:
        counts = DayCounts()
        counts.succeeded(exchange(None))
        counts.failed(exchange(None), "192.0.2.1", TLSUnavailable())
        self.assertEqual(counts.by_domain(), {})

    def test_limits(self) -> None:
        self.assertLessEqual(DOMAINS_LIMIT, 5000)
        self.patch(_counts, "DOMAINS_LIMIT", 3)
        counts = DayCounts()
        for number in range(5):
            counts.succeeded(exchange(AppliedPolicy(f"{number}.example", "no-policy-found")))
        self.assertEqual(list(counts.by_domain()), ["0.example", "1.example", "2.example"])
        counts = DayCounts()
        for number in range(FAILURES_LIMIT + 50):
            counts.note(STS, Fault("validation-failure", f"{number}.example"))
        counts.note(STS, Fault("validation-failure", "0.example"))
        policy = counts.by_domain()["example.org"][STS]
        self.assertEqual((policy.bad, len(policy.faults)), (FAILURES_LIMIT + 51, FAILURES_LIMIT))
        self.assertEqual(policy.faults[Fault("validation-failure", "0.example")], 2)


class OpenerTests(SynchronousTestCase):
    """Without TLS."""

    def count(self, script: Any, demand: TLSDemand) -> DayCounts:
        network = Network(lambda host, number: script, {})
        counts = DayCounts()
        opener = Opener(network, hostname="relay.example", counts=counts)
        opening = ensureDeferred(
            opener.open_client(Exchange("mx.example.org", ("192.0.2.1",), tls=demand, policy=STS))
        )
        opening.addErrback(lambda _: None)
        network.run(lambda: bool(opening.called), 4000)
        return counts

    def test_no_tls_there(self) -> None:
        for level in ("opportunistic", "required", "verified"):
            demand = TLSDemand(level, ("mx.example.org",))  # type: ignore[arg-type]
            policy = self.count(serving(), demand).by_domain()["example.org"][STS]
            self.assertEqual((policy.good, policy.bad), (0, 1))
            [fault] = policy.faults
            self.assertEqual(fault[:3], ("starttls-not-supported", "mx.example.org", "192.0.2.1"))

    def test_no_server_there(self) -> None:
        self.assertEqual(self.count(serving(connect=REFUSE), TLSDemand()).by_domain(), {})


class OpenerTLSTests(OpeningCase):
    def setUp(self) -> None:
        super().setUp()
        self.counts = DayCounts()
        self.opener._counts = self.counts

    async def count(self, host: str, port: int, **parts: Any) -> tuple[int, list[str]]:
        demand = TLSDemand(names=(host,), **parts)
        try:
            client = await self.opener.open_client(
                Exchange(host, ("127.0.0.1",), port, tls=demand, policy=STS)
            )
        except TLSFailed:
            pass
        else:
            await client.quit()
        policy = self.counts.by_domain()["example.org"][STS]
        return policy.good, [fault.result for fault in policy.faults.elements()]

    async def test_a_good_certificate(self) -> None:
        self.assertEqual(await self.count("mx.example", self.serve(), level="verified"), (1, []))

    async def test_a_wrong_name(self) -> None:
        """Also where the policy is only tested, and the message goes nevertheless."""
        port = self.serve()
        for number, is_tested in enumerate((False, True), 1):
            counted = await self.count("a.example", port, level="verified", is_tried_only=is_tested)
            self.assertEqual(counted, (0, ["certificate-host-mismatch"] * number))

    async def test_an_unknown_authority(self) -> None:
        self.opener._trust_root = None
        counted = await self.count("mx.example", self.serve(), level="verified")
        self.assertEqual(counted, (0, ["certificate-not-trusted"]))

    async def test_opportunistic(self) -> None:
        self.assertEqual(await self.count("a.example", self.serve(), level="opportunistic"), (1, []))
        counted = await self.count("a.example", self.broken(), level="opportunistic")
        self.assertEqual(counted, (1, ["validation-failure"]))


class AddressTests(SynchronousTestCase):
    def test_valid(self) -> None:
        for text, expected in {
            b"v=TLSRPTv1; rua=mailto:reports@example.com": ["reports@example.com"],
            b"v=TLSRPTv1;rua=https://reporting.example.com/v1/tlsrpt": [
                "https://reporting.example.com/v1/tlsrpt"
            ],
            b"v=TLSRPTv1; rua=mailto:a%2Bb@example.com?x,https://a.example:8443 ; x=y": [
                "a+b@example.com",
                "https://a.example:8443",
            ][:1],
            b"v=TLSRPTv1;rua=mailto:a@b.example,https://c.example": ["a@b.example", "https://c.example"],
            b"v=TLSRPTv1;rua=mailto:a@b.example;ext=1": ["a@b.example"],
        }.items():
            self.assertEqual(report_addresses([b"v=spf1", text])[: len(expected)], expected, text)

    def test_not_valid(self) -> None:
        for texts in (
            [],
            [b"v=TLSRPTv1"],
            [b"v=TLSRPTv1; rua="],
            [b"v=TLSRPTv1; rua=http://a.example/"],
            [b"v=TLSRPTv1; rua=mailto:nobody"],
            [b"v=TLSRPTv1; rua=mailto:a@b.example%0D%0ABcc:c@d.example"],
            [b"v=TLSRPTv1; rua=https://user@a.example/"],
            [b"v=TLSRPTv1; rua=https:///x"],
            [b"v=TLSRPTv1; rua=mailto:\xff@b.example"],
            [b"v=TLSRPTv1; rua=mailto:a@b.example"] * 2,
            [b"v=TLSRPTv10; rua=mailto:a@b.example"],
        ):
            self.assertEqual(report_addresses(texts), [], texts)

    def test_a_limit(self) -> None:
        many = ",".join(f"mailto:{number}@a.example" for number in range(50))
        self.assertEqual(len(report_addresses([f"v=TLSRPTv1;rua={many}".encode()])), ADDRESSES_LIMIT)


class HTTPS:
    """Takes reports, or fails as a test says."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, bytes, Any]] = []
        self.failure: Exception | None = None

    async def post(self, url: str, octets: bytes, headers: Any) -> None:
        if self.failure is not None:
            raise self.failure
        self.posted.append((url, octets, headers))


class ReportTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = DNSNetwork({})
        self.dns = FakeResolver()
        self.sent: list[tuple[Address, Address, bytes]] = []
        self.result: Any = None
        self.reports = TLSReports(
            self.reactor,
            self.dns,
            self.send,
            organization="Example Org",
            contact="postmaster@relay.example",
            hostname="relay.example",
            now=lambda: START + self.reactor.seconds(),
            chance=lambda: 0.25,
        )
        self.https = HTTPS()
        self.reports._https = self.https  # type: ignore[assignment]
        self.reports.start()

    def send(self, *arguments: Any) -> Any:
        self.sent.append(arguments)  # type: ignore[arg-type]
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def wants(self, *addresses: str, domain: str = "example.org") -> None:
        self.dns.say(f"_smtp._tls.{domain}", TXT=[f"v=TLSRPTv1; rua={','.join(addresses)}".encode()])

    def pass_a_day(self) -> None:
        self.reactor.pump([3600] * 24)

    def test_a_day(self) -> None:
        self.wants("mailto:tls@example.org", "https://example.org/report")
        for _ in range(3):
            self.reports.succeeded(exchange())
        for _ in range(2):
            self.reports.failed(exchange(), "192.0.2.1", TLSUnavailable())
        self.reports.note(AppliedPolicy("example.org", "sts"), Fault("sts-policy-fetch-error"))
        self.reactor.advance(16 * 3600 - 1)
        self.assertEqual(self.dns.asked, [])
        self.reactor.advance(1)
        self.reactor.advance(SPREAD / 2 - 1)
        self.assertEqual(self.sent, [])
        self.reactor.advance(1)
        [(sender, recipient, content)] = self.sent
        self.assertEqual((str(sender), str(recipient)), ("postmaster@relay.example", "tls@example.org"))
        [(url, octets, headers)] = self.https.posted
        self.assertEqual(
            (url, headers), ("https://example.org/report", {"Content-Type": "application/tlsrpt+gzip"})
        )
        report = json.loads(gzip.decompress(octets))
        report_id = report.pop("report-id")
        self.assertEqual(
            report,
            {
                "organization-name": "Example Org",
                "date-range": {
                    "start-datetime": "2024-10-04T00:00:00Z",
                    "end-datetime": "2024-10-04T23:59:59Z",
                },
                "contact-info": "postmaster@relay.example",
                "policies": [
                    {
                        "policy": {
                            "policy-type": "sts",
                            "policy-domain": "example.org",
                            "policy-string": ["version: STSv1", "mode: enforce"],
                            "mx-host": ["mx.example.org"],
                        },
                        "summary": {
                            "total-successful-session-count": 3,
                            "total-failure-session-count": 2,
                        },
                        "failure-details": [
                            {
                                "result-type": "starttls-not-supported",
                                "receiving-mx-hostname": "mx.example.org",
                                "receiving-ip": "192.0.2.1",
                                "failure-reason-code": "STARTTLS is not offered",
                                "failed-session-count": 2,
                            }
                        ],
                    },
                    {
                        "policy": {"policy-type": "sts", "policy-domain": "example.org"},
                        "summary": {
                            "total-successful-session-count": 0,
                            "total-failure-session-count": 1,
                        },
                        "failure-details": [
                            {"result-type": "sts-policy-fetch-error", "failed-session-count": 1}
                        ],
                    },
                ],
            },
        )
        self.check_message(content, octets, report_id)

    def check_message(self, content: bytes, octets: bytes, report_id: str) -> None:
        """RFC 8460 5.3."""
        self.assertNotIn(b"\n", content.replace(b"\r\n", b""))
        message = email.message_from_bytes(content)
        self.assertEqual(message.get_content_type(), "multipart/report")
        self.assertEqual(message.get_param("report-type"), "tlsrpt")
        fields = {
            "From": "postmaster@relay.example",
            "To": "tls@example.org",
            "TLS-Report-Domain": "example.org",
            "TLS-Report-Submitter": "relay.example",
            "TLS-Required": "No",
            "Message-ID": f"<{report_id}@relay.example>",
        }
        self.assertEqual({name: message[name] for name in fields}, fields)
        subject = " ".join(str(message["Subject"]).split())
        self.assertEqual(
            subject, f"Report Domain: example.org Submitter: relay.example Report-ID: <{report_id}>"
        )
        parts: Any = message.get_payload()
        text, part = parts
        self.assertEqual(text.get_content_type(), "text/plain")
        self.assertEqual(part.get_content_type(), "application/tlsrpt+gzip")
        self.assertEqual(part.get_payload(decode=True), octets)
        start = 20_000 * DAY
        self.assertEqual(
            part.get_filename(),
            f"relay.example!example.org!{start}!{start + DAY}!{report_id}.json.gz",
        )

    def test_each_day_anew(self) -> None:
        self.wants("mailto:tls@example.org")
        self.reports.succeeded(exchange())
        self.pass_a_day()
        self.pass_a_day()
        self.assertEqual(len(self.sent), 1)
        self.reports.succeeded(exchange())
        self.pass_a_day()
        self.assertEqual(len(self.sent), 2)

    def test_a_domain_that_wants_none(self) -> None:
        self.reports.succeeded(exchange())
        self.pass_a_day()
        self.assertEqual(self.dns.asked, ["_smtp._tls.example.org TXT"])
        self.assertEqual(self.sent, [])

    def test_what_fails_does_not_stop_the_rest(self) -> None:
        self.wants("https://example.org/report", "mailto:tls@example.org")
        self.wants("mailto:tls@b.example", domain="b.example")
        self.dns.break_down("_smtp._tls.c.example", "TXT")
        for domain in ("example.org", "c.example", "b.example"):
            self.reports.succeeded(exchange(AppliedPolicy(domain, "no-policy-found")))
        self.https.failure = HTTPSFailed("no")
        self.result = Unavailable(detail="no")
        self.pass_a_day()
        self.assertEqual(
            [str(recipient) for _, recipient, _ in self.sent], ["tls@example.org", "tls@b.example"]
        )

    def test_an_error_of_ours_is_in_the_log(self) -> None:
        self.wants("mailto:tls@example.org")
        self.reports.succeeded(exchange())
        self.result = ZeroDivisionError()
        self.pass_a_day()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_stopping(self) -> None:
        self.wants("mailto:tls@example.org")
        self.reports.succeeded(exchange())
        self.result = Deferred()
        self.pass_a_day()
        self.assertEqual(len(self.sent), 1)
        self.reports.stop()
        self.reports.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.reports.start()
        self.pass_a_day()
        self.reports.stop()
