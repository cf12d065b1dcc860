"""The servers of a destination, and the way to them.

`Exchanges` finds the servers to try for a domain, and `Opener` makes a client that is ready to send::

    hop = routes.next_hop("example.net")           # None: it goes nowhere
    for exchange in await exchanges.find(hop, "example.net"):
        client = await opener.open_client(exchange)
"""

from mailproto.relay._dns import DNSResolver
from mailproto.relay._exchange import Exchange
from mailproto.relay._exchanges import Exchanges
from mailproto.relay._opening import Opener

__all__ = ["DNSResolver", "Exchange", "Exchanges", "Opener"]
