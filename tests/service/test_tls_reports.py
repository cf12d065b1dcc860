"""Reports about TLS go onto the server's own queue."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import ensureDeferred

from mailproto.errors import RelayDenied
from mailproto.model import Address
from mailproto.relay._exchange import AppliedPolicy, Exchange
from mailproto.service import RelaySettings, Settings
from mailproto.service._tls_reports import tls_reports
from tests.relay.dns_network import Network
from tests.relay.fake_resolver import FakeResolver
from tests.relay.test_intake import IntakeCase


class TLSReportsTests(IntakeCase):
    def reports(self, contact: str | None) -> Any:
        self.dns: Any = FakeResolver()
        settings = Settings(
            hostname="mx.example.org", domains=["example.org"], relay=RelaySettings(tls_reports=contact)
        )
        self.reactor = Network({})
        return tls_reports(settings, self.queue, self.delivery, self.dns, self.reactor)  # type: ignore[arg-type]

    def test_switched_off(self) -> None:
        self.assertIsNone(self.reports(None))

    def test_a_report(self) -> None:
        reports = self.reports("tls@example.org")
        self.dns.say("_smtp._tls.example.net", TXT=[b"v=TLSRPTv1; rua=mailto:reports@example.net"])
        reports.start()
        reports.succeeded(Exchange("mx.example.net", policy=AppliedPolicy("example.net", "no-policy-found")))
        self.reactor.pump([3600] * 48)
        reports.stop()
        [message] = self.queue.added
        self.assertEqual(str(message.envelope.sender), "tls@example.org")
        self.assertEqual([str(each.address) for each in message.envelope.recipients], ["reports@example.net"])
        self.assertEqual(message.destinations, ("example.net",))
        text = bytes(message.content)
        for line in (b"From: tls@example.org\r\n", b"To: reports@example.net\r\n", b"TLS-Required: No\r\n"):
            self.assertIn(line, text)

    def test_a_domain_to_which_no_mail_is_sent(self) -> None:
        reports = self.reports("tls@example.org")
        sending = reports._send(
            Address.parse("tls@example.org"), Address.parse("a@quiet.example"), b"x: y\r\n\r\n"
        )
        self.failureResultOf(ensureDeferred(sending), RelayDenied)
        self.assertEqual(self.queue.added, [])
