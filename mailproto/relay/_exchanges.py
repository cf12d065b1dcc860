"""`Exchanges`: the servers to try for a next hop, in order, each with its TLS demand."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from mailproto._arguments import check_methods, check_places, check_type, check_whole, check_words
from mailproto._ip import ip_address
from mailproto.domains import domain_fault, ends_in_number, literal_address, normal_domain
from mailproto.errors import MailError, Refused
from mailproto.printable import printable
from mailproto.relay._dns import DNSFailure, Lookup
from mailproto.relay._exchange import Exchange
from mailproto.relay._hosts import (
    HOSTS_LIMIT,
    Candidate,
    Shuffle,
    candidates,
    is_usable_address,
    resolve,
    resolve_all,
)
from mailproto.relay._next_hop import NextHop
from mailproto.relay._own import OwnPlaces
from mailproto.relay._tls import Demands, TLSPolicies

__all__ = ["Exchanges"]


class Exchanges:
    """Finds the servers to try for a destination.

    :param resolver: what asks the DNS, such as a `DNSResolver`.
    :param mx_port: the port of servers that the DNS names.
    :param own_names: this server's names: it, and what is worse, is cut from a domain's list.
    :param own_addresses: likewise, (address, port) where this server listens for mail from others; 0.0.0.0
        means all addresses of this machine.
    :param policies: what decides about TLS for servers that the DNS names; None for no policies.
    :param shuffle: puts servers of equal preference into a random order.
    :raises TypeError, ValueError: an argument is not valid.
    """

    def __init__(
        self,
        resolver: Lookup,
        *,
        mx_port: int = 25,
        own_names: Collection[str] = (),
        own_addresses: Collection[tuple[str, int]] = (),
        policies: TLSPolicies | None = None,
        shuffle: Shuffle = random.shuffle,
    ) -> None:
        check_methods("resolver", resolver, "a DNSResolver", "look_up")
        check_whole("mx_port", mx_port, 1)
        if own_names != ():
            check_words("own_names", own_names, "mail.example.org")
        check_places("own_addresses", own_addresses)
        if policies is not None:
            check_methods("policies", policies, "a TLSPolicies or None", "exchanges")
        self._resolver = resolver
        self._port = mx_port
        self._own = OwnPlaces(own_names, own_addresses)
        self._policies = policies or TLSPolicies(resolver)
        self._shuffle = shuffle

    async def find(
        self, next_hop: NextHop, domain: str, *, require_tls: bool | None = None
    ) -> Sequence[Exchange]:
        """The servers to try, the first one first; at least one.

        :param next_hop: from `Routes.next_hop`.
        :param domain: of the recipients, in any spelling; an address literal with its brackets.  With the
            same `Routes.key`, the answer is the same.
        :param require_tls: True for a message with REQUIRETLS (RFC 8689): only servers whose names can be
            trusted, with valid certificates.  False for one with ``TLS-Required: No`` (5): policies of
            domains do not count.
        :raises MailError: there is none; the codes and the text say why, and are the recipients' outcome:
            550 5.1.2 (no such domain), 550 5.4.4 (no server has an address), 556 5.1.10 (null MX, RFC 7505),
            554 5.4.6 (only this server itself), 550 5.7.10 (none that REQUIRETLS allows), 451 4.4.3 (the DNS
            does not answer now), 451 4.7.5 (none that the domain's policy allows).
        """
        check_type("next_hop", next_hop, NextHop, "a NextHop")
        name = normal_domain(domain)
        demands = Demands(next_hop.level, require_tls)
        if next_hop.scheme != "mx":
            return [await self._of_host(next_hop, demands)]
        if (address := literal_address(name)) is not None:
            return self._of_literal(address, name, demands)
        return await self._of_domain(name, demands)

    async def _of_host(self, hop: NextHop, demands: Demands) -> Exchange:
        addresses: tuple[str, ...] = ()
        if hop.host:
            addresses = await self._addresses_of(hop.host)
        return Exchange(
            hop.host,
            addresses,
            hop.port,
            hop.path,
            hop.scheme == "lmtp",
            demands.of_route(hop.host, is_implicit=hop.scheme == "smtps"),
            hop.credentials,
        )

    async def _addresses_of(self, host: str) -> tuple[str, ...]:
        if ip_address(host.partition("%")[0]) is not None:
            return (host,)
        candidate = Candidate(0, host)
        await resolve(self._resolver, candidate)
        if candidate.error is not None:
            raise candidate.error
        if not candidate.addresses:
            raise Refused(451, "4.4.4", f"The next hop {host} has no address")  # the operator can mend that
        return candidate.addresses

    def _of_literal(self, address: str, name: str, demands: Demands) -> list[Exchange]:
        if not is_usable_address(address):
            raise Refused(550, "5.1.2", f"{name} is no address that takes mail")
        if self._own.has_address(address, self._port):
            raise _loop(name)
        return [Exchange(address, (address,), self._port, tls=demands.of_address(name))]

    async def _of_domain(self, domain: str, demands: Demands) -> list[Exchange]:
        if (fault := domain_fault(domain)) or ends_in_number(domain):
            raise Refused(550, "5.1.2", printable(f"{domain} is no domain{fault and f': it {fault}'}"))
        hosts = await candidates(self._resolver, domain, self._shuffle)
        del hosts[HOSTS_LIMIT:]
        await resolve_all(self._resolver, hosts)
        left = self._without_own(hosts)
        if not left:
            raise _loop(domain)
        found = await self._policies.exchanges(domain, self._port, left, demands)
        if found:
            return found
        raise _nothing(domain, left)

    def _without_own(self, hosts: Sequence[Candidate]) -> list[Candidate]:
        """The hosts that are better than this server itself (RFC 5321 5.1)."""
        own = [host.preference for host in hosts if self._is_own(host)]
        return [host for host in hosts if not own or host.preference < min(own)]

    def _is_own(self, host: Candidate) -> bool:
        return self._own.has_name(host.host) or any(
            self._own.has_address(address, self._port) for address in host.addresses
        )


def _loop(domain: str) -> MailError:
    return Refused(554, "5.4.6", printable(f"Mail for {domain} would come back here: this is its own server"))


def _nothing(domain: str, hosts: Sequence[Candidate]) -> MailError:
    """The error for hosts of which none has an address."""
    errors = [host.error for host in hosts if host.error is not None]
    if errors:
        return DNSFailure(detail=str(errors[0]))
    names = ", ".join(host.host for host in hosts[:3])
    return Refused(550, "5.4.4", printable(f"No server for {domain} has an address ({names})"))
