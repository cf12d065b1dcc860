"""What a server is to be: typed values in sections, whatever they were read from.

Options fill them (`mailproto.service.Options`), or a program.  An error names the setting by its
path, such as ``tls.key``; only what filled the settings knows how a person wrote it.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from twisted.logger import LogLevel

from mailproto.auth import DEFAULT_MECHANISMS, ServerMechanism
from mailproto.connection import Networks
from mailproto.printable import printable
from mailproto.service._limits import ServiceLimits
from mailproto.service._listeners import LISTENERS, default_endpoints
from mailproto.service._names import account_name, domain_name, new_password

__all__ = [
    "DEFAULT_DATA",
    "DEFAULT_MAX_MESSAGE_SIZE",
    "DEFAULT_STORE",
    "AccountSettings",
    "AuthSettings",
    "LogSettings",
    "ProxySettings",
    "SMTPSettings",
    "SettingError",
    "Settings",
    "TLSSettings",
    "User",
]

DEFAULT_DATA = "mailproto-data"
"""The data folder, in the working directory."""

DEFAULT_STORE = "sqlite:"
"""SQLite, in the data folder."""

DEFAULT_MAX_MESSAGE_SIZE = 50 * 1024 * 1024
"""Octets."""

_HOSTNAME = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")


class SettingError(Exception):
    """A setting cannot be, or the server cannot start with it: one line for the operator.

    :ivar path: which setting: names with dots between them, such as ``listen.smtp``, and a number
        in brackets for one of a list.
    :ivar value: what it is set to, if that helps.
    :ivar reason: what is wrong, and what to do.
    """

    def __init__(self, path: str, reason: str, *, value: object = "") -> None:
        self.path, self.value, self.reason = path, str(value), reason
        super().__init__(self.line(path))

    def line(self, name: str) -> str:
        """The error with the setting called ``name``, as a person wrote it."""
        line = f"{name} {self.value}: {self.reason}" if self.value else f"{name}: {self.reason}"
        return printable(line)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """An account that is made if it is missing, or given that password."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSSettings:
    """The section ``tls``.

    :ivar certificate: PEM file: certificate and chain; None for a pair of our own, self-signed.
    :ivar key: PEM file: its private key.
    :ivar client_ca: PEM file of the authorities for clients' certificates; None for no EXTERNAL.
    """

    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None

    def __post_init__(self) -> None:
        if self.certificate is not None and self.key is None:
            reason = "the file of its private key is missing"
            raise SettingError("tls.certificate", reason, value=self.certificate)
        if self.key is not None and self.certificate is None:
            raise SettingError("tls.key", "the file of its certificate is missing", value=self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """The section ``auth``.

    :ivar mechanisms: of SASL, that may be offered.
    """

    mechanisms: Sequence[type[ServerMechanism]] = DEFAULT_MECHANISMS


@dataclass(frozen=True, slots=True, kw_only=True)
class SMTPSettings:
    """The section ``smtp``: also of submission and LMTP, where it makes sense there.

    :ivar bare_newlines: what is done about a bare CR or LF in a message.
    :ivar strict_envelopes: whether addresses are taken only as RFC 5321 writes them.
    :ivar any_sender: whether an account may send under addresses that are not its own.
    :ivar trace_account: whether Received names the account that signed in.
    """

    bare_newlines: Literal["refuse", "normalise"] = "refuse"
    strict_envelopes: bool = False
    any_sender: bool = False
    trace_account: bool = False

    def __post_init__(self) -> None:
        if self.bare_newlines not in ("refuse", "normalise"):
            raise SettingError("smtp.bare_newlines", f"refuse or normalise, not {self.bare_newlines!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """The section ``proxy``.

    :ivar networks: who must say, by the PROXY protocol, who the client is.
    :ivar xclient: who may say, by XCLIENT, who the client is.
    """

    networks: Networks = field(default_factory=Networks)
    xclient: Networks = field(default_factory=Networks)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """The section ``log``.

    :ivar level: what twistd's log has at least: debug, info, warn, error or critical.
    """

    level: str = "info"

    def __post_init__(self) -> None:
        names = [level.name for level in LogLevel.iterconstants()]
        if self.level not in names:
            raise SettingError("log.level", f"{', '.join(names)}, not {self.level!r}")


@dataclass(frozen=True, slots=True)
class User:
    """Who a process that began as root will be, once it listens.

    :ivar uid: None for no change.
    :ivar gid: likewise.
    """

    uid: int | None
    gid: int | None


def own_hostname() -> str:
    """The machine's name, as it knows it: asking the DNS for a longer one may take a minute."""
    name = socket.gethostname()
    return name if _HOSTNAME.fullmatch(name) else "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the server is to be.

    :ivar data: the data folder.
    :ivar store: a URL for `mailproto.backends.open_store`.
    :ivar hostname: in greetings and trace fields.
    :ivar domains: for which mail is accepted; the first is that of account names without one.
    :ivar max_message_size: octets.
    :ivar accounts: the last of a name counts.
    :ivar listen: Twisted server endpoint strings by the name of their listener.
    :ivar user: to whom Unix sockets, and a new data folder, are given by root; None for nobody.
    :raises SettingError: for a value that cannot be.
    """

    data: Path = Path(DEFAULT_DATA)
    store: str = DEFAULT_STORE
    hostname: str = field(default_factory=own_hostname)
    domains: Sequence[str] = ("localhost",)
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE
    accounts: Sequence[AccountSettings] = ()
    listen: Mapping[str, Sequence[str]] = field(default_factory=default_endpoints)
    tls: TLSSettings = field(default_factory=TLSSettings)
    auth: AuthSettings = field(default_factory=AuthSettings)
    smtp: SMTPSettings = field(default_factory=SMTPSettings)
    proxy: ProxySettings = field(default_factory=ProxySettings)
    limits: ServiceLimits = field(default_factory=ServiceLimits)
    log: LogSettings = field(default_factory=LogSettings)
    user: User | None = None

    def __post_init__(self) -> None:
        """Bring names into the form in which they are kept, and check what has a type but no sense."""
        if not self.store.partition(":")[1]:
            raise SettingError("store", f"not a URL: {self.store!r}")
        if not _HOSTNAME.fullmatch(self.hostname):
            raise SettingError("hostname", f"not a host name: {self.hostname!r}")
        if self.max_message_size < 1:
            raise SettingError("max_message_size", f"not a number of octets: {self.max_message_size}")
        if not self.domains:
            raise SettingError("domains", "at least one is needed")
        object.__setattr__(self, "domains", tuple(map(_domain, range(len(self.domains)), self.domains)))
        object.__setattr__(self, "accounts", tuple(map(_account, range(len(self.accounts)), self.accounts)))
        for name in self.listen:
            if name not in LISTENERS:
                raise SettingError(f"listen.{name}", f"no such listener, but {', '.join(LISTENERS)}")


def _domain(number: int, name: str) -> str:
    try:
        return domain_name(name)
    except ValueError as error:
        raise SettingError(f"domains[{number}]", str(error)) from None


def _account(number: int, account: AccountSettings) -> AccountSettings:
    try:
        return AccountSettings(name=account_name(account.name), password=new_password(account.password))
    except ValueError as error:
        raise SettingError(f"accounts[{number}]", str(error)) from None
