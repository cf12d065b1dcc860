"""`NextHop`: where mail goes next, as operators write it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias, cast

from mailproto._arguments import check_choice, check_type, wrong_type, wrong_value
from mailproto._ip import ip_address
from mailproto.auth import Password
from mailproto.client import ServerAddress
from mailproto.domains import canonical_domain

__all__ = ["MX", "NextHop", "Scheme", "TLSLevel"]

Scheme: TypeAlias = Literal["mx", "smtp", "smtps", "lmtp"]
TLSLevel: TypeAlias = Literal["none", "opportunistic", "required", "verified"]

_LEVELS: Final = ("none", "opportunistic", "required", "verified")
_PORTS: Final = {"smtp": 25, "smtps": 465, "lmtp": 24}
"""The port of a URL without one; LMTP may not use 25 (RFC 2033 5)."""

_URL = re.compile(
    r"(?P<scheme>smtps?|lmtp)://(?P<host>\[[^\[\]/?#@]*\]|[^\[\]/?#@:]*)"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?",
    re.ASCII | re.IGNORECASE,
)
_BY_DNS = re.compile(r"mx(?:\?(?P<query>.*))?", re.ASCII | re.IGNORECASE)
_TAKES = "'mx' or a URL such as 'smtp://mail.example.org:587?tls=verified'"


@dataclass(frozen=True, slots=True)
class NextHop:
    """Where mail goes next: to a domain's own servers, found by the DNS, or to one host.

    `parse` reads one; ``str()`` writes it so that two that mean the same are equal, without credentials.

    :ivar scheme: ``mx``: by the DNS; ``smtp``; ``smtps``: TLS from the first octet; ``lmtp``.
    :ivar host: a domain name in A-labels and lower case, or an IP address without brackets; "" with ``mx``
        and with a ``path``.
    :ivar port: 0 where there is no host.
    :ivar path: of LMTP's Unix socket; "" for none.
    :ivar tls: ``none``: plaintext.  ``opportunistic``: STARTTLS with any certificate if that works, or else
        plaintext.  ``required``: TLS with any certificate.  ``verified``: TLS with a certificate for the
        host.  None for the default (`level`).
    :ivar credentials: what to sign in with; None not to.
    :raises TypeError, ValueError: a value is not valid, or does not fit the others.
    """

    scheme: Scheme
    host: str = ""
    port: int = 0
    path: str = ""
    tls: TLSLevel | None = None
    credentials: Password | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_choice("scheme", self.scheme, ("mx", *_PORTS))
        for name in ("host", "path"):
            check_type(name, getattr(self, name), str, "a str")
        check_type("credentials", self.credentials, (Password, type(None)), "a Password or None")
        if self.tls is not None:
            check_choice("tls", self.tls, _LEVELS)
        if self.scheme == "mx":
            self._check_absent(("host", "port", "path", "credentials"), "found by the DNS")
        elif self.path:
            self._check_absent(("host", "port"), "a Unix socket")
            if self.scheme != "lmtp" or not self.path.startswith("/") or "\0" in self.path:
                raise wrong_value("path", self.path, "the absolute path of LMTP's Unix socket")
        else:
            server = ServerAddress(self.host, self.port or _PORTS[self.scheme])  # which checks them
            object.__setattr__(self, "host", _host(server.host))
            object.__setattr__(self, "port", server.port)
        not_allowed = _LEVELS[1:] if self.path else _LEVELS[:2] if self.scheme == "smtps" else ()
        if self.tls in not_allowed:
            allowed = " or ".join(repr(each) for each in _LEVELS if each not in not_allowed)
            where = "a Unix socket" if self.path else self.scheme
            raise wrong_value("tls", self.tls, f"{allowed} with {where}")

    def _check_absent(self, names: Collection[str], why: str) -> None:
        for name in names:
            if getattr(self, name):
                raise ValueError(f"{name} has no meaning for what is {why}")

    @classmethod
    def parse(cls, text: str) -> NextHop:
        """Read ``mx`` or a URL, either with ``?tls=none``, ``opportunistic``, ``required`` or ``verified``.

        URLs are ``smtp://HOST:PORT``, ``smtps://HOST:PORT``, ``lmtp://HOST:PORT`` and
        ``lmtp:///PATH/OF/SOCKET``; an IPv6 address is written in brackets.  Without a port it is 25, 465 or
        24.

        :raises TypeError: ``text`` is no `str`.
        :raises ValueError: it is none of these; the text says why, and has no password.
        """
        if not isinstance(text, str):
            raise wrong_type("a next hop", text, _TAKES)
        if (by_dns := _BY_DNS.fullmatch(text)) is not None:
            return cls("mx", tls=_tls_of(by_dns["query"]))
        if "@" in text:  # it may have a password, which is not shown
            raise ValueError(
                "the URL of a next hop has no name and password: they are in the file of credentials"
            )
        match = _URL.fullmatch(text)
        if match is None:
            raise wrong_value("a next hop", text, _TAKES)
        scheme, path = cast(Scheme, match["scheme"].lower()), match["path"] or ""
        tls = _tls_of(match["query"])
        if path == "/":
            path = ""
        if path and (match["host"] or match["port"]):
            raise wrong_value("a next hop", text, _TAKES, "there is something after the port")
        if path:
            return cls(scheme, path=path, tls=tls)
        if match["port"] is not None and not int(match["port"]):
            raise wrong_value("port", 0, "an int from 1 to 65535")
        return cls(scheme, match["host"], int(match["port"] or 0), tls=tls)

    @property
    def level(self) -> TLSLevel:
        """What TLS is demanded: ``tls``, or by default ``opportunistic``.

        ``verified`` with credentials, which no other server may see, and with ``smtps``; not on this
        machine, and ``none`` for a Unix socket.
        """
        if self.tls is not None:
            return self.tls
        if self.path:
            return "none"
        if self.scheme == "smtps" or (self.credentials is not None and not self.is_on_loopback):
            return "verified"
        return "opportunistic"

    @property
    def is_on_loopback(self) -> bool:
        """Whether the host is this machine."""
        address = ip_address(self.host)
        return self.host == "localhost" if address is None else address.is_loopback

    def with_credentials(self, credentials: Password) -> NextHop:
        """The same, to sign in there."""
        return replace(self, credentials=credentials)

    def __str__(self) -> str:
        query = f"?tls={self.tls}" if self.tls else ""
        if self.scheme == "mx":
            return f"mx{query}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        where = f"/{self.path[1:]}" if self.path else f"{host}:{self.port}"
        return f"{self.scheme}://{where}{query}"


def _tls_of(query: str | None) -> TLSLevel | None:
    if not query:
        return None
    name, _, value = query.partition("=")
    if name != "tls":
        raise wrong_value("what follows ? in a next hop", query, "tls=" + ", ".join(_LEVELS))
    check_choice("tls", value, _LEVELS)
    return cast(TLSLevel, value)


def _host(host: str) -> str:
    bare = host[1:-1] if host[0] == "[" else host
    bare = bare[5:] if bare[:5].lower() == "ipv6:" else bare
    address = None if "%" in bare else ip_address(bare)  # a zone stays
    return str(address) if address is not None else canonical_domain(bare)


MX: Final = NextHop("mx")
"""To the servers that the DNS names, with opportunistic TLS where no policy demands more."""
