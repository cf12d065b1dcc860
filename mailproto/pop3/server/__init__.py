"""The protocol of one connection to a POP3 server; `mailproto.pop3` has the factory."""

from mailproto.pop3.server._own_commands import POP3CommandSession
from mailproto.pop3.server._server import POP3Server

__all__ = [
    "POP3CommandSession",
    "POP3Server",
]
