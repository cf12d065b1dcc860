"""`Routes`: which next hop mail for a domain takes."""

from __future__ import annotations

from collections.abc import Mapping

from mailproto._arguments import check_mapping, check_type
from mailproto.auth import Password
from mailproto.domains import DomainTable, normal_domain
from mailproto.relay._next_hop import MX, NextHop

__all__ = ["Routes"]

_SHOWN = 5
"""Routes that `str` shows."""

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
        check_mapping("credentials", credentials or {})
        self._credentials: dict[str, Password] = {}
        for host, password in (credentials or {}).items():
            if not isinstance(password, Password):  # which is not shown
                raise TypeError(f"the credentials for {host} must be a Password")
            self._credentials[NextHop("smtp", host).host] = password
        check_mapping("by_domain", by_domain or {})
        self.default = self._next_hop(default)
        hops = {domain: self._next_hop(hop) for domain, hop in (by_domain or {}).items()}
        self._hops = hops
        self._table = DomainTable("the domain of a route", hops)

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
        return self._table.find(domain, self.default)

    @property
    def sends_nothing(self) -> bool:
        """Whether mail goes nowhere, whatever its domain is."""
        return self.default is None and not any(self._hops.values())

    def __str__(self) -> str:
        """One line for operators."""
        routes = "".join(f", {domain} by {hop or OFF}" for domain, hop in list(self._hops.items())[:_SHOWN])
        more = f", and {len(self._hops) - _SHOWN} more routes" if len(self._hops) > _SHOWN else ""
        return f"{self.default or OFF}{routes}{more}"

    def key(self, domain: str) -> str:
        """The destination for which messages are put together: domains with the same key may share
        transactions.

        It is the next hop as ``str()`` writes it, or the domain itself, in A-labels and lower case, if its
        servers are found by the DNS or it has no next hop.
        """
        hop = self.next_hop(domain)
        return normal_domain(domain) if hop is None or hop.scheme == "mx" else str(hop)
