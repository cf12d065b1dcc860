"""Fetches a policy of MTA-STS (RFC 8461 3.3)."""

from __future__ import annotations

from mailproto.relay._tls._https import HTTPSClient, HTTPSFailed
from mailproto.relay._tls._sts_policy import STSPolicy, parse_policy

__all__ = ["FetchFailed", "PolicyHost"]


class FetchFailed(Exception):
    """The policy cannot be had; the text says why.

    :ivar result: as in TLS reports (RFC 8460 4.3.2.1).
    """

    def __init__(self, text: str, result: str = "sts-policy-fetch-error") -> None:
        super().__init__(text)
        self.result = result


class PolicyHost:
    """Fetches policies from the hosts ``mta-sts.DOMAIN``.

    :param port: of HTTPS.
    """

    def __init__(self, https: HTTPSClient, *, port: int = 443) -> None:
        self._https = https
        self._port = "" if port == 443 else f":{port}"

    async def fetch(self, domain: str) -> tuple[bytes, STSPolicy]:
        """The policy of a domain in A-labels: its octets, and what they mean.

        :raises FetchFailed: there is none, or it is not valid.
        """
        url = f"https://mta-sts.{domain}{self._port}/.well-known/mta-sts.txt"
        try:
            octets = await self._https.get(url, "text/plain")
        except HTTPSFailed as error:
            result = "sts-policy-invalid" if error.is_too_long else "sts-policy-fetch-error"
            raise FetchFailed(str(error), result) from None
        try:
            return octets, parse_policy(octets)
        except ValueError as error:
            raise FetchFailed(str(error), "sts-policy-invalid") from None
