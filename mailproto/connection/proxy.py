"""Servers behind a proxy: the PROXY protocol, and networks of peers.

`ProxiedFactory` wraps the factory of any server.
"""

from mailproto.connection._networks import UNIX, Networks, network_of
from mailproto.connection._proxy import ProxiedFactory
from mailproto.connection._proxy_header import (
    MAX_PROXY_HEADER,
    ProxyHeader,
    ProxyHeaderError,
    parse_proxy_header,
)

__all__ = [
    "MAX_PROXY_HEADER",
    "UNIX",
    "Networks",
    "ProxiedFactory",
    "ProxyHeader",
    "ProxyHeaderError",
    "network_of",
    "parse_proxy_header",
]
