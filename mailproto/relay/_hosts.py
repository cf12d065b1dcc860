"""The hosts that take a domain's mail, and their addresses (RFC 5321 5.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, zip_longest
from typing import Final

from twisted.internet.defer import ensureDeferred, gatherResults

from mailproto._ip import ip_address
from mailproto.awaiting import settle
from mailproto.domains import domain_fault, ends_in_number
from mailproto.errors import MailError, Refused
from mailproto.relay._dns import Answer, DNSFailure, Kind, Lookup, MXRecord

__all__ = [
    "ADDRESSES_LIMIT",
    "HOSTS_LIMIT",
    "Candidate",
    "Shuffle",
    "candidates",
    "is_usable_address",
    "resolve",
    "resolve_all",
]

HOSTS_LIMIT: Final = 10
"""The most hosts of a domain that are tried."""

ADDRESSES_LIMIT: Final = 5
"""The most addresses of a host that are tried."""

Shuffle = Callable[[list[MXRecord]], None]
"""Puts hosts of the same preference into a random order, as `random.shuffle` does."""


@dataclass(slots=True)
class Candidate:
    """A host that may take the mail.

    :ivar preference: the lowest comes first.
    :ivar host: in A-labels.
    :ivar is_secure: whether its name is validated by DNSSEC (that is, the MX record that names it).
    :ivar addresses: None while they are not known.
    :ivar error: why they cannot be known now.
    :ivar is_address_secure: whether they, or the fact that there are none, are validated.
    :ivar canonical: the host's name after CNAMEs.
    """

    preference: int
    host: str
    is_secure: bool = False
    addresses: tuple[str, ...] = ()
    error: DNSFailure | None = None
    is_address_secure: bool = False
    canonical: str = ""


async def candidates(resolver: Lookup, domain: str, shuffle: Shuffle) -> list[Candidate]:
    """The hosts of a domain in the order in which they are tried; without addresses.

    :raises Refused: there is no such domain, or it takes no mail.
    :raises DNSFailure: there is no answer now.
    """
    answer = await ask(resolver, domain, "MX")
    if not answer.exists:
        raise Refused(550, "5.1.2", f"There is no domain {domain}")
    if not answer.records:  # the domain itself is the host (RFC 5321 5.1)
        return [Candidate(0, domain, answer.is_secure)]
    named = [record for record in answer.records if record.host]
    if not named:
        raise Refused(556, "5.1.10", f"{domain} takes no mail (its MX record says so)")  # RFC 7505 4.2
    usable = [record for record in named if _is_host(record.host)]
    if not usable:
        raise Refused(550, "5.4.4", f"No MX record of {domain} has a valid host's name")
    ordered: dict[str, int] = {}
    for _, equals in groupby(sorted(set(usable)), key=lambda record: record.preference):
        group = list(equals)
        shuffle(group)
        for preference, host in group:
            ordered.setdefault(host, preference)
    return [Candidate(preference, host, answer.is_secure) for host, preference in ordered.items()]


def _is_host(name: str) -> bool:
    return not domain_fault(name) and not ends_in_number(name)


async def resolve_all(resolver: Lookup, hosts: Sequence[Candidate]) -> None:
    """Look up the addresses of all hosts at once."""
    await gatherResults([ensureDeferred(resolve(resolver, host)) for host in hosts], consumeErrors=True)


async def resolve(resolver: Lookup, host: Candidate) -> None:
    """Look up a host's addresses: IPv6 and IPv4 in turn (RFC 8305 4), so that one that does not work costs
    only every other attempt.

    What fails is noted in ``host.error`` if there is no address at all.
    """
    asked = [ensureDeferred(_caught(resolver, host.host, kind)) for kind in ("AAAA", "A")]
    answers = await gatherResults(asked, consumeErrors=True)
    found = [answer for answer in answers if isinstance(answer, Answer)]
    records = [[each for each in answer.records if is_usable_address(each)] for answer in found]
    mixed = [each for each in chain.from_iterable(zip_longest(*records)) if each is not None]
    host.addresses = tuple(dict.fromkeys(mixed))[:ADDRESSES_LIMIT]
    # An attacker who keeps one of the answers from us does not make the other one less secure.
    host.is_address_secure = all(answer.is_secure for answer in found)
    host.canonical = next((answer.name for answer in found if answer.records and answer.name), host.host)
    if not host.addresses:
        host.error = next((answer for answer in answers if isinstance(answer, DNSFailure)), None)


async def _caught(resolver: Lookup, name: str, kind: Kind) -> Answer | DNSFailure:
    try:
        return await ask(resolver, name, kind)
    except DNSFailure as error:
        return error


async def ask(resolver: Lookup, name: str, kind: Kind) -> Answer:
    """One answer of the DNS.  :raises DNSFailure:"""
    try:
        return await settle(resolver.look_up(name, kind))
    except DNSFailure:
        raise
    except MailError as error:
        raise DNSFailure(detail=str(error)) from error


def is_usable_address(text: str) -> bool:
    """Whether mail can be taken there: 0.0.0.0 would be this machine, and a group takes no connection."""
    address = ip_address(text)
    return address is not None and not address.is_unspecified and not address.is_multicast
