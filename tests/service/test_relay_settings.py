"""The settings of the relay, and their options."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import Password
from mailproto.service import Options, RelaySettings, SettingError, Settings


def parse(*arguments: str) -> Settings:
    options = Options()
    options.parseOptions(arguments)
    return options.settings


def hop(settings: Settings, domain: str) -> str:
    return str(settings.relay.routes_for(settings.domains).next_hop(domain))


class RelaySettingsTests(SynchronousTestCase):
    def test_a_laptop_sends_nothing(self) -> None:
        self.assertEqual(hop(parse(), "example.net"), "None")
        self.assertEqual(hop(parse("--domain", "localhost"), "example.net"), "None")

    def test_a_server_of_a_domain_sends_by_mx(self) -> None:
        self.assertEqual(hop(parse("--domain", "example.org"), "example.net"), "mx")
        self.assertEqual(hop(parse("--domain", "localhost", "--domain", "a.example"), "example.net"), "mx")

    def test_what_is_said_counts(self) -> None:
        self.assertEqual(hop(parse("--domain", "example.org", "--relay", "off"), "example.net"), "None")
        self.assertEqual(hop(parse("--relay", "mx"), "example.net"), "mx")
        settings = parse(
            *("--relay", "smtp://mail.example.net?tls=verified"),
            *("--route", "*.lab.example=lmtp://10.0.0.1:2003", "--route", "quiet.example=off"),
        )
        self.assertEqual(hop(settings, "example.net"), "smtp://mail.example.net:25?tls=verified")
        self.assertEqual(hop(settings, "a.lab.example"), "lmtp://10.0.0.1:2003")
        self.assertEqual(hop(settings, "quiet.example"), "None")

    def test_the_rest(self) -> None:
        relay = parse(
            *("--relay-from", "192.0.2.0/24", "--relay-from", "::1", "--resolver", "127.0.0.1:5353"),
            *("--resolver", "[::1]:53", "--mx-port", "2525", "--retry", "5", "--lifetime", "600"),
            *("--delay-notice", "0"),
        ).relay
        self.assertIn("192.0.2.9", relay.clients)
        self.assertIn("::1", relay.clients)
        self.assertEqual(relay.servers, [("127.0.0.1", 5353), ("::1", 53)])
        self.assertEqual((relay.mx_port, relay.retry, relay.lifetime, relay.delay_notice), (2525, 5, 600, 0))

    def test_times_have_units(self) -> None:
        relay = parse("--retry", "90s", "--lifetime", "2d", "--delay-notice", "4h").relay
        self.assertEqual((relay.retry, relay.lifetime, relay.delay_notice), (90, 172_800, 14_400))
        given, default = parse().relay, RelaySettings()
        self.assertEqual(
            (given.retry, given.lifetime, given.delay_notice),
            (default.retry, default.lifetime, default.delay_notice),
        )

    def test_reports_about_tls(self) -> None:
        self.assertIsNone(parse().relay.tls_reports)
        self.assertEqual(parse("--tls-reports", "tls@example.org").relay.tls_reports, "tls@example.org")

    def test_what_is_wrong_is_said(self) -> None:
        for arguments, text in (
            (("--relay", "nonsense"), "--relay: "),
            (("--relay", "smtp://u:p@mail.example.net"), "--relay: "),
            (("--route", "example.org"), "--route: must be DOMAIN=URL"),
            (("--route", "a b=mx"), "--route: "),
            (("--route", "a.example=mx", "--route", "a.example=off"), "--route: a.example has two routes"),
            (("--route", "a.example=mx", "--route", "A.example=off"), "--route: "),
            (("--relay-from", "192.0.2.0/33"), "--relay-from"),
            (("--resolver", "127.0.0.1"), "--resolver: not the address and port of a DNS server"),
            (
                ("--resolver", "dns.example:53"),
                "--resolver: not the address and port of a DNS server: 'dns.example:53'; one is "
                "127.0.0.1:53 or [::1]:53; a name has no address before there is a DNS server to ask",
            ),
            (("--resolver", "localhost"), "a name has no address"),
            (("--resolver", "::1:53"), "one is 127.0.0.1:53 or [::1]:53"),
            (("--resolver", "127.0.0.1:0"), "one is 127.0.0.1:53 or [::1]:53"),
            (("--resolver", ""), "--resolver: not the address and port"),
            (("--tls-reports", "nobody"), "--tls-reports: "),
            (("--tls-reports", "bücher@a.example"), "--tls-reports: "),
            (("--mx-port", "0"), "--mx-port 0: must be a port, a number from 1 to 65535"),
            (("--mx-port", "65536"), "--mx-port 65536: must be a port"),
            (("--relay-from", "unix"), "--relay-from: "),
            (("--relay-from", "10.0.0.0/8", "--proxy", "10.1.2.3"), "--relay-from: a proxy is among them"),
            (("--retry", "0"), "--retry 0: must be at least 1s"),
            (("--retry", "soon"), "--retry soon: must be a length of time: seconds such as 90, or 90s"),
            (("--retry", ""), "--retry: must be a length of time"),
            (("--lifetime", "5 days"), "--lifetime 5 days: must be a length of time"),
            (("--delay-notice", "-1"), "--delay-notice -1: must be a length of time"),
            (("--delay-notice", "99999d"), "--delay-notice 99999d: must be at most 10000d"),
            (("--relay-credentials", "/nowhere/at/all"), "--relay-credentials /nowhere/at/all: No such file"),
            (("--relay-credentials", ""), "--relay-credentials: a path is missing"),
            (("--relay", ""), "--relay: a next hop must be "),
        ):
            with self.assertRaises(UsageError) as caught:
                parse(*arguments)
            self.assertIn(text, str(caught.exception), arguments)

    def test_values_of_a_program(self) -> None:
        values: list[tuple[str, Any]] = [
            ("relay.way", {"way": 5}),
            ("relay.routes", {"routes": ["a"]}),
            ("relay.routes", {"routes": {"a.example": 5}}),
            ("relay.credentials", {"credentials": {"a.example": "secret"}}),
            ("relay.clients", {"clients": "10.0.0.0/8"}),
            ("relay.resolvers", {"resolvers": "127.0.0.1:53"}),
            ("relay.retry", {"retry": -1}),
            ("relay.lifetime", {"lifetime": "long"}),
        ]
        for path, given in values:
            with self.assertRaises(SettingError) as caught:
                RelaySettings(**given)
            self.assertEqual(caught.exception.path, path)
            self.assertNotIn("secret", str(caught.exception))


class CredentialsTests(SynchronousTestCase):
    def file(self, text: str, mode: int = 0o600) -> str:
        path = Path(self.mktemp())
        path.write_text(text)
        os.chmod(path, mode)
        return str(path)

    def test_a_password_may_have_spaces(self) -> None:
        file = self.file("# the smarthost\n\nmail.example.net alice top secret \n10.0.0.1 bob x\n")
        settings = parse("--relay", "smtp://mail.example.net", "--relay-credentials", file)
        self.assertEqual(
            settings.relay.credentials,
            {"mail.example.net": Password("alice", "top secret "), "10.0.0.1": Password("bob", "x")},
        )
        next_hop = settings.relay.routes_for(settings.domains).next_hop("x.example")
        assert next_hop is not None
        self.assertEqual(next_hop.credentials, Password("alice", "top secret "))
        self.assertNotIn("top secret", repr(settings))

    def test_where_no_certificate_is_demanded(self) -> None:
        file = self.file("Mail.example.net alice x\n127.0.0.1 bob x\nother.example carol x\n")
        for arguments, found in (
            (("--relay", "smtp://mail.example.net"), []),
            (("--relay", "smtp://mail.example.net?tls=verified"), []),
            (("--relay", "smtp://127.0.0.1?tls=none"), []),
            (("--relay", "smtp://third.example?tls=none"), []),
            (("--relay", "mx"), []),
            (("--relay", "smtp://mail.example.net?tls=none"), ["smtp://mail.example.net:25?tls=none"]),
            (
                ("--relay", "off", "--route", "a.example=smtp://OTHER.example?tls=required"),
                ["smtp://other.example:25?tls=required"],
            ),
        ):
            settings = parse(*arguments, "--relay-credentials", file)
            self.assertEqual([str(hop) for hop in settings.relay.unverified(settings.domains)], found)

    def test_what_is_wrong_shows_no_password(self) -> None:
        for text, mode, reason in (
            ("mail.example.net secret\n", 0o600, "line 1: must be HOST USER PASSWORD"),
            ("\na b@ secret secret\nx\n", 0o600, "line 3: must be HOST USER PASSWORD"),
            ("a..b alice secret\n", 0o600, "line 1: "),
            ("mail.example.net alice secret\n", 0o604, "chmod 600"),
        ):
            with self.assertRaises(UsageError) as caught:
                parse("--relay-credentials", self.file(text, mode))
            self.assertIn(reason, str(caught.exception))
            self.assertNotIn("secret", str(caught.exception))
