"""TLS for servers and clients: contexts, verification of the other side, and channel bindings.

`server_tls` and `client_tls` make the context objects for ``startTLS``, ``TLSMemoryBIOFactory`` and
``wrapClientTLS``.  `server_channel` and `client_channel` describe a connection's security.
"""

from mailproto.tls._channel import Channel, client_channel, server_channel
from mailproto.tls._client import HandshakeFailed, client_tls, dane_tls, is_verified
from mailproto.tls._self_signed import ensure_self_signed
from mailproto.tls._server import ServerTLS, TLSFilesError, server_tls

__all__ = [
    "Channel",
    "HandshakeFailed",
    "ServerTLS",
    "TLSFilesError",
    "client_channel",
    "client_tls",
    "dane_tls",
    "ensure_self_signed",
    "is_verified",
    "server_channel",
    "server_tls",
]
