"""The options of ``twistd mailproto``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.python.usage import UsageError

from mailproto.auth.sasl import DEFAULT_MECHANISMS, server_mechanisms
from mailproto.connection.proxy import Networks
from mailproto.printable import printable
from mailproto.service._account_file import ACCOUNTS_VARIABLE
from mailproto.service._limits import ServiceLimits, with_limit
from mailproto.service._listeners import LISTENERS
from mailproto.service._pop3_options import POP3Options
from mailproto.service._relay_options import RELAY_OPTIONS, read_option
from mailproto.service._setting_error import SettingError
from mailproto.service._settings import (
    DEFAULT_DATA,
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_STORE,
    AccountSettings,
    AuthSettings,
    LogSettings,
    ProxySettings,
    QuotaSettings,
    Settings,
    SMTPSettings,
    TLSSettings,
    User,
)
from mailproto.service._sizes import number, octets

__all__ = ["Options", "option_of"]

_OPTIONS = {
    **RELAY_OPTIONS,
    "accounts": "--account",
    "auth.mechanisms": "--auth",
    "domains": "--domain",
    "log.level": "--log-level",
    "proxy.networks": "--proxy",
    "proxy.xclient": "--xclient",
    "quota": "--quota",
    "quota.messages": "--quota-messages",
    "quota.storage": "--quota",
    "search_index": "--no-search-index",
    "smtp.any_sender": "--any-sender",
    "smtp.bare_newlines": "--bare-newlines",
    "smtp.strict_envelopes": "--strict-envelopes",
    "smtp.trace_account": "--trace-account",
    "tls.certificate": "--tls-cert",
    "tls.client_ca": "--client-ca",
    "tls.key": "--tls-key",
}
"""The options whose names differ from their settings' paths."""


_MAX_LINE = 10_000
"""Characters of the one line about wrong options: it may list all limits of a protocol."""


def option_of(path: str) -> str:
    """The option for a setting: ``--tls-key`` for ``tls.key``."""
    section, _, name = path.partition(".")
    if section == "limits":
        return f"--limit {name}"
    if section == "listen":
        return f"--{name}"
    name = path.partition("[")[0]
    return _OPTIONS.get(name) or "--" + name.replace("_", "-")


def _octets(text: str) -> int:
    """:raises ValueError: not a number of octets."""
    with suppress(ValueError):
        if size := octets(text):
            return size
    raise ValueError("must be a number of octets, such as 500K or 50M")


def _storage(text: str) -> int:
    """:raises ValueError: not a size; the text has the option's name."""
    try:
        return octets(text)
    except ValueError as error:
        raise ValueError(f"--quota: {error}") from None


def _messages(text: str) -> int:
    """:raises ValueError: not a number; the text has the option's name."""
    try:
        return number(text)
    except ValueError as error:
        raise ValueError(f"--quota-messages: {error}") from None


def _networks(option: str, words: Sequence[str]) -> Networks:
    """:raises UsageError: a word is not a network."""
    try:
        return Networks.of(option, words)
    except ValueError as error:
        raise UsageError(f"{option}: {str(error).removeprefix(f'each of {option} ')}") from None


def _endpoint_option(name: str, what: str) -> Callable[[Options, str], None]:
    def option(self: Options, endpoint: str) -> None:
        self.add_endpoint(name, endpoint)

    listener = LISTENERS[name]
    default = f"127.0.0.1, port {listener.port}" if listener.port else "none"
    option.__doc__ = f"A Twisted endpoint to listen on for {what}; repeatable. [default: {default}]"
    return option


class Options(POP3Options):
    """The options of ``twistd mailproto``; `settings` returns them checked and typed."""

    synopsis = "[options]"
    longdesc = (
        "A mail server: SMTP, submission, LMTP, POP3 and IMAP over one store. "
        "Without any endpoint option, the server listens on all defaults; otherwise only on those given. "
        "A unix:PATH socket has mode 0660, unless the endpoint sets another, as in "
        "unix:PATH:mode=666."
    )
    optParameters = [
        ["data", None, DEFAULT_DATA, "The data folder, made if missing."],
        [
            "store",
            None,
            DEFAULT_STORE,
            "Where mail is stored: sqlite:, sqlite:PATH, memory:, or a store of another package",
        ],
        ["hostname", None, None, "The name in greetings and Received. [default: the machine's]"],
        [
            "tls-cert",
            None,
            None,
            "PEM file: the certificate and its chain. [default: self-signed, in the data folder]",
        ],
        ["tls-key", None, None, "PEM file: the private key of --tls-cert."],
        [
            "client-ca",
            None,
            None,
            "PEM file: authorities for client certificates (EXTERNAL); their mail address is the account.",
        ],
        [
            "bare-newlines",
            None,
            "refuse",
            "What to do with a message that has a bare CR or LF: refuse or normalise.",
        ],
        [
            "max-message-size",
            None,
            DEFAULT_MAX_MESSAGE_SIZE,
            "The largest message: octets, or such as 500K or 50M.",
            read_option("max-message-size", _octets),
        ],
        [
            "quota",
            None,
            None,
            "The most octets that an account may store, such as 500M or 1G; for an account of its own limit: "
            "mailproto user quota. [default: no limit]",
            _storage,
        ],
        [
            "quota-messages",
            None,
            None,
            "The most messages that an account may store. [default: no limit]",
            _messages,
        ],
        [
            "catch-all",
            None,
            None,
            "NAME@DOMAIN: for developers: an account, made if missing, that gets every message, whoever it "
            "is to. Only this machine may send, see --catch-all-anywhere.",
        ],
        [
            "log-level",
            None,
            "info",
            "The lowest level in twistd's log: debug, info, warn, error or critical.",
        ],
    ]

    optFlags = [
        [
            "strict-envelopes",
            None,
            "Refuse addresses that RFC 5321 does not allow: without <>, or with odd dots or underscores.",
        ],
        ["catch-all-anywhere", None, "Let --catch-all take mail from other machines, too."],
        ["any-sender", None, "Let accounts send from addresses that are not their own."],
        ["trace-account", None, "Name the signed-in account in Received."],
        ["no-search-index", None, "Keep no index of texts, which takes disk space; SEARCH is slow then."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self._domains: list[str] = []
        self._accounts: list[AccountSettings] = []
        self._endpoints: dict[str, list[str]] = {}
        self._proxies: list[str] = []
        self._xclient: list[str] = []
        self._limits = ServiceLimits()
        self._mechanisms: list[str] = []

    opt_smtp = _endpoint_option("smtp", "SMTP, to receive mail for local accounts")
    opt_submission = _endpoint_option("submission", "submission, for mail from signed-in accounts")
    opt_lmtp = _endpoint_option("lmtp", "LMTP")
    opt_pop3 = _endpoint_option("pop3", "POP3")
    opt_imap = _endpoint_option("imap", "IMAP")
    opt_submissions = _endpoint_option("submissions", "submission with TLS from the first octet")
    opt_pop3s = _endpoint_option("pop3s", "POP3 with TLS from the first octet")
    opt_imaps = _endpoint_option("imaps", "IMAP with TLS from the first octet")

    def opt_domain(self, name: str) -> None:
        """A domain that mail is accepted for; repeatable. The first is also added to account names without
        a domain. [default: localhost]"""
        self._domains.append(name)

    def opt_account(self, value: str) -> None:
        """NAME@DOMAIN:PASSWORD creates that account if it is missing, and sets its password unless it is
        disabled; repeatable. Other users of the machine can see it (ps): see --account-file."""
        name, colon, password = value.partition(":")
        if not colon or not password:
            # The value is not shown: it may contain a password, even without a colon.
            raise UsageError("--account: must be NAME@DOMAIN:PASSWORD")
        self._accounts.append(AccountSettings(name=name, password=password))

    def opt_account_file(self, file: str) -> None:
        """A file with a line NAME@DOMAIN:PASSWORD for each account, as for --account; repeatable. Others must
        not be able to read it. The environment variable MAILPROTO_ACCOUNTS may have such lines, too."""
        if not file:  # perhaps from a shell variable that is not set
            raise UsageError("--account-file: a path is missing")
        try:
            self._accounts += AccountSettings.from_file(file)
        except SettingError as error:
            raise UsageError(error.line("--account-file")) from None

    def opt_auth(self, mechanism: str) -> None:
        """A SASL mechanism to offer instead of the default ones, on all listeners; repeatable. A wrong name
        lists all mechanisms. IMAP's LOGIN and POP3's USER are allowed with PLAIN or LOGIN. [default: all
        but CRAM-MD5 and those that end in -PLUS]"""
        try:
            server_mechanisms([mechanism])
        except ValueError as error:
            raise UsageError(f"--auth: {str(error).removeprefix('each of mechanisms ')}") from None
        self._mechanisms.append(mechanism)

    def opt_proxy(self, network: str) -> None:
        """A network, an address or "unix": a proxy whose connections must begin with a PROXY header that
        names the client (version 1 or 2, on all listeners); repeatable. [default: none]"""
        _networks("--proxy", [network])
        self._proxies.append(network)

    def opt_xclient(self, network: str) -> None:
        """A network, an address or "unix": a proxy that may name its client with XCLIENT, once at the
        beginning of a connection; repeatable. [default: none]"""
        _networks("--xclient", [network])
        self._xclient.append(network)

    def opt_limit(self, setting: str) -> None:
        """PROTOCOL.NAME=NUMBER sets a limit, such as smtp.recipients=500 or smtp.idle=5m; repeatable. A wrong
        name lists all limits. Protocols: smtp, submission, lmtp, pop3, imap; and relay."""
        try:
            self._limits = with_limit(self._limits, setting)
        except ValueError as error:
            raise UsageError(f"--limit: {error}") from None

    def add_endpoint(self, name: str, endpoint: str) -> None:
        """Add a Twisted endpoint string to the listener ``name``."""
        from twisted.internet import reactor  # imported late, because the command line may choose one

        try:
            serverFromString(reactor, endpoint)
        except Exception as error:  # the parsers of endpoints are plugins, and may raise anything
            reason = str(error) or type(error).__name__
            raise UsageError(
                f"--{name} {endpoint}: not a Twisted server endpoint ({reason}): "
                "one is tcp:25, tcp:25:interface=127.0.0.1 or unix:/run/mailproto/lmtp"
            ) from None
        self._endpoints.setdefault(name, []).append(endpoint)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:  # noqa: N802 - Twisted's name
        """Parse the arguments.

        If they are wrong, and come from a command such as twistd, the process ends with one line.

        (The command itself would print all its options first.)

        :raises UsageError: the arguments are wrong, and do not come from a command.
        """
        try:
            self._read_environment()
            super().parseOptions(options)  # type: ignore[no-untyped-call]
        except UsageError as error:
            if self.parent is None:
                raise
            line = str(error)
            hint = "" if line.startswith("--") else "; twistd mailproto --help lists all options"
            sys.exit(printable(f"mailproto: {line}{hint}", _MAX_LINE))

    def _read_environment(self) -> None:
        try:
            # First, so that an option of the same account counts.
            self._accounts = AccountSettings.from_text(os.environ.get(ACCOUNTS_VARIABLE, ""))
        except ValueError as error:
            raise UsageError(f"{ACCOUNTS_VARIABLE}: {error}") from None

    def postOptions(self) -> None:
        """Check the combination of all options.

        :raises UsageError:
        """
        given: Mapping[str, Any] = self
        for option in ("data", "tls-cert", "tls-key", "client-ca"):
            if given[option] == "":  # perhaps from a shell variable that is not set
                raise UsageError(f"--{option}: a path is missing")
        try:
            _ = self.settings
        except SettingError as error:
            raise UsageError(error.line(option_of(error.path))) from None

    @property
    def settings(self) -> Settings:
        """The settings that the options give.  :raises SettingError: a value is not valid."""
        given: Mapping[str, Any] = self
        more: dict[str, Any] = {}
        if given["hostname"] is not None:
            more["hostname"] = given["hostname"]
        if self._domains:
            more["domains"] = self._domains
        if self._endpoints:
            more["listen"] = self._endpoints
        return Settings(
            data=Path(given["data"]),
            store=given["store"],
            search_index=not given["no-search-index"],
            max_message_size=given["max-message-size"],
            quota=QuotaSettings(storage=given["quota"], messages=given["quota-messages"]),
            accounts=self._accounts,
            catch_all=given["catch-all"],
            catch_all_anywhere=bool(given["catch-all-anywhere"]),
            tls=TLSSettings(
                certificate=_path(given["tls-cert"]),
                key=_path(given["tls-key"]),
                client_ca=_path(given["client-ca"]),
            ),
            auth=AuthSettings(
                mechanisms=server_mechanisms(self._mechanisms) if self._mechanisms else DEFAULT_MECHANISMS
            ),
            smtp=SMTPSettings(
                bare_newlines=given["bare-newlines"],
                strict_envelopes=bool(given["strict-envelopes"]),
                any_sender=bool(given["any-sender"]),
                trace_account=bool(given["trace-account"]),
            ),
            pop3=self.pop3_settings,
            proxy=ProxySettings(networks=Networks(self._proxies), xclient=Networks(self._xclient)),
            relay=self.relay_settings,
            limits=self._limits,
            log=LogSettings(level=given["log-level"]),
            user=self._user(),
            **more,
        )

    def _user(self) -> User | None:
        """The user to which twistd will change."""
        twistd: Mapping[str, Any] = self.parent if isinstance(self.parent, Mapping | dict) else {}
        uid, gid = twistd.get("uid"), twistd.get("gid")
        return None if uid is None and gid is None else User(uid, gid)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
