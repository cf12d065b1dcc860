"""A checker for client certificates: the mail address in one is the account's name."""

from __future__ import annotations

from contextlib import suppress
from typing import cast

from cryptography import x509
from cryptography.x509.oid import NameOID
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from mailproto.accounts import full_name
from mailproto.auth._credentials import IClientCertificate
from mailproto.auth._late import FAILURE_DELAY, LateChecker
from mailproto.errors import NoSuchAccount
from mailproto.interfaces import IDirectory

__all__ = ["CertificateChecker"]


@implementer(ICredentialsChecker)
class CertificateChecker(LateChecker):
    """Signs in the account that a certificate, which TLS has verified, has the address of.

    Of several addresses the client says which one by the authzid; else it is the first that
    is an account.

    :param default_domain: as of `DirectoryChecker`.
    """

    credentialInterfaces = (IClientCertificate,)

    def __init__(
        self,
        directory: IDirectory,
        clock: IReactorTime,
        *,
        default_domain: str = "",
        failure_delay: float = FAILURE_DELAY,
    ) -> None:
        super().__init__(clock, failure_delay)
        self._directory = directory
        self.default_domain = default_domain

    async def check(self, credentials: ICredentials) -> str:
        """See `LateChecker.check`."""
        given = cast(IClientCertificate, credentials)
        wanted = await self._account(given.authzid)
        for address in _addresses(given.certificate):
            account = await self._account(address)
            if account and (wanted == account or not given.authzid):
                return account
        raise UnauthorizedLogin("no account of this certificate's")

    async def _account(self, name: str) -> str:
        """The account's name as it is kept; "" for none."""
        for spelling in dict.fromkeys((name, full_name(name, self.default_domain))):
            with suppress(NoSuchAccount):
                return await self._directory.find(spelling)
        return ""


def _addresses(certificate: x509.Certificate) -> list[str]:
    """RFC 5280 4.2.1.6; the subject's emailAddress counts where there is no rfc822Name (4.1.2.6)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.RFC822Name)
    except (x509.ExtensionNotFound, ValueError):  # not there, or malformed
        names = []
    if names:
        return names
    return [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)]
