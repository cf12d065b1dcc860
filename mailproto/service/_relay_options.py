"""The options of the relay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from mailproto.connection.proxy import Networks
from mailproto.service._relay_settings import RelaySettings, credentials_of
from mailproto.service._setting_error import SettingError

__all__ = ["RELAY_OPTIONS", "RelayOptions"]

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


def _number(option: str, least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        """:raises ValueError: not a number; the text has the option's name."""
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) >= least):
            raise ValueError(f"--{option}: not a number of at least {least}: {text!r}")
        return int(text)

    return read


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
        ["mx-port", None, 25, "The port of servers that the DNS names.", _number("mx-port", 1)],
        ["retry", None, 60, "Seconds until the first retry; later waits are longer.", _number("retry", 1)],
        ["lifetime", None, 432_000, "Seconds after which a message is given up.", _number("lifetime", 1)],
        [
            "delay-notice",
            None,
            14_400,
            "Seconds after which a sender is told that a message is late; 0 for never.",
            _number("delay-notice", 0),
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
            raise UsageError(str(error)) from None
        self._relay_from.append(network)

    def opt_resolver(self, server: str) -> None:
        """HOST:PORT of a DNS server; repeatable. [default: the system's]"""
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
            retry=given["retry"],
            lifetime=given["lifetime"],
            delay_notice=given["delay-notice"],
            tls_reports=given["tls-reports"],
        )
