"""The options of the relay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from mailproto.connection.proxy import Networks
from mailproto.relay.limits import Schedule
from mailproto.service._durations import duration_text, read_duration
from mailproto.service._relay_settings import RelaySettings, credentials_of
from mailproto.service._setting_error import SettingError

__all__ = ["RELAY_OPTIONS", "RelayOptions", "read_option"]

T = TypeVar("T")

RELAY_OPTIONS: Mapping[str, str] = {
    "relay.way": "--relay",
    "relay.routes": "--route",
    "relay.credentials": "--relay-credentials",
    "relay.clients": "--relay-from",
    "relay.aliases": "--aliases",
    "relay.resolvers": "--resolver",
    "relay.mx_port": "--mx-port",
    "relay.retry": "--retry",
    "relay.lifetime": "--lifetime",
    "relay.delay_notice": "--delay-notice",
    "relay.tls_reports": "--tls-reports",
}
"""The options by their settings' paths."""


_DEFAULT = Schedule()


def read_option(option: str, read: Callable[[str], T]) -> Callable[[str], T]:
    """What Twisted calls with an option's value.

    Its error is a UsageError, because Twisted puts words of its own before the text of a ValueError.
    """

    def checked(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise UsageError(SettingError("", str(error), value=text).line(f"--{option}")) from None

    return checked


def _duration(least: int) -> Callable[[str], int]:
    return lambda text: read_duration(text, least=least)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 1 << 16):
        raise ValueError("must be a port, a number from 1 to 65535")
    return int(text)


class RelayOptions(UsageOptions):
    """The options of the relay, for `mailproto.service.Options`."""

    optParameters = [
        [
            "relay",
            None,
            None,
            "Where mail for other domains goes: mx, off, or a URL such as "
            "smtp://mail.example.net:587?tls=verified. [default: off while the only domain is localhost, "
            "else mx]",
        ],
        [
            "relay-credentials",
            None,
            None,
            "A file with a line HOST USER PASSWORD for each host of such URLs.",
        ],
        [
            "aliases",
            None,
            None,
            "A file of aliases, with lines such as info: alice, bob@example.net; read again when it changes.",
        ],
        ["mx-port", None, 25, "The port of servers that the DNS names.", read_option("mx-port", _port)],
        [
            "retry",
            None,
            None,
            "The time until the first retry: seconds, or 90s, 5m, 4h or 5d; later waits are longer. "
            f"[default: {duration_text(_DEFAULT.retry)}]",
            read_option("retry", _duration(1)),
        ],
        [
            "lifetime",
            None,
            None,
            f"The age at which a message is given up. [default: {duration_text(_DEFAULT.lifetime)}]",
            read_option("lifetime", _duration(1)),
        ],
        [
            "delay-notice",
            None,
            None,
            "The age at which a sender is told that a message is late; 0 for never. "
            f"[default: {duration_text(_DEFAULT.delay_notice)}]",
            read_option("delay-notice", _duration(0)),
        ],
        [
            "tls-reports",
            None,
            None,
            "The mail address from which domains that ask for it get daily reports about TLS (RFC 8460). "
            "[default: no reports]",
        ],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._routes: dict[str, str] = {}
        self._relay_from: list[str] = []
        self._resolvers: list[str] = []

    def opt_route(self, route: str) -> None:
        """DOMAIN=URL: another way for mail to that domain, or to all below one (*.example.org); repeatable.
        URLs are smtp://HOST:PORT, smtps://, lmtp://, with ?tls=none, opportunistic, required or verified; mx
        and off are others."""
        domain, equals, way = route.partition("=")
        if not equals:
            raise UsageError("--route: must be DOMAIN=URL, such as example.org=smtp://10.0.0.1")
        if domain in self._routes:
            raise UsageError(f"--route: {domain} has two routes")
        self._routes[domain] = way

    def opt_relay_from(self, network: str) -> None:
        """A network or an address: clients of --smtp that may send anywhere without AUTH; repeatable.
        [default: none]"""
        try:
            Networks.of("--relay-from", [network])
        except ValueError as error:
            raise UsageError(f"--relay-from: {str(error).removeprefix('each of --relay-from ')}") from None
        self._relay_from.append(network)

    def opt_resolver(self, server: str) -> None:
        """ADDRESS:PORT of a DNS server, such as 127.0.0.1:53; repeatable. [default: the system's]"""
        self._resolvers.append(server)

    @property
    def relay_settings(self) -> RelaySettings:
        """The section ``relay``.

        :raises SettingError: a value is not valid.
        """
        given: Mapping[str, Any] = self
        file = given["relay-credentials"]
        for name in ("relay-credentials", "aliases"):
            if given[name] == "":  # perhaps from a shell variable that is not set
                raise SettingError(f"relay.{name.removeprefix('relay-')}", "a path is missing")
        return RelaySettings(
            way=given["relay"],
            routes=self._routes,
            credentials={} if file is None else credentials_of(file),
            clients=Networks(self._relay_from),
            aliases=given["aliases"],
            resolvers=tuple(self._resolvers),
            mx_port=given["mx-port"],
            tls_reports=given["tls-reports"],
            **{
                name.replace("-", "_"): given[name]
                for name in ("retry", "lifetime", "delay-notice")
                if given[name] is not None
            },
        )
