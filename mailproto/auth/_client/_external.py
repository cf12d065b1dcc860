"""EXTERNAL (RFC 4422 appendix A): whom TLS has shown the client to be."""

from __future__ import annotations

from mailproto.auth._client._credentials import Certificate
from mailproto.auth._client._mechanism import OneMessage

__all__ = ["External"]


class External(OneMessage):
    """EXTERNAL: the authzid, or nothing."""

    name = "EXTERNAL"

    def __init__(self, credentials: Certificate) -> None:
        self._authzid = credentials.authzid

    def initial(self) -> bytes:
        """The authzid."""
        return self._authzid.encode()
