"""What connections share, whatever they speak.

A `ServerConnection` is the typed shell around a sans-IO wire: octets go in, events
come out one at a time, in order.

- While a handler's awaitable is pending, the next event waits; the limits do not:
  what arrives meanwhile is bounded, by pausing the transport.
- Replies leave in the order they were written, in as few writes as possible, and at
  once instead of on the reactor's next turn.
- While the client does not read, no further command is begun, and a handler that
  produces much waits in `ServerConnection.drained`.
- Plaintext that came after the command that starts TLS ends the connection
  (RFC 3207 4.2, CVE-2011-0411); what can be the beginning of a handshake is taken for it.
- Whole events, not octets, reset the idle timer: a client that sends an octet a
  minute is as idle as one that sends none.
"""

from mailproto.connection._base import Connection
from mailproto.connection._factory import ServerFactory
from mailproto.connection._limits import CloseReason, Limits
from mailproto.connection._networks import UNIX, Networks, network_of
from mailproto.connection._peer import UNKNOWN, Peer
from mailproto.connection._proxy import ProxiedFactory
from mailproto.connection._proxy_header import (
    MAX_PROXY_HEADER,
    ProxyHeader,
    ProxyHeaderError,
    parse_proxy_header,
)
from mailproto.connection._server import ServerConnection
from mailproto.connection._wire import Wire

__all__ = [
    "MAX_PROXY_HEADER",
    "UNIX",
    "UNKNOWN",
    "CloseReason",
    "Connection",
    "Limits",
    "Networks",
    "Peer",
    "ProxiedFactory",
    "ProxyHeader",
    "ProxyHeaderError",
    "ServerConnection",
    "ServerFactory",
    "Wire",
    "network_of",
    "parse_proxy_header",
]
