"""`Routes`: which next hop mail for a domain takes."""

from __future__ import annotations

from collections.abc import Mapping

from mailproto._arguments import check_mapping, check_type, wrong_type, wrong_value
from mailproto._ip import ip_address
from mailproto.auth import Password
from mailproto.domains import canonical_domain, domain_fault
from mailproto.relay._next_hop import MX, NextHop

__all__ = ["Routes", "literal_address", "normal_domain"]

OFF = "off"
"""What operators write for no next hop: mail is not sent anywhere."""


class Routes:
    """The next hop of each domain::

        Routes("mx", {"example.org": "smtp://10.0.0.1", "*.example.org": "lmtp://10.0.0.2:2003"})

    :param default: for domains without a route of their own: a `NextHop`, what `NextHop.parse` reads, or
        ``off`` or None for nowhere.
    :param by_domain: the same by domain, in any script.  ``*.example.org`` means every domain below
        example.org, but not itself.  A domain beats wildcards, and the longest wildcard beats others.
    :param credentials: what to sign in with, by the host of a next hop.
    :raises TypeError, ValueError: a domain, host or next hop is not valid; the text has no password.
    """

    def __init__(
        self,
        default: NextHop | str | None = MX,
        by_domain: Mapping[str, NextHop | str | None] | None = None,
        credentials: Mapping[str, Password] | None = None,
    ) -> None:
        self._credentials: dict[str, Password] = {}
        for host, password in (credentials or {}).items():
            if not isinstance(password, Password):  # which is not shown
                raise TypeError(f"the credentials for {host} must be a Password")
            self._credentials[NextHop("smtp", host).host] = password
        check_mapping("by_domain", by_domain or {})
        self.default = self._next_hop(default)
        self._exact: dict[str, NextHop | None] = {}
        self._below: dict[str, NextHop | None] = {}  # by what follows "*."
        for domain, hop in (by_domain or {}).items():
            self._add(domain, hop)

    def _add(self, domain: str, hop: NextHop | str | None) -> None:
        takes = "a domain such as 'example.org' or '*.example.org'"
        if not isinstance(domain, str):
            raise wrong_type("the domain of a route", domain, takes)
        bare = domain.removeprefix("*.")
        if bare == "*":
            raise wrong_value("the domain of a route", domain, takes, "all other domains have the default")
        if not (bare == domain and _is_literal(bare)) and (fault := domain_fault(bare)):
            raise wrong_value("the domain of a route", domain, takes, f"it {fault}")
        table = self._exact if bare == domain else self._below
        name = normal_domain(bare)
        if name in table:
            raise wrong_value("the domain of a route", domain, takes, "it has two routes")
        table[name] = self._next_hop(hop)

    def _next_hop(self, hop: NextHop | str | None) -> NextHop | None:
        if hop is None or hop == OFF:
            return None
        if isinstance(hop, str):
            hop = NextHop.parse(hop)
        check_type("a next hop", hop, NextHop, "a NextHop, a str or None")
        password = self._credentials.get(hop.host) if hop.credentials is None else None
        return hop if password is None else hop.with_credentials(password)

    def next_hop(self, domain: str) -> NextHop | None:
        """Where mail for a domain goes next; None if it goes nowhere (``off``).

        :param domain: of an address, in any spelling; an address literal with its brackets.
        """
        name = normal_domain(domain)
        if name in self._exact:
            return self._exact[name]
        if self._below and name[:1] != "[":
            rest = name
            while (dot := rest.find(".")) >= 0:
                rest = rest[dot + 1 :]
                if rest in self._below:
                    return self._below[rest]
        return self.default

    def key(self, domain: str) -> str:
        """The destination for which messages are put together: domains with the same key may share
        transactions.

        It is the next hop as ``str()`` writes it, or the domain itself, in A-labels and lower case, if its
        servers are found by the DNS or it has no next hop.
        """
        hop = self.next_hop(domain)
        return normal_domain(domain) if hop is None or hop.scheme == "mx" else str(hop)


def _is_literal(domain: str) -> bool:
    return literal_address(domain) is not None


def literal_address(domain: str) -> str | None:
    """The IP address in an address literal (RFC 5321 4.1.3), in its usual form; None if it is none."""
    inner = domain[1:-1]
    if domain[:1] != "[" or domain[-1:] != "]" or "%" in inner:
        return None
    is_tagged = inner[:5].lower() == "ipv6:"
    address = ip_address(inner[5:] if is_tagged else inner)
    return None if address is None or (":" in inner) != is_tagged else str(address)


def normal_domain(domain: str) -> str:
    """The one spelling of a domain or an address literal."""
    address = literal_address(domain)
    if address is None:
        return canonical_domain(domain)
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
