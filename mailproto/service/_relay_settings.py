"""The settings of the relay: where mail for other domains goes, and when it is tried."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mailproto._arguments import (
    check_mapping,
    check_path,
    check_seconds,
    check_type,
    check_whole,
    check_words,
)
from mailproto._ip import ip_address
from mailproto.auth import Password
from mailproto.connection.proxy import Networks
from mailproto.relay import NextHop, Routes
from mailproto.relay._permission import check_relay_from
from mailproto.relay._tls import check_reporter
from mailproto.relay.limits import Schedule
from mailproto.service._account_file import read_private
from mailproto.service._setting_error import SettingError, check_setting

__all__ = ["RelaySettings", "credentials_of"]

_DEFAULT = Schedule()
_WEAK = ("none", "opportunistic", "required")
_RESOLVER = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """The section ``relay``.

    :ivar way: where mail for other domains goes: ``mx``, ``off``, or a URL (`mailproto.relay.NextHop.parse`);
        None for ``off`` while the only domain is localhost, so that a server on a laptop sends no test mail
        to real people, and otherwise for ``mx``.
    :ivar routes: another way for some domains (`mailproto.relay.Routes`): ``{"*.example.org": "smtp://..."}``.
    :ivar credentials: what to sign in with, by the host of a URL.
    :ivar clients: those that may send anywhere without AUTH: a `Networks`, or a list such as
        ``["192.0.2.0/24"]``.
    :ivar aliases: a file of aliases (`mailproto.relay.aliases.AliasFile`); None for no aliases.
    :ivar resolvers: DNS servers, such as ``127.0.0.1:53``; none for the system's.
    :ivar mx_port: the port of servers that the DNS names.
    :ivar retry: seconds until the first retry; later ones come after longer waits.
    :ivar lifetime: seconds after which a message is given up.
    :ivar tls_reports: the mail address from which domains that ask for it get daily reports about TLS (RFC
        8460); None for no reports.
    :ivar delay_notice: seconds after which the sender is told that a message is late; 0 for never.
    """

    way: str | None = None
    routes: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, Password] = field(default_factory=dict, repr=False)
    clients: Networks | Sequence[str] = field(default_factory=Networks)
    aliases: Path | None = None
    resolvers: Sequence[str] = ()
    mx_port: int = 25
    retry: float = _DEFAULT.retry
    lifetime: float = _DEFAULT.lifetime
    delay_notice: float = _DEFAULT.delay_notice
    tls_reports: str | None = None

    def __post_init__(self) -> None:
        check_setting("relay.way", check_type, self.way, (str, type(None)), "a str or None")
        _checked("relay.way", lambda: Routes("off" if self.way is None else self.way))
        check_setting("relay.routes", check_mapping, self.routes)
        _checked("relay.routes", lambda: Routes("off", self.routes))
        check_setting("relay.credentials", check_mapping, self.credentials)
        _checked("relay.credentials", lambda: Routes("off", None, self.credentials))
        try:
            clients = Networks.of("", self.clients)
            check_relay_from("", clients)
        except (TypeError, ValueError) as error:
            raise SettingError("relay.clients", str(error).lstrip(": ")) from None
        object.__setattr__(self, "clients", clients)
        if self.aliases is not None:
            check_setting("relay.aliases", check_path, self.aliases, "the path of a file, or None")
            object.__setattr__(self, "aliases", Path(self.aliases))
        if self.resolvers:
            check_setting("relay.resolvers", check_words, self.resolvers, "127.0.0.1:53")
        _checked("relay.resolvers", lambda: self.servers)
        check_setting("relay.mx_port", check_whole, self.mx_port, 1)
        if self.mx_port > 65_535:
            raise SettingError("relay.mx_port", "no port has such a number", value=self.mx_port)
        check_setting("relay.retry", check_seconds, self.retry, above_0=True)
        check_setting("relay.lifetime", check_seconds, self.lifetime, above_0=True)
        check_setting("relay.delay_notice", check_seconds, self.delay_notice)
        check_setting("relay.tls_reports", check_type, self.tls_reports, (str, type(None)), "a str or None")
        if (reporter := self.tls_reports) is not None:
            _checked("relay.tls_reports", lambda: check_reporter(reporter))

    @property
    def servers(self) -> list[tuple[str, int]]:
        """The address and port of each of ``resolvers``."""
        return [_server(text) for text in self.resolvers]

    def routes_for(self, domains: Sequence[str]) -> Routes:
        """The routes of a server that takes mail for ``domains``."""
        return Routes(self.way_for(domains), self.routes, self.credentials)

    def unverified(self, domains: Sequence[str]) -> list[NextHop]:
        """The next hops with credentials whose URLs do not demand a verified certificate."""
        hosts = {NextHop("smtp", host).host for host in self.credentials}
        hops = [NextHop.parse(way) for way in (self.way_for(domains), *self.routes.values()) if way != "off"]
        return [hop for hop in hops if hop.host in hosts and hop.tls in _WEAK and not hop.is_on_loopback]

    def way_for(self, domains: Sequence[str]) -> str:
        """``way``, or its default for a server that takes mail for ``domains``."""
        return self.way or ("off" if tuple(domains) == ("localhost",) else "mx")


def credentials_of(file: str | os.PathLike[str]) -> dict[str, Password]:
    """The credentials of a file with a line HOST USER PASSWORD for each host.

    Empty lines, and lines that begin with ``#``, mean nothing.  The password is everything after the second
    space.  Only its owner may write the file, and only its owner and its group may read it.

    :raises SettingError: the file cannot be used; the message has nothing of a password.
    """
    found: dict[str, Password] = {}
    try:
        for number, line in enumerate(read_private(file).splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            words = line.split(" ", 2)
            if len(words) < 3 or not all(words):
                raise ValueError(f"line {number}: must be HOST USER PASSWORD")
            try:
                Routes("off", None, {words[0]: Password(words[1], words[2])})
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
            found[words[0]] = Password(words[1], words[2])
    except ValueError as error:
        raise SettingError("relay.credentials", str(error), value=Path(file)) from None
    return found


def _server(text: str) -> tuple[str, int]:
    match = _RESOLVER.fullmatch(text)
    host = match[1].strip("[]") if match else ""
    is_address = ip_address(host) is not None and ":" not in host.partition("]")[2]
    if match is not None and is_address and match[2] and 0 < int(match[2]) < 1 << 16:
        return host, int(match[2])
    why = "one is 127.0.0.1:53 or [::1]:53"
    if match is not None and host and not is_address:
        why += "; a name has no address before there is a DNS server to ask"
    raise ValueError(f"not the address and port of a DNS server: {text!r}; {why}")


def _checked(path: str, make: Callable[[], object]) -> None:
    """:raises SettingError: the value cannot be made."""
    try:
        make()
    except (TypeError, ValueError) as error:
        raise SettingError(path, str(error)) from None
