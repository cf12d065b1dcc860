"""DANE for SMTP (RFC 7672): the TLSA records of a server, with DNSSEC."""

from __future__ import annotations

import hashlib
from typing import Final

from mailproto.relay._dns import Lookup, TLSARecord
from mailproto.relay._exchange import TLSDemand
from mailproto.relay._hosts import Candidate, ask

__all__ = ["TLSA_LIMIT", "dane_demand"]

TLSA_LIMIT: Final = 20
"""The most records that are compared with a certificate; those of a server that changes its key are few."""

_DIGESTS: Final = {1: hashlib.sha256().digest_size, 2: hashlib.sha512().digest_size}


async def dane_demand(resolver: Lookup, domain: str, host: Candidate, port: int) -> TLSDemand | None:
    """What DANE demands of a host: None if it says nothing about it (RFC 7672 2.2).

    Without records that can be used, TLS is demanded nevertheless, with any certificate.

    :param domain: the recipients'; certificates may be for it, too.
    :raises DNSFailure: the records cannot be known now, so nothing may be sent there (2.1.2).
    """
    if not (host.is_secure and host.is_address_secure):
        return None
    for base in dict.fromkeys((host.canonical, host.host)):  # the first that has records counts (2.2.3)
        answer = await ask(resolver, f"_{port}._tcp.{base}", "TLSA")
        if not answer.records or not answer.is_secure:
            continue
        usable = [record for record in answer.records if _is_usable(record)][:TLSA_LIMIT]
        if not usable:
            return TLSDemand("required", reason="dane")
        names = dict.fromkeys((base, domain, host.host))
        return TLSDemand("dane", tuple(names), tuple(sorted(usable)), reason="dane")
    return None


def _is_usable(record: TLSARecord) -> bool:
    """Whether we can use it (3.1): usage 2 or 3, a selector and a way of matching that we know, and data
    that can match."""
    if record.usage not in (2, 3) or record.selector not in (0, 1):
        return False
    if record.matching == 0:
        return bool(record.data)
    return len(record.data) == _DIGESTS.get(record.matching)
