"""Takes mail for other servers, and carries it to its destination.

`QueueDelivery` takes it: a server's delivery, in front of a store's queue.  `RelayAgent` sends what is in
the queue, along `Routes`, and tells senders what became of it::

    routes = Routes("mx", {"*.lab.example": "smtp://10.0.0.1?tls=required"})
    delivery = QueueDelivery(store, MailboxDelivery(store, ["example.org"]), routes)
    agent = RelayAgent(
        reactor,
        store.queue,
        routes,
        Exchanges(DNSResolver(reactor), own_names=["mail.example.org"]),
        Opener(reactor, hostname="mail.example.org"),
        prepare_report=delivery.prepare,
        hostname="mail.example.org",
    )
    agent.start()

Elsewhere:

- `mailproto.relay.servers`: the servers of a destination, and the way to them.
- `mailproto.relay.limits`: when something is tried, and how much at a time.
- `mailproto.relay.policies`: the TLS policies of domains (DANE, MTA-STS).
"""

from mailproto.relay._agent import RelayAgent
from mailproto.relay._intake import QueueDelivery
from mailproto.relay._next_hop import MX, NextHop
from mailproto.relay._routes import Routes

__all__ = ["MX", "NextHop", "QueueDelivery", "RelayAgent", "Routes"]
