"""Puts reports about TLS onto the server's own queue."""

from __future__ import annotations

from typing import Any

from mailproto.awaiting import settle
from mailproto.content import Content
from mailproto.delivery.reports import Report
from mailproto.errors import RelayDenied
from mailproto.interfaces import IQueue
from mailproto.model import NO_PARAMETERS, Address, Recipient
from mailproto.relay import QueueDelivery
from mailproto.relay.policies import TLSReports
from mailproto.relay.servers import DNSResolver
from mailproto.service._settings import Settings

__all__ = ["tls_reports"]


def tls_reports(
    settings: Settings, queue: IQueue, delivery: QueueDelivery, resolver: DNSResolver, reactor: Any
) -> TLSReports | None:
    """What counts how TLS goes, and tells domains; None if that is not switched on."""
    contact = settings.relay.tls_reports
    if contact is None:
        return None

    async def send(sender: Address, recipient: Address, content: bytes) -> None:
        report = Report(sender, (Recipient(recipient),), Content.of(content), NO_PARAMETERS)
        new = await delivery.prepare(report)
        if new is None:
            raise RelayDenied(f"No mail is sent to {recipient.domain}")
        await settle(queue.add([new]))

    return TLSReports(
        reactor,
        resolver,
        send,
        organization=settings.domains[0],
        contact=contact,
        hostname=settings.hostname,
    )
