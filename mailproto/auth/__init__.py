"""Authentication: SASL, password hashes, and ``twisted.cred`` over a store.

`password_portal` makes the portal of most applications, `store_portal` that of a store.

This package is independent of the mail protocols.  A server signs its client in with `SASLServer`.  A client
gets its mechanisms from `client_mechanisms`.
"""

from mailproto.auth._checkers import CertificateChecker, DirectoryChecker, TokenChecker, ensure_secret
from mailproto.auth._client_credentials import Certificate, ClientCredentials, Password, Token
from mailproto.auth._client_mechanisms import ClientMechanism, client_mechanisms
from mailproto.auth._credentials import (
    BearerToken,
    ClientCertificate,
    IBearerToken,
    IClientCertificate,
    IProxyLogin,
    IScramChecker,
    IScramProof,
    ProxyLogin,
    ScramProof,
)
from mailproto.auth._exchange import SASLServer
from mailproto.auth._failures import FAILURE_DELAY
from mailproto.auth._login import Login
from mailproto.auth._mechanism_choice import DEFAULT_MECHANISMS, SERVER_MECHANISMS, server_mechanisms
from mailproto.auth._password_portal import password_portal
from mailproto.auth._passwords import MAX_REMEMBERED, MAX_WAITING, REMEMBER, PasswordVerifier
from mailproto.auth._realm import StoreRealm, add_ons_of, store_portal
from mailproto.auth._records import (
    SCRAM_ITERATIONS,
    disabled_record,
    enabled_record,
    hash_password,
    is_complete,
    is_disabled,
    password_matches,
)
from mailproto.auth._sasl_messages import MAX_RESPONSE, SASLError, decode_base64
from mailproto.auth._scram import ScramKeys
from mailproto.auth._server_mechanisms import Challenge, ServerMechanism

__all__ = [
    "DEFAULT_MECHANISMS",
    "FAILURE_DELAY",
    "MAX_REMEMBERED",
    "MAX_RESPONSE",
    "MAX_WAITING",
    "REMEMBER",
    "SCRAM_ITERATIONS",
    "SERVER_MECHANISMS",
    "BearerToken",
    "Certificate",
    "CertificateChecker",
    "Challenge",
    "ClientCertificate",
    "ClientCredentials",
    "ClientMechanism",
    "DirectoryChecker",
    "IBearerToken",
    "IClientCertificate",
    "IProxyLogin",
    "IScramChecker",
    "IScramProof",
    "Login",
    "Password",
    "PasswordVerifier",
    "ProxyLogin",
    "SASLError",
    "SASLServer",
    "ScramKeys",
    "ScramProof",
    "ServerMechanism",
    "StoreRealm",
    "Token",
    "TokenChecker",
    "add_ons_of",
    "client_mechanisms",
    "decode_base64",
    "disabled_record",
    "enabled_record",
    "ensure_secret",
    "hash_password",
    "is_complete",
    "is_disabled",
    "password_matches",
    "password_portal",
    "server_mechanisms",
    "store_portal",
]
