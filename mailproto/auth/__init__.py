"""Who is there: SASL, password hashes, ``twisted.cred`` over a store, and TLS.

It knows no protocol: each of them hands the credentials it received to `login`.
"""

from mailproto.auth._base64 import MAX_RESPONSE, decode_base64
from mailproto.auth._checker import FAILURE_DELAY, DirectoryChecker, Login, StoreRealm, login, store_portal
from mailproto.auth._errors import SASLError
from mailproto.auth._passwords import (
    MAX_REMEMBERED,
    MAX_WAITING,
    REMEMBER,
    PasswordVerifier,
    hash_password,
)
from mailproto.auth._sasl import MECHANISMS, Challenge, ServerMechanism, server_mechanism
from mailproto.auth._tls import ServerTLS, TLSFilesError, ensure_self_signed, server_tls
from mailproto.auth._tls_client import client_tls

__all__ = [
    "FAILURE_DELAY",
    "MAX_REMEMBERED",
    "MAX_RESPONSE",
    "MAX_WAITING",
    "MECHANISMS",
    "REMEMBER",
    "Challenge",
    "DirectoryChecker",
    "Login",
    "PasswordVerifier",
    "SASLError",
    "ServerMechanism",
    "ServerTLS",
    "StoreRealm",
    "TLSFilesError",
    "client_tls",
    "decode_base64",
    "ensure_self_signed",
    "hash_password",
    "login",
    "server_mechanism",
    "server_tls",
    "store_portal",
]
