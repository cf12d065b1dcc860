"""The base of all connections, independent of the protocol.

A `ServerConnection` connects a sans-IO wire to a transport: octets go in, and events come out one at a
time, in order.

- While a handler's awaitable is pending, the next event waits.  Limits still apply: the transport is paused
  when too much input waits.
- Replies are sent in the order they were written, in as few writes as possible, and at once instead of on
  the reactor's next turn.
- While the client does not read, no further command is begun, and a handler that writes much waits in
  `ServerConnection.drained`.
- No connection holds the reactor for long: many commands, and handlers that `await
  ServerConnection.breathe`, take turns with other connections.  What holds it for more than 50 ms is told to
  the observer (`mailproto.observing.Stalled`).
- Plaintext after the command that starts TLS ends the connection (RFC 3207 4.2, CVE-2011-0411). Octets that
  may be the beginning of a handshake are used as such.
- Only whole events reset the idle timer: a client that sends one octet a minute counts as idle.

Elsewhere:

- `mailproto.connection.commands`: commands of your own.
- `mailproto.connection.limits`: limits that all servers have.
- `mailproto.connection.proxy`: servers behind a proxy (the PROXY protocol), and networks of peers.
"""

from mailproto.connection._base import Connection
from mailproto.connection._factory import ServerFactory
from mailproto.connection._fairness import ConnectionOver
from mailproto.connection._hostname import own_hostname, server_hostname
from mailproto.connection._peer import UNKNOWN, Peer
from mailproto.connection._server import ServerConnection
from mailproto.connection._wire import Wire

__all__ = [
    "UNKNOWN",
    "Connection",
    "ConnectionOver",
    "Peer",
    "ServerConnection",
    "ServerFactory",
    "Wire",
    "own_hostname",
    "server_hostname",
]
