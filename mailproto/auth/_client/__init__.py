"""SASL as a client speaks it, one file a family of mechanisms."""

from mailproto.auth._client._choice import client_mechanisms
from mailproto.auth._client._credentials import Certificate, ClientCredentials, Password, Token
from mailproto.auth._client._mechanism import ClientMechanism

__all__ = [
    "Certificate",
    "ClientCredentials",
    "ClientMechanism",
    "Password",
    "Token",
    "client_mechanisms",
]
