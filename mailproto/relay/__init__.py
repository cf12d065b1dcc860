"""Takes mail for other servers, and carries it to its destination.

`QueueDelivery` takes it: a server's delivery, in front of a queue.

For each domain, `Routes` give the next hop, `Exchanges` the servers to try, and `Opener` a client that is
ready to send::

    routes = Routes("mx", {"*.lab.example": "smtp://10.0.0.1?tls=required"})
    exchanges = Exchanges(DNSResolver(reactor), own_names=["mail.example.org"])
    opener = Opener(reactor, hostname="mail.example.org")

    hop = routes.next_hop("example.net")           # None: it goes nowhere
    for exchange in await exchanges.find(hop, "example.net"):
        client = await opener.open_client(exchange)
"""

from mailproto.relay._dns import DNSResolver
from mailproto.relay._exchange import Exchange
from mailproto.relay._exchanges import Exchanges
from mailproto.relay._intake import QueueDelivery
from mailproto.relay._next_hop import MX, NextHop
from mailproto.relay._opening import Opener
from mailproto.relay._routes import Routes

__all__ = ["MX", "DNSResolver", "Exchange", "Exchanges", "NextHop", "Opener", "QueueDelivery", "Routes"]
