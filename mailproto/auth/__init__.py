"""Who may sign in: portals for servers, and credentials for clients.

For a server::

    password_portal(check)          # check(username, password), or a mapping: the portal of most applications
    store_portal(store, reactor)    # the accounts of a store, whose password records hash_password makes

More checkers may be registered with a portal: `TokenChecker` (OAuth) and `CertificateChecker`.

For a client: `Password`, `Token` or `Certificate`, as the credentials of a `mailproto.client.ServerAddress`.

Elsewhere, for servers and clients of other protocols:

- `mailproto.auth.sasl`: SASL's mechanisms and exchanges (RFC 4422).
- `mailproto.auth.signing_in`: signing in to a portal, with the log line and the delay.
- `mailproto.auth.credentials`: what clients prove, for checkers of your own.
- `mailproto.auth.passwords`: password records, and checking them in threads.
"""

from mailproto.auth._checkers import CertificateChecker, DirectoryChecker, TokenChecker
from mailproto.auth._client_credentials import Certificate, Password, Token
from mailproto.auth._password_portal import password_portal
from mailproto.auth._realm import StoreRealm, store_portal
from mailproto.auth._records import hash_password

__all__ = [
    "Certificate",
    "CertificateChecker",
    "DirectoryChecker",
    "Password",
    "StoreRealm",
    "Token",
    "TokenChecker",
    "hash_password",
    "password_portal",
    "store_portal",
]
