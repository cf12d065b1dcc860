"""The options of ``twistd mailproto``, and what they come to."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from twisted.internet.endpoints import serverFromString
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from mailproto.auth import DEFAULT_MECHANISMS, ServerMechanism, server_mechanisms
from mailproto.connection import Networks
from mailproto.service._limits import ServiceLimits, with_limit
from mailproto.service._listeners import LISTENERS, default_endpoints
from mailproto.service._log import log_level
from mailproto.service._names import account_name, domain_name, new_password

__all__ = ["DEFAULT_DATA", "DEFAULT_MAX_MESSAGE_SIZE", "DEFAULT_STORE", "Options", "Settings"]

DEFAULT_DATA = "mailproto-data"
"""The data folder, in the working directory."""

DEFAULT_STORE = "sqlite:"
"""SQLite, in the data folder."""

DEFAULT_MAX_MESSAGE_SIZE = 50 * 1024 * 1024
"""Octets."""

_HOSTNAME = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")


def _octets(text: str) -> int:
    """:raises ValueError: for what is no number of octets; the option's name is in it."""
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 18 and int(text)):
        raise ValueError(f"--max-message-size: not a number of octets: {text!r}")
    return int(text)


def _choice(text: str) -> str:
    """:raises ValueError: for what is neither; the option's name is in it."""
    if text not in ("refuse", "normalise"):
        raise ValueError(f"--bare-newlines: refuse or normalise, not {text!r}")
    return text


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server is to be.

    :ivar data: the data folder.
    :ivar store: a URL for `mailproto.backends.open_store`.
    :ivar domains: for which mail is accepted, the main one first.
    :ivar accounts: (name, password) of those that are made, or given that password.
    :ivar hostname: in greetings and trace fields.
    :ivar endpoints: Twisted server endpoint strings by the name of their listener.
    :ivar tls_files: (certificate, key) in PEM; None for a pair of our own.
    :ivar mechanisms: of SASL, that may be offered.
    :ivar client_ca: PEM file of the authorities for clients' certificates; None for no EXTERNAL.
    :ivar max_message_size: octets.
    :ivar proxies: who must say, by the PROXY protocol, who the client is.
    :ivar xclient: who may say, by XCLIENT, who the client is.
    :ivar limits: of each protocol.
    :ivar bare_newlines: what is done about a bare CR or LF in a message.
    :ivar strict_envelopes: whether addresses are taken only as RFC 5321 writes them.
    :ivar any_sender: whether an account may send under addresses that are not its own.
    :ivar trace_account: whether Received names the account that signed in.
    """

    data: Path
    store: str
    domains: Sequence[str]
    accounts: Sequence[tuple[str, str]]
    hostname: str
    endpoints: Mapping[str, Sequence[str]]
    tls_files: tuple[Path, Path] | None
    max_message_size: int
    proxies: Networks = field(default_factory=Networks)
    xclient: Networks = field(default_factory=Networks)
    limits: ServiceLimits = field(default_factory=ServiceLimits)
    bare_newlines: Literal["refuse", "normalise"] = "refuse"
    strict_envelopes: bool = False
    any_sender: bool = False
    trace_account: bool = False
    client_ca: Path | None = None
    mechanisms: Sequence[type[ServerMechanism]] = DEFAULT_MECHANISMS


def _networks(option: str, words: Sequence[str]) -> Networks:
    """:raises UsageError: for what is no network."""
    try:
        return Networks(words)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _endpoint_option(name: str, what: str) -> Callable[[Options, str], None]:
    def option(self: Options, endpoint: str) -> None:
        self.add_endpoint(name, endpoint)

    listener = LISTENERS[name]
    default = f"127.0.0.1, port {listener.port}" if listener.port else "none"
    option.__doc__ = f"A Twisted endpoint to listen on for {what}; repeatable. [default: {default}]"
    return option


class Options(UsageOptions):
    """What may stand behind ``twistd mailproto``; `settings` has it checked and typed."""

    synopsis = "[options]"
    longdesc = (
        "A mail server: SMTP, submission, LMTP, POP3 and IMAP over one store. "
        "With no endpoint option all defaults listen; with any, exactly those given. "
        "The socket of unix:PATH has mode 0660, or another that the endpoint says, as in "
        "unix:PATH:mode=666."
    )
    optParameters = [
        ["data", None, DEFAULT_DATA, "The data folder, made if missing."],
        ["store", None, DEFAULT_STORE, "Where mail is kept: sqlite:, sqlite:PATH or memory:"],
        ["hostname", None, None, "The name in greetings and Received. [default: the machine's]"],
        [
            "tls-cert",
            None,
            None,
            "PEM file: certificate and chain. [default: self-signed, in the data folder]",
        ],
        ["tls-key", None, None, "PEM file: the private key of --tls-cert."],
        [
            "client-ca",
            None,
            None,
            "PEM file: authorities whose certificates sign accounts in (EXTERNAL), by their mail address.",
        ],
        [
            "bare-newlines",
            None,
            "refuse",
            "A message with a bare CR or LF: refuse it or normalise it.",
            _choice,
        ],
        ["max-message-size", None, DEFAULT_MAX_MESSAGE_SIZE, "The largest message, in octets.", _octets],
        [
            "log-level",
            None,
            "info",
            "What twistd's log has at least: debug, info, warn, error or critical.",
            log_level,
        ],
    ]

    optFlags = [
        [
            "strict-envelopes",
            None,
            "Refuse addresses that RFC 5321 does not allow: without <>, with odd dots or underscores.",
        ],
        ["any-sender", None, "Let accounts send under addresses that are not their own."],
        ["trace-account", None, "Name the account that signed in, in Received."],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._domains: list[str] = []
        self._accounts: list[tuple[str, str]] = []
        self._endpoints: dict[str, list[str]] = {}
        self._proxies: list[str] = []
        self._xclient: list[str] = []
        self._limits = ServiceLimits()
        self._mechanisms: list[str] = []

    opt_smtp = _endpoint_option("smtp", "SMTP, from anybody to our own")
    opt_submission = _endpoint_option("submission", "submission, from our own with a password")
    opt_lmtp = _endpoint_option("lmtp", "LMTP")
    opt_pop3 = _endpoint_option("pop3", "POP3")
    opt_imap = _endpoint_option("imap", "IMAP")
    opt_submissions = _endpoint_option("submissions", "submission with TLS from the first octet")
    opt_pop3s = _endpoint_option("pop3s", "POP3 with TLS from the first octet")
    opt_imaps = _endpoint_option("imaps", "IMAP with TLS from the first octet")

    def opt_domain(self, name: str) -> None:
        """A domain that mail is accepted for; repeatable. [default: localhost]"""
        try:
            self._domains.append(domain_name(name))
        except ValueError as error:
            raise UsageError(f"--domain: {error}") from None

    def opt_account(self, value: str) -> None:
        """NAME@DOMAIN:PASSWORD makes that account if it is missing, and sets its password unless it is
        disabled; repeatable."""
        name, colon, password = value.partition(":")
        if not colon or not password:
            # The value is not shown: without its colon it may end in a password.
            raise UsageError("--account: must be NAME@DOMAIN:PASSWORD")
        try:
            self._accounts.append((account_name(name), new_password(password)))
        except ValueError as error:
            raise UsageError(f"--account: {error}") from None

    def opt_auth(self, mechanism: str) -> None:
        """A SASL mechanism to offer instead of the default ones, on all listeners; a wrong name is
        answered with all that there are; repeatable. IMAP's LOGIN and POP3's USER go with PLAIN and LOGIN.
        [default: all but those that end in -PLUS]"""
        try:
            server_mechanisms([mechanism])
        except ValueError as error:
            raise UsageError(f"--auth: {error}") from None
        self._mechanisms.append(mechanism)

    def opt_proxy(self, network: str) -> None:
        """A network, an address or "unix", from where every connection must begin with a PROXY header
        (versions 1 and 2, on all listeners) and is its client's; repeatable. [default: none]"""
        _networks("--proxy", [network])
        self._proxies.append(network)

    def opt_xclient(self, network: str) -> None:
        """A network, an address or "unix" whose XCLIENT is taken, once a connection, before its client
        speaks; repeatable. [default: none]"""
        _networks("--xclient", [network])
        self._xclient.append(network)

    def opt_limit(self, setting: str) -> None:
        """PROTOCOL.NAME=NUMBER sets a limit, such as smtp.recipients=500; a wrong name is answered with
        all that there are. Protocols: smtp, submission, lmtp, pop3, imap; repeatable."""
        try:
            self._limits = with_limit(self._limits, setting)
        except ValueError as error:
            raise UsageError(f"--limit: {error}") from None

    def add_endpoint(self, name: str, endpoint: str) -> None:
        """Listen for ``name`` on a Twisted endpoint string, too."""
        from twisted.internet import reactor  # not before the command line chose one

        try:
            serverFromString(reactor, endpoint)
        except (ValueError, TypeError, LookupError, OSError, RuntimeError) as error:
            raise UsageError(f"--{name} {endpoint}: not a Twisted server endpoint ({error})") from None
        self._endpoints.setdefault(name, []).append(endpoint)

    def postOptions(self) -> None:
        """Check what only shows when all options are there."""
        if (self["tls-cert"] is None) != (self["tls-key"] is None):
            raise UsageError("--tls-cert and --tls-key go together")
        if self["hostname"] is not None and not _HOSTNAME.fullmatch(self["hostname"]):
            raise UsageError(f"--hostname: not a host name: {self['hostname']!r}")
        if not self["store"].partition(":")[1]:
            raise UsageError(f"--store: not a URL: {self['store']!r}")

    @property
    def settings(self) -> Settings:
        """The options, with their defaults."""
        given: Mapping[str, Any] = self
        files = (given["tls-cert"], given["tls-key"])
        return Settings(
            data=Path(given["data"]),
            store=given["store"],
            domains=tuple(self._domains or ["localhost"]),
            accounts=tuple(self._accounts),
            hostname=given["hostname"] or _own_hostname(),
            endpoints=self._endpoints or default_endpoints(),
            tls_files=(Path(files[0]), Path(files[1])) if all(files) else None,
            max_message_size=given["max-message-size"],
            proxies=Networks(self._proxies),
            xclient=Networks(self._xclient),
            limits=self._limits,
            bare_newlines=given["bare-newlines"],
            strict_envelopes=bool(given["strict-envelopes"]),
            any_sender=bool(given["any-sender"]),
            trace_account=bool(given["trace-account"]),
            mechanisms=server_mechanisms(self._mechanisms) if self._mechanisms else DEFAULT_MECHANISMS,
            client_ca=Path(given["client-ca"]) if given["client-ca"] else None,
        )


def _own_hostname() -> str:
    """The machine's name, as it knows it: asking the DNS for a longer one may take a minute."""
    name = socket.gethostname()
    return name if _HOSTNAME.fullmatch(name) else "localhost"
