"""Settings without options: an error names the setting's path, and no option."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth.sasl import server_mechanisms
from mailproto.connection.proxy import Networks
from mailproto.service import (
    AccountSettings,
    AuthSettings,
    LogSettings,
    Options,
    ProxySettings,
    SettingError,
    Settings,
    SMTPSettings,
    TLSSettings,
)
from mailproto.service._options import option_of


class SettingsTests(SynchronousTestCase):
    def test_defaults_are_those_of_the_options(self) -> None:
        options = Options()
        options.parseOptions([])
        defaults = Settings()
        relay = replace(options.settings.relay, clients=defaults.relay.clients)
        self.assertEqual(replace(options.settings, proxy=defaults.proxy, relay=relay), defaults)

    def test_names_are_kept_in_one_form(self) -> None:
        settings = Settings(
            domains=["example.org.", "b\u0075\u0308cher.example"],
            accounts=[AccountSettings(name="Jose\u0301@example.org.", password="x")],
        )
        self.assertEqual(settings.domains, ("example.org", "b\u00fccher.example"))
        self.assertEqual([account.name for account in settings.accounts], ["Jos\u00e9@example.org"])

    def test_an_error_names_the_path(self) -> None:
        good = AccountSettings(name="a@b", password="x")
        cases: list[tuple[str, Any]] = [
            ("store", lambda: Settings(store="nonsense")),
            ("hostname", lambda: Settings(hostname="a b")),
            ("max_message_size", lambda: Settings(max_message_size=0)),
            ("domains", lambda: Settings(domains=())),
            ("domains[1]", lambda: Settings(domains=("good.example", "a b"))),
            ("accounts[1]", lambda: Settings(accounts=[good, AccountSettings(name="alice", password="x")])),
            ("accounts[0]", lambda: Settings(accounts=[AccountSettings(name="a@b", password="")])),
            ("listen.smtps", lambda: Settings(listen={"smtps": []})),
            ("catch_all", lambda: Settings(catch_all="dev")),
            ("catch_all_anywhere", lambda: Settings(catch_all_anywhere=True)),
            ("tls.certificate", lambda: TLSSettings(certificate=Path("c"))),
            ("tls.key", lambda: TLSSettings(key=Path("k"))),
            ("smtp.bare_newlines", lambda: SMTPSettings(bare_newlines="keep")),  # type: ignore[arg-type]
            ("log.level", lambda: LogSettings(level="loud")),
            # Values of the wrong type, as a program may pass them.
            ("data", lambda: Settings(data=5)),  # type: ignore[arg-type]
            ("store", lambda: Settings(store=None)),  # type: ignore[arg-type]
            ("hostname", lambda: Settings(hostname=b"mx")),  # type: ignore[arg-type]
            ("domains", lambda: Settings(domains="x.example")),
            ("domains", lambda: Settings(domains=(b"x",))),  # type: ignore[arg-type]
            ("max_message_size", lambda: Settings(max_message_size="1 MB")),  # type: ignore[arg-type]
            ("accounts", lambda: Settings(accounts={"a@b": "x"})),  # type: ignore[arg-type]
            ("accounts[0]", lambda: Settings(accounts=[("a@b", "x")])),  # type: ignore[list-item]
            ("accounts.password", lambda: AccountSettings(name="a@b", password=b"x")),  # type: ignore[arg-type]
            ("listen", lambda: Settings(listen=["tcp:25"])),  # type: ignore[arg-type]
            ("listen.smtp", lambda: Settings(listen={"smtp": "tcp:25"})),
            ("limits", lambda: Settings(limits={})),  # type: ignore[arg-type]
            ("smtp", lambda: Settings(smtp={"any_sender": True})),  # type: ignore[arg-type]
            ("user", lambda: Settings(user="mail")),  # type: ignore[arg-type]
            ("tls.key", lambda: TLSSettings(certificate=Path("c"), key=b"k")),  # type: ignore[arg-type]
            ("tls.client_ca", lambda: TLSSettings(client_ca="-----BEGIN")),  # type: ignore[arg-type]
            ("auth.mechanisms", lambda: AuthSettings(mechanisms="PLAIN")),
            ("auth.mechanisms", lambda: AuthSettings(mechanisms=["PLANE"])),
            ("smtp.any_sender", lambda: SMTPSettings(any_sender="no")),  # type: ignore[arg-type]
            ("proxy.xclient", lambda: ProxySettings(xclient="127.0.0.1/8")),  # type: ignore[arg-type]
            ("proxy.networks", lambda: ProxySettings(networks=["127.0.0.1/8"])),  # type: ignore[arg-type]
            ("log.level", lambda: LogSettings(level=20)),  # type: ignore[arg-type]
        ]
        for path, make in cases:
            with self.subTest(path=path):
                error = self.assertRaises(SettingError, make)
                self.assertEqual(error.path, path)
                self.assertTrue(str(error).startswith(path))
                self.assertNotIn("--", str(error))
                self.assertNotIn("\n", str(error))
                self.assertNotIn("  ", str(error))

    def test_what_stands_for_a_value(self) -> None:
        self.assertEqual(AuthSettings(mechanisms=["plain"]).mechanisms, server_mechanisms(["PLAIN"]))
        self.assertIn("127.0.0.1", ProxySettings(xclient=["127.0.0.0/8"]).xclient)  # type: ignore[arg-type]
        self.assertEqual(Settings(data="mail").data, Path("mail"))  # type: ignore[arg-type]

    def test_no_password_is_shown(self) -> None:
        account = AccountSettings(name="a b@c", password="hunter2")
        self.assertNotIn("hunter2", repr(account))
        self.assertNotIn("hunter2", str(self.assertRaises(SettingError, Settings, accounts=[account])))

    def test_the_options_of_settings(self) -> None:
        flags = {name for name, *_ in Options.optFlags}
        known = (
            flags
            | {name for name, *_ in Options.optParameters}  # type: ignore[has-type]
            | {
                name.removeprefix("opt_").replace("_", "-")
                for name in dir(Options)
                if name.startswith("opt_")
            }
        )
        for path, option in (
            ("data", "--data"),
            ("max_message_size", "--max-message-size"),
            ("domains[0]", "--domain"),
            ("accounts[3]", "--account"),
            ("listen.imaps", "--imaps"),
            ("tls.key", "--tls-key"),
            ("auth.mechanisms", "--auth"),
            ("proxy.networks", "--proxy"),
            ("smtp.bare_newlines", "--bare-newlines"),
            ("log.level", "--log-level"),
            ("limits.imap.failed_logins", "--limit imap.failed_logins"),
        ):
            self.assertEqual(option_of(path), option)
            self.assertIn(option.split()[0].removeprefix("--"), known)

    def test_a_catch_all_takes_mail_from_this_machine(self) -> None:
        for listen, taken in (
            ({}, True),
            ({"smtp": ["tcp:25:interface=127.0.0.1", "unix:/run/smtp"]}, True),
            ({"smtp": ["tcp:25:interface=127.0.0.1", "tcp:25"]}, False),
            ({"submissions": ["tcp:465"]}, False),
            ({"lmtp": ["tcp6:24"]}, False),
            ({"lmtp": ["unix:/run/lmtp"]}, True),
            ({"imap": ["tcp:143"], "pop3s": ["tcp:995"]}, True),
        ):
            with self.subTest(listen=listen):
                if taken:
                    Settings(catch_all="dev@x.example", listen=listen)
                else:
                    error = self.assertRaises(
                        SettingError, lambda listen=listen: Settings(catch_all="dev@x.example", listen=listen)
                    )
                    self.assertEqual(error.path, "catch_all_anywhere")
                Settings(catch_all="dev@x.example", listen=listen, catch_all_anywhere=True)
        proxies = Networks(["192.0.2.1"])
        for proxy in (ProxySettings(networks=proxies), ProxySettings(xclient=proxies)):
            self.assertRaises(SettingError, lambda proxy=proxy: Settings(catch_all="a@b", proxy=proxy))

    def test_a_catch_all_in_options(self) -> None:
        options = Options()
        error = self.assertRaises(
            UsageError, options.parseOptions, ["--catch-all", "dev@localhost", "--smtp", "tcp:25"]
        )
        self.assertEqual(
            str(error),
            "--catch-all-anywhere: smtp listens on tcp:25, not on 127.0.0.1, so that other machines can send "
            "anything to dev@localhost: set this if they may",
        )
        options = Options()
        options.parseOptions(["--catch-all", "dev@LOCALHOST.", "--catch-all-anywhere", "--smtp", "tcp:25"])
        settings = options.settings
        self.assertEqual((settings.catch_all, settings.catch_all_anywhere), ("dev@LOCALHOST", True))
