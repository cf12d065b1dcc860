"""The settings of a server: typed values in sections.

They come from options (`mailproto.service.Options`) or from a program.  An error names the setting by its
path, such as ``tls.key``; the source of the settings can translate that, for example to an option's name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from twisted.logger import LogLevel

from mailproto._arguments import (
    check_bool,
    check_choice,
    check_mapping,
    check_path,
    check_type,
    check_whole,
    check_words,
)
from mailproto.auth.sasl import DEFAULT_MECHANISMS, ServerMechanism, server_mechanisms
from mailproto.connection import own_hostname, server_hostname
from mailproto.connection.proxy import Networks
from mailproto.listening import is_on_loopback
from mailproto.model import POP3Policy
from mailproto.service._account_file import account_lines, read_private
from mailproto.service._limits import ServiceLimits
from mailproto.service._listeners import LISTENERS, default_endpoints
from mailproto.service._names import account_name, domain_name, new_password
from mailproto.service._relay_settings import RelaySettings
from mailproto.service._setting_error import SettingError, check_setting

__all__ = [
    "DEFAULT_DATA",
    "DEFAULT_MAX_MESSAGE_SIZE",
    "DEFAULT_STORE",
    "AccountSettings",
    "AuthSettings",
    "LogSettings",
    "POP3Settings",
    "ProxySettings",
    "QuotaSettings",
    "SMTPSettings",
    "Settings",
    "TLSSettings",
    "User",
]

DEFAULT_DATA = "mailproto-data"
"""The default data folder, in the working directory."""

DEFAULT_STORE = "sqlite:"
"""The default store: SQLite, in the data folder."""

DEFAULT_MAX_MESSAGE_SIZE = 50 * 1024 * 1024
"""Octets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """An account and its password: at the start, the account is created or its password is set."""

    name: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        check_setting("accounts.name", check_type, self.name, str, "a str")
        if not isinstance(self.password, str):  # which is not shown
            raise SettingError("accounts.password", f"must be a str, not {type(self.password).__name__}")

    @classmethod
    def from_file(cls, file: str | os.PathLike[str]) -> list[AccountSettings]:
        """The accounts of a file with a line NAME@DOMAIN:PASSWORD for each.

        Empty lines, and lines that begin with ``#``, mean nothing.  The file is in UTF-8; only its owner may
        write it, and only its owner and its group may read it.

        :raises SettingError: the file cannot be used; the message has nothing of a password.
        """
        try:
            return cls.from_text(read_private(file))
        except ValueError as error:
            raise SettingError("accounts", str(error), value=os.fspath(file)) from None

    @classmethod
    def from_text(cls, text: str) -> list[AccountSettings]:
        """The accounts of lines as in a file.

        :raises ValueError: a line is not valid.
        """
        return [cls(name=name, password=password) for name, password in account_lines(text)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSSettings:
    """The section ``tls``.

    :ivar certificate: PEM file: certificate and chain; None for a self-signed certificate.
    :ivar key: PEM file: the certificate's private key.
    :ivar client_ca: PEM file: the authorities for client certificates; None not to offer EXTERNAL.
    """

    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None

    def __post_init__(self) -> None:
        for name in ("certificate", "key", "client_ca"):
            if (path := getattr(self, name)) is not None:
                check_setting(f"tls.{name}", check_path, path, "the path of a PEM file")
                object.__setattr__(self, name, Path(path))
        if self.certificate is not None and self.key is None:
            reason = "the file of its private key is missing"
            raise SettingError("tls.certificate", reason, value=self.certificate)
        if self.key is not None and self.certificate is None:
            raise SettingError("tls.key", "the file of its certificate is missing", value=self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """The section ``auth``.

    :ivar mechanisms: the SASL mechanisms that may be offered, or their names.
    """

    mechanisms: Sequence[str | type[ServerMechanism]] = DEFAULT_MECHANISMS

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "mechanisms", server_mechanisms(self.mechanisms))
        except (TypeError, ValueError) as error:
            raise SettingError(
                "auth.mechanisms", str(error).removeprefix("each of ").removeprefix("mechanisms ")
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class SMTPSettings:
    """The section ``smtp``; also for submission and LMTP, where it makes sense.

    :ivar bare_newlines: ``refuse`` or ``normalise`` messages with a bare CR or LF.
    :ivar strict_envelopes: whether addresses must follow RFC 5321 exactly.
    :ivar any_sender: whether an account may send from addresses that are not its own.
    :ivar trace_account: whether Received names the signed-in account.
    """

    bare_newlines: Literal["refuse", "normalise"] = "refuse"
    strict_envelopes: bool = False
    any_sender: bool = False
    trace_account: bool = False

    def __post_init__(self) -> None:
        check_setting("smtp.bare_newlines", check_choice, self.bare_newlines, ("refuse", "normalise"))
        for name in ("strict_envelopes", "any_sender", "trace_account"):
            check_setting(f"smtp.{name}", check_bool, getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """The section ``proxy``.

    Each value is a `Networks`, or a list such as ``["192.0.2.0/24"]``.

    :ivar networks: peers that must name their client with the PROXY protocol.
    :ivar xclient: peers that may name their client with XCLIENT.
    """

    networks: Networks = field(default_factory=Networks)
    xclient: Networks = field(default_factory=Networks)

    def __post_init__(self) -> None:
        for name in ("networks", "xclient"):
            try:
                object.__setattr__(self, name, Networks.of("", getattr(self, name)))
            except (TypeError, ValueError) as error:
                raise SettingError(f"proxy.{name}", str(error).lstrip(": ")) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSettings:
    """The section ``quota``: what an account may store if it has no limits of its own.

    :ivar storage: the octets of all messages; None for no limit.
    :ivar messages: the number of messages, likewise.
    """

    storage: int | None = None
    messages: int | None = None

    def __post_init__(self) -> None:
        for name in ("storage", "messages"):
            if (limit := getattr(self, name)) is not None:
                check_setting(f"quota.{name}", check_whole, limit, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class POP3Settings:
    """The section ``pop3``: whether clients may leave mail here, and how often they may sign in.

    :ivar policy: of all accounts without another.
    :ivar policies: of single accounts, by name.
    """

    policy: POP3Policy = field(default_factory=POP3Policy)
    policies: Mapping[str, POP3Policy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_setting("pop3.policy", check_type, self.policy, POP3Policy, "a POP3Policy")
        check_setting("pop3.policies", check_mapping, self.policies)
        for name, policy in self.policies.items():
            check_setting(f"pop3.policies[{name!r}]", check_type, policy, POP3Policy, "a POP3Policy")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """The section ``log``.

    :ivar level: the lowest level in twistd's log: debug, info, warn, error or critical.
    """

    level: str = "info"

    def __post_init__(self) -> None:
        check_setting(
            "log.level", check_choice, self.level, [level.name for level in LogLevel.iterconstants()]
        )


@dataclass(frozen=True, slots=True)
class User:
    """The user and group to which a process started by root changes after it has bound its ports.

    :ivar uid: None for no change.
    :ivar gid: likewise.
    """

    uid: int | None
    gid: int | None

    def __post_init__(self) -> None:
        for name in ("uid", "gid"):
            if getattr(self, name) is not None:
                check_setting(f"user.{name}", check_whole, getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a server.

    :ivar data: the data folder.
    :ivar store: a URL for `mailproto.backends.open_store`.
    :ivar search_index: whether the store indexes decoded texts for SEARCH, if it can
        (`mailproto.interfaces.add_ons.IIndexed`).
    :ivar hostname: the server's name in greetings and trace fields.
    :ivar domains: the domains that mail is accepted for; the first one is added to account names without a
        domain.
    :ivar max_message_size: octets.
    :ivar accounts: if a name occurs twice, the last one counts.
    :ivar catch_all: the account that gets every message, whoever it is to (`CatchAllDelivery`); None for
        normal delivery.  It is made if it is missing.
    :ivar catch_all_anywhere: whether the catch-all may take mail from other machines.
    :ivar listen: Twisted server endpoint strings, by the name of their listener.
    :ivar user: the user to which root gives Unix sockets and a new data folder; None for no change.
    :raises SettingError: a value is not valid.
    """

    data: Path = Path(DEFAULT_DATA)
    store: str = DEFAULT_STORE
    search_index: bool = True
    hostname: str = field(default_factory=own_hostname)
    domains: Sequence[str] = ("localhost",)
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE
    accounts: Sequence[AccountSettings] = ()
    catch_all: str | None = None
    catch_all_anywhere: bool = False
    listen: Mapping[str, Sequence[str]] = field(default_factory=default_endpoints)
    tls: TLSSettings = field(default_factory=TLSSettings)
    auth: AuthSettings = field(default_factory=AuthSettings)
    smtp: SMTPSettings = field(default_factory=SMTPSettings)
    pop3: POP3Settings = field(default_factory=POP3Settings)
    proxy: ProxySettings = field(default_factory=ProxySettings)
    quota: QuotaSettings = field(default_factory=QuotaSettings)
    relay: RelaySettings = field(default_factory=RelaySettings)
    limits: ServiceLimits = field(default_factory=ServiceLimits)
    log: LogSettings = field(default_factory=LogSettings)
    user: User | None = None

    def __post_init__(self) -> None:
        """Bring names into their stored form, and check values."""
        check_setting("data", check_type, self.data, (str, os.PathLike), "the path of a folder")
        object.__setattr__(self, "data", Path(self.data))
        check_setting("store", check_type, self.store, str, "a str such as 'sqlite:'")
        if not self.store.partition(":")[1]:
            raise SettingError("store", f"not a URL: {self.store!r}")
        check_setting("search_index", check_bool, self.search_index)
        try:
            server_hostname(self.hostname)
        except TypeError as error:
            raise SettingError("hostname", str(error).removeprefix("hostname ")) from None
        except ValueError:
            raise SettingError("hostname", f"not a host name: {self.hostname!r}") from None
        check_setting("max_message_size", check_whole, self.max_message_size, 1, "octets")
        check_setting("domains", check_words, self.domains, "example.org")
        domains = map(_domain, range(len(self.domains)), self.domains)
        object.__setattr__(self, "domains", tuple(domains))
        check_setting("accounts", check_type, self.accounts, (list, tuple), "a list of AccountSettings")
        object.__setattr__(self, "accounts", tuple(map(_account, range(len(self.accounts)), self.accounts)))
        check_setting("listen", check_mapping, self.listen)
        for name in self.listen:
            if name not in LISTENERS:
                raise SettingError(f"listen.{name}", f"no such listener, but {', '.join(LISTENERS)}")
            endpoints = self.listen[name]
            if endpoints:
                check_setting(f"listen.{name}", check_words, endpoints, "tcp:25")
        for name, kind in _SECTIONS.items():
            check_setting(name, check_type, getattr(self, name), kind, f"of the class {kind.__name__}")
        check_setting("user", check_type, self.user, (User, type(None)), "a User or None")
        check_setting(
            "catch_all", check_type, self.catch_all, (str, type(None)), "an account's name, or None"
        )
        if self.proxy.networks.overlaps(Networks.of("", self.relay.clients)):
            # What it sends of its own, or for clients that it does not name, would be taken for theirs.
            raise SettingError("relay.clients", "a proxy is among them, which brings anybody's connections")
        check_setting("catch_all_anywhere", check_bool, self.catch_all_anywhere)
        if self.catch_all is not None:
            object.__setattr__(self, "catch_all", self._own_catch_all(self.catch_all))
            if self.relay.aliases is not None:
                raise SettingError("relay.aliases", "they have no meaning with a catch-all")
        elif self.catch_all_anywhere:
            raise SettingError("catch_all_anywhere", "it has no meaning without a catch-all")

    def _own_catch_all(self, name: str) -> str:
        try:
            name = account_name(name)
        except ValueError as error:
            raise SettingError("catch_all", str(error)) from None
        if not self.catch_all_anywhere and (where := self._open_to_others()):
            reason = f"{where}, so that other machines can send anything to {name}: set this if they may"
            raise SettingError("catch_all_anywhere", reason)
        return name

    def _open_to_others(self) -> str:
        """Which listener takes mail from other machines; "" if none does."""
        for listener in LISTENERS.values():
            for endpoint in self.listen.get(listener.name, ()):
                if listener.takes_mail and not is_on_loopback(endpoint):
                    return f"{listener.name} listens on {endpoint}, not on 127.0.0.1"
        return "a proxy brings clients" if self.proxy.networks or self.proxy.xclient else ""


_SECTIONS: Mapping[str, type] = {
    "tls": TLSSettings,
    "auth": AuthSettings,
    "smtp": SMTPSettings,
    "pop3": POP3Settings,
    "proxy": ProxySettings,
    "quota": QuotaSettings,
    "relay": RelaySettings,
    "limits": ServiceLimits,
    "log": LogSettings,
}


def _domain(number: int, name: str) -> str:
    try:
        return domain_name(name)
    except ValueError as error:
        raise SettingError(f"domains[{number}]", str(error)) from None


def _account(number: int, account: AccountSettings) -> AccountSettings:
    check_setting(f"accounts[{number}]", check_type, account, AccountSettings, "an AccountSettings")
    try:
        return AccountSettings(name=account_name(account.name), password=new_password(account.password))
    except ValueError as error:
        raise SettingError(f"accounts[{number}]", str(error)) from None
