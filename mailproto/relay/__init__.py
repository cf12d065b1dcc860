"""Takes mail for other servers, and carries it to its destination.

`QueueDelivery` takes it: a server's delivery, in front of a queue.  `RelayAgent` carries it from there to its
destinations, tries again what cannot be sent, and tells senders what became of it::

    delivery = QueueDelivery(store, MailboxDelivery(store, domains), routes)
    agent = RelayAgent(reactor, store.queue, routes, exchanges, opener, prepare_report=delivery.prepare)
    agent.start()

For each domain, `Routes` give the `NextHop`, `Exchanges` the servers to try, and `Opener` a client that is
ready to send::

    routes = Routes("mx", {"*.lab.example": "smtp://10.0.0.1?tls=required"})
    exchanges = Exchanges(DNSResolver(reactor), own_names=["mail.example.org"])
    opener = Opener(reactor, hostname="mail.example.org")

    hop = routes.next_hop("example.net")           # None: it goes nowhere
    for exchange in await exchanges.find(hop, "example.net"):
        client = await opener.open_client(exchange)

Elsewhere:

- `mailproto.relay.limits`: when and how much is sent.
- `mailproto.relay.policies`: the TLS policies of domains (DANE, MTA-STS).
"""

from mailproto.relay._agent import RelayAgent
from mailproto.relay._dns import DNSResolver
from mailproto.relay._exchange import Exchange
from mailproto.relay._exchanges import Exchanges
from mailproto.relay._intake import QueueDelivery
from mailproto.relay._next_hop import MX, NextHop
from mailproto.relay._opening import Opener
from mailproto.relay._routes import Routes

__all__ = [
    "MX",
    "DNSResolver",
    "Exchange",
    "Exchanges",
    "NextHop",
    "Opener",
    "QueueDelivery",
    "RelayAgent",
    "Routes",
]
