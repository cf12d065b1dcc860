"""What TLS is demanded by a route, and by a message."""

from __future__ import annotations

from dataclasses import replace

from mailproto._arguments import check_bool
from mailproto.errors import Refused
from mailproto.relay._exchange import TLSDemand
from mailproto.relay._next_hop import TLSLevel

__all__ = ["Demands", "requiretls_unmet"]


class Demands:
    """What the next hop of a message demands, and the message itself.

    :param level: of the next hop.
    :param require_tls: True for REQUIRETLS (RFC 8689 4.2), False for ``TLS-Required: No`` (5), or None.

    :ivar heeds_policies: whether the policies of domains count: not if the route or the message says so.
    """

    def __init__(self, level: TLSLevel, require_tls: bool | None) -> None:
        if require_tls is not None:
            check_bool("require_tls", require_tls)
        self.level = level
        self.is_requiretls = require_tls is True
        self.heeds_policies = require_tls is not False and (level != "none" or self.is_requiretls)

    @property
    def is_verification_demanded(self) -> bool:
        """Whether only a valid certificate will do, whatever the policies of domains say."""
        return self.is_requiretls or self.level == "verified"

    def with_extension(self, demand: TLSDemand) -> TLSDemand:
        """The demand of a policy; with REQUIRETLS, the server must offer that, too."""
        return replace(demand, needs_requiretls=self.is_requiretls)

    def of_route(self, host: str, *, is_implicit: bool) -> TLSDemand:
        """The demand of a next hop that an operator named: nothing else decides about it.

        :raises Refused: REQUIRETLS cannot be kept, because the server has no name.
        """
        if self.is_requiretls and not host:
            raise requiretls_unmet("the next hop is a socket without TLS")
        return self._for((host,), is_implicit=is_implicit)

    def of_address(self, domain: str) -> TLSDemand:
        """The demand of an address literal.

        :raises Refused: REQUIRETLS cannot be kept, because nothing vouches for an address.
        """
        if self.is_requiretls:
            raise requiretls_unmet(f"{domain} is an address, which no policy vouches for")
        return self._for((domain.removeprefix("[IPv6:").strip("[]"),))

    def of_host(self, host: str, *, is_name_trusted: bool) -> TLSDemand | None:
        """The demand of a host that the DNS named, and that no policy is for.

        :param is_name_trusted: whether nobody could forge the name.
        :returns: None if REQUIRETLS cannot be kept there (RFC 8689 4.2.1).
        """
        if self.is_requiretls and not is_name_trusted:
            return None
        return self._for((host,))

    def _for(self, names: tuple[str, ...], *, is_implicit: bool = False) -> TLSDemand:
        if self.is_requiretls:
            return TLSDemand(
                "verified", names, is_implicit=is_implicit, reason="requiretls", needs_requiretls=True
            )
        is_verified = self.level == "verified"
        return TLSDemand(
            self.level,
            names if is_verified else (),
            is_implicit=is_implicit,
            reason="" if self.level == "opportunistic" else "route",
        )


def requiretls_unmet(why: str) -> Refused:
    """The error for a message that demands more TLS than there is (RFC 8689 5: 5.7.10 is "encryption
    needed")."""
    return Refused(550, "5.7.10", f"The message demands TLS (REQUIRETLS), but {why}")
