"""Routes, exchanges and the opener together, for the agent's connections."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from mailproto.errors import Refused
from mailproto.relay._exchange import Exchange
from mailproto.relay._exchanges import Exchanges
from mailproto.relay._opening import Opener
from mailproto.relay._routes import Routes
from mailproto.smtp import SMTPClient

__all__ = ["FoundWays"]


class FoundWays:
    """Where mail goes, as `Connections` asks for it."""

    def __init__(self, routes: Routes, exchanges: Exchanges, opener: Opener) -> None:
        self._routes = routes
        self._exchanges = exchanges
        self._opener = opener

    async def find(self, domain: str, require_tls: bool | None) -> Sequence[Exchange]:
        """See `Ways.find`."""
        hop = self._routes.next_hop(domain)
        if hop is None:  # it may be switched on again
            raise Refused(451, "4.4.4", "This server sends no mail to that domain now: it has no route")
        return await self._exchanges.find(hop, domain, require_tls=require_tls)

    def open(self, exchange: Exchange) -> Awaitable[SMTPClient]:
        """See `Ways.open`."""
        return self._opener.open_client(exchange)
