from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth.sasl import DEFAULT_MECHANISMS
from mailproto.model import POP3Policy
from mailproto.relay.limits import RelayLimits
from mailproto.service import (
    Options,
    POP3Settings,
    QuotaSettings,
    ServiceLimits,
    Settings,
    SMTPSettings,
    TLSSettings,
)
from mailproto.smtp.limits import SMTPLimits


def parse(*arguments: str) -> Settings:
    options = Options()
    options.parseOptions(arguments)
    return options.settings


class DefaultTests(SynchronousTestCase):
    def test_nothing_given(self) -> None:
        settings = parse()
        self.assertEqual(settings.data, Path("mailproto-data"))
        self.assertEqual(settings.store, "sqlite:")
        self.assertEqual(settings.domains, ("localhost",))
        self.assertEqual(settings.accounts, ())
        self.assertIsNone(settings.user)
        self.assertEqual(settings.hostname, socket.gethostname())
        self.assertEqual(settings.tls, TLSSettings())
        self.assertEqual(settings.max_message_size, 52_428_800)

    def test_all_listeners_but_lmtp(self) -> None:
        ports = {"smtp": 8025, "submission": 8587, "pop3": 8110, "imap": 8143}
        ports |= {"submissions": 8465, "pop3s": 8995, "imaps": 8993}
        expected = {name: [f"tcp:{port}:interface=127.0.0.1"] for name, port in ports.items()}
        self.assertEqual(parse().listen, expected)


class GivenTests(SynchronousTestCase):
    def test_with_any_endpoint_exactly_those_given(self) -> None:
        settings = parse("--imap", "tcp:1143", "--imap=tcp6:1144", "--lmtp", "unix:/run/lmtp")
        self.assertEqual(settings.listen, {"imap": ["tcp:1143", "tcp6:1144"], "lmtp": ["unix:/run/lmtp"]})

    def test_each_endpoint_option(self) -> None:
        for name in ("smtp", "submission", "lmtp", "pop3", "imap", "submissions", "pop3s", "imaps"):
            self.assertEqual(parse(f"--{name}", "tcp:0").listen, {name: ["tcp:0"]})

    def test_domains(self) -> None:
        self.assertEqual(
            parse("--domain", "example.org.", "--domain", "bücher.example").domains,
            ("example.org", "bücher.example"),
        )

    def test_accounts(self) -> None:
        settings = parse("--account", "alice@example.org:a:b c", "--account", "bob+x@localhost:ü")
        self.assertEqual(
            [(account.name, account.password) for account in settings.accounts],
            [("alice@example.org", "a:b c"), ("bob+x@localhost", "ü")],
        )
        self.assertNotIn("a:b c", repr(settings))

    def test_quota(self) -> None:
        self.assertEqual(parse().quota, QuotaSettings())
        settings = parse("--quota", "1G", "--quota-messages=100000")
        self.assertEqual(settings.quota, QuotaSettings(storage=1 << 30, messages=100_000))
        self.assertEqual(parse("--quota", "10k").quota.storage, 10_240)
        for option, wrong, reason in (
            ("--quota", "1.5G", "not a number of octets, such as 500M or 1G: '1.5G'"),
            ("--quota", "9999999999T", "not a number of octets, such as 500M or 1G: '9999999999T'"),
            ("--quota", "", "not a number of octets, such as 500M or 1G: ''"),
            ("--quota", "0", "must be a whole number of at least 1, not 0"),
            ("--quota-messages", "-1", "not a number: '-1'"),
        ):
            error = self.assertRaises(UsageError, parse, f"{option}={wrong}")
            self.assertIn(f"{option}: {reason}", str(error))

    def test_mechanisms(self) -> None:
        self.assertEqual(parse().auth.mechanisms, DEFAULT_MECHANISMS)
        self.assertFalse(any(mechanism.name.endswith("-PLUS") for mechanism in DEFAULT_MECHANISMS))
        settings = parse("--auth", "plain", "--auth=SCRAM-SHA-256-PLUS", "--auth", "PLAIN")
        names = [mechanism.name for mechanism in settings.auth.mechanisms]
        self.assertEqual(names, ["SCRAM-SHA-256-PLUS", "PLAIN"])
        error = self.assertRaises(UsageError, parse, "--auth", "SCRAM")
        self.assertEqual(
            str(error),
            "--auth: must be one of EXTERNAL, SCRAM-SHA-256-PLUS, SCRAM-SHA-1-PLUS, SCRAM-SHA-256,"
            " SCRAM-SHA-1, OAUTHBEARER, XOAUTH2, CRAM-MD5, PLAIN, LOGIN, not 'SCRAM'",
        )

    def test_what_cannot_be_seen(self) -> None:
        for option, value in (("--account", "al\u200bice@localhost:secret"), ("--domain", "local\u200bhost")):
            error = self.assertRaises(UsageError, parse, option, value)
            self.assertIn("has U+200B (ZERO WIDTH SPACE), which cannot be seen", str(error))
            self.assertNotIn("secret", str(error))

    def test_the_rest(self) -> None:
        settings = parse(
            *("--data", "/d", "--store", "memory:", "--hostname", "mx.example.org"),
            *("--tls-cert", "c.pem", "--tls-key", "k.pem", "--max-message-size", "1000"),
        )
        self.assertEqual((settings.data, settings.store), (Path("/d"), "memory:"))
        self.assertEqual(settings.hostname, "mx.example.org")
        self.assertEqual(settings.tls, TLSSettings(certificate=Path("c.pem"), key=Path("k.pem")))
        self.assertEqual(settings.max_message_size, 1000)

    def test_client_ca(self) -> None:
        self.assertEqual(parse("--client-ca", "ca.pem").tls, TLSSettings(client_ca=Path("ca.pem")))

    def test_proxies(self) -> None:
        proxies = parse("--proxy", "192.0.2.0/24", "--proxy", "::1").proxy.networks
        self.assertIn("192.0.2.7", proxies)
        self.assertIn("::1", proxies)
        self.assertNotIn("127.0.0.1", proxies)
        self.assertFalse(parse().proxy.networks)

    def test_xclient(self) -> None:
        self.assertIn("192.0.2.7", parse("--xclient", "192.0.2.7").proxy.xclient)
        self.assertFalse(parse().proxy.xclient)

    def test_limits(self) -> None:
        limits = parse(
            *("--limit", "smtp.recipients=500", "--limit", "smtp.wire.command_line=4096"),
            *("--limit", "submission.greeting_wait=0.5", "--limit=imap.idle=3600"),
        ).limits
        self.assertEqual(limits.smtp, replace(SMTPLimits(), recipients=500, wire=limits.smtp.wire))
        self.assertEqual(limits.smtp.wire.command_line, 4096)
        self.assertEqual(limits.submission.greeting_wait, 0.5)
        self.assertEqual(limits.submission.recipients, SMTPLimits().recipients)
        self.assertEqual(limits.imap.idle, 3600)
        limits = parse("--limit=smtp.greeting_wait=1.5", "--limit=pop3.connections_per_peer=3").limits
        self.assertEqual((limits.smtp.greeting_wait, limits.pop3.connections_per_peer), (1.5, 3))
        limits = parse(
            *("--limit=smtp.idle=5m", "--limit=imap.idle=0.5h", "--limit=relay.lease=90s"),
            *("--limit=relay.rate=2.5", "--limit=pop3.idle=1h"),
        ).limits
        self.assertEqual((limits.smtp.idle, limits.imap.idle, limits.pop3.idle), (300, 1800, 3600))
        self.assertEqual((limits.relay.lease, limits.relay.rate), (90, 2.5))
        self.assertEqual(parse("--max-message-size=10M").max_message_size, 10 << 20)
        self.assertEqual(parse().limits, ServiceLimits())

    def test_limits_of_the_relay(self) -> None:
        limits = parse("--limit=relay.lease=30", "--limit=relay.connections=400").limits
        self.assertEqual(limits.relay, RelayLimits(lease=30, connections=400))

    def test_limits_of_imap_and_pop3(self) -> None:
        limits = parse(
            *("--limit=imap.failed_logins=3", "--limit=imap.bad_commands=4", "--limit=imap.login=0.5"),
            *("--limit=imap.before_login.line=600", "--limit=imap.wire.literals=7"),
            *("--limit=pop3.failed_logins=5", "--limit=pop3.bad_commands=6", "--limit=pop3.wire.line=300"),
        ).limits
        self.assertEqual((limits.imap.failed_logins, limits.imap.bad_commands), (3, 4))
        self.assertEqual((limits.imap.login, limits.imap.wire.literals), (0.5, 7))
        self.assertEqual(limits.imap.before_login, replace(ServiceLimits().imap.before_login, line=600))
        self.assertEqual((limits.pop3.failed_logins, limits.pop3.bad_commands), (5, 6))
        self.assertEqual(limits.pop3.wire.line, 300)

    def test_the_search_index(self) -> None:
        self.assertEqual(
            [parse(*words).search_index for words in ((), ("--no-search-index",))], [True, False]
        )

    def test_pop3(self) -> None:
        self.assertEqual(parse().pop3, POP3Settings())
        self.assertEqual(parse("--pop3-expire", "never").pop3, POP3Settings())
        words = ["--pop3-expire", "a@b.example=never", "--pop3-expire=0", "--pop3-login-delay=5m"]
        pop3 = parse(*words, "--pop3-login-delay", "C=d@b.example=1h").pop3
        self.assertEqual(pop3.policy, POP3Policy(expire=0, login_delay=300))
        self.assertEqual(
            pop3.policies,
            {
                "a@b.example": POP3Policy(login_delay=300),
                "C=d@b.example": POP3Policy(expire=0, login_delay=3600),
            },
        )

    def test_policies(self) -> None:
        self.assertEqual(parse().smtp, SMTPSettings())
        self.assertEqual(
            [parse(*words).smtp.strict_envelopes for words in ((), ("--strict-envelopes",))], [False, True]
        )
        self.assertEqual(
            parse("--bare-newlines", "normalise", "--any-sender", "--trace-account").smtp,
            SMTPSettings(bare_newlines="normalise", any_sender=True, trace_account=True),
        )


class ErrorTests(SynchronousTestCase):
    def assert_wrong(self, *arguments: str) -> str:
        return str(self.assertRaises(UsageError, parse, *arguments))

    def test_error_names_the_option(self) -> None:
        for arguments in (
            ("--smtp", "nonsense"),
            ("--imap", "tcp:port"),
            ("--pop3s", "bogus:1"),
            ("--pop3-expire", "30"),
            ("--pop3-expire", ""),
            ("--pop3-login-delay", "soon"),
            ("--pop3-login-delay", "2d"),
            ("--pop3-expire", "alice=0"),
            ("--pop3-expire", "a@b.example="),
            ("--pop3-expire", "0", "--pop3-expire", "never"),
            ("--domain", "a b"),
            ("--domain", ""),
            ("--domain", "a@b"),
            ("--domain", "a..b"),
            ("--domain", "x" * 256),
            ("--hostname", "a b"),
            ("--hostname", "a\r\nb"),
            ("--store", "nonsense"),
            ("--max-message-size", "0"),
            ("--max-message-size", "-1"),
            ("--max-message-size", ""),
            ("--max-message-size", "50MB"),
            ("--max-message-size", "9" * 5000),
            ("--tls-cert", "c.pem"),
            ("--tls-key", "k.pem"),
            ("--smtp", "ssl:0:privateKey=/nonexistent"),
            ("--domain", "b\0c"),
            ("--proxy", "proxy.example"),
            ("--xclient", "192.0.2.0/33"),
            ("--bare-newlines", "keep"),
            ("--limit", "recipients"),
            ("--limit", "recipients=500"),
            ("--limit", "smtp=500"),
            ("--limit", "smtp.recipient=500"),
            ("--limit", "smtp.wire=500"),
            ("--limit", "relay.connections=0"),
            ("--limit", "relay.rates=5"),
            ("--limit", "smtp.recipients.more=500"),
            ("--limit", "smtps.recipients=500"),
            ("--limit", "smtp.recipients="),
            ("--limit", "smtp.recipients=-1"),
            ("--limit", "smtp.recipients=1.5"),
            ("--limit", "smtp.idle=nan"),
            ("--limit", "smtp.idle=inf"),
            ("--limit", "smtp.idle=-1"),
            ("--limit", "smtp.idle=5w"),
            ("--limit", "smtp.idle=m"),
            ("--limit", "smtp.idle=nanm"),
            ("--limit", "relay.rate=5m"),
            ("--limit", "imap.wire.append=5"),
            ("--limit", "imap.before_login.append=5"),
            ("--limit", "imap.login=-1"),
            ("--limit", "pop3.wire=5"),
            ("--proxy", "192.0.2.1/24"),
            ("--account", "alice:secret"),
            ("--account", "alice@example.org:sec\udce9ret"),
        ):
            with self.subTest(arguments=arguments):
                message = self.assert_wrong(*arguments)
                self.assertIn(arguments[0], message)
                self.assertNotIn("\n", message)

    def test_a_wrong_limit_is_named_with_those_there_are(self) -> None:
        message = self.assert_wrong("--limit", "smtp.recipient=500")
        self.assertIn("no limit 'smtp.recipient'", message)
        self.assertIn(" smtp.recipients, ", message)
        self.assertIn("smtp.wire.command_line", message)
        self.assertIn("smtp, submission, lmtp, pop3, imap", self.assert_wrong("--limit", "smtps.idle=1"))
        self.assertIn("smtp.recipients: ", self.assert_wrong("--limit", "smtp.recipients=many"))

    def test_size_must_be_a_number(self) -> None:
        self.assertEqual(
            self.assert_wrong("--max-message-size", "50MB"),
            "--max-message-size 50MB: must be a number of octets, such as 500K or 50M",
        )

    def test_no_password_in_an_error(self) -> None:
        for value in (
            "alice@example.org",
            "alice@example.org:",
            "hunter2",
            "@example.org:hunter2",
            ":hunter2",
            "alice@example.org:hunter2\udce9",
        ):
            with self.subTest(value=value):
                self.assertNotIn("hunter2", self.assert_wrong("--account", value))

    def test_arguments_are_not_options(self) -> None:
        self.assert_wrong("extra")
