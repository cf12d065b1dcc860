"""SASL (RFC 4422): mechanisms and exchanges, independent of the mail protocols.

A server passes its client's responses to a `SASLServer`.  A client gets its mechanisms from
`client_mechanisms`.
"""

from mailproto.auth._client_credentials import ClientCredentials
from mailproto.auth._client_mechanisms import ClientMechanism, client_mechanisms
from mailproto.auth._exchange import SASLServer
from mailproto.auth._mechanism_choice import DEFAULT_MECHANISMS, SERVER_MECHANISMS, server_mechanisms
from mailproto.auth._sasl_messages import MAX_RESPONSE, SASLError, decode_base64
from mailproto.auth._server_mechanisms import Challenge, ServerMechanism

__all__ = [
    "DEFAULT_MECHANISMS",
    "MAX_RESPONSE",
    "SERVER_MECHANISMS",
    "Challenge",
    "ClientCredentials",
    "ClientMechanism",
    "SASLError",
    "SASLServer",
    "ServerMechanism",
    "client_mechanisms",
    "decode_base64",
    "server_mechanisms",
]
