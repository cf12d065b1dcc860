"""Checkers for ``twisted.cred`` portals: passwords, tokens and certificates, whose failures are late."""

from __future__ import annotations

import abc
import hmac
import inspect
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

from cryptography import x509
from cryptography.x509.oid import NameOID
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from mailproto.accounts import account_key, full_name
from mailproto.auth._credentials import (
    IBearerToken,
    IClientCertificate,
    IProxyLogin,
    IScramChecker,
    IScramProof,
)
from mailproto.auth._passwords import PasswordVerifier
from mailproto.auth._records import SALT_LENGTH, SCRAM_ITERATIONS, argon2_part, is_complete, scram_part
from mailproto.auth._scram import ScramAlgorithm, ScramKeys, proof_matches
from mailproto.errors import AuthenticationFailed, NoSuchAccount, Unavailable
from mailproto.interfaces import IDirectory

__all__ = [
    "FAILURE_DELAY",
    "CertificateChecker",
    "DirectoryChecker",
    "LateChecker",
    "LateFailure",
    "TokenChecker",
    "wait_as",
]

FAILURE_DELAY = 1.5
"""Seconds after which a failed login is answered: guessing is slow, a typing error is no pain."""


class LateFailure(UnauthorizedLogin):
    """A failed login that has been delayed already."""


class LateChecker(abc.ABC):
    """What checkers have in common: an avatar's id is the account's name in UTF-8 (cred's are octets).

    A failure is answered ``failure_delay`` seconds late, whatever the reason, on every protocol.
    """

    def __init__(self, clock: IReactorTime, failure_delay: float) -> None:
        self._clock = clock
        self._failure_delay = failure_delay

    def requestAvatarId(self, credentials: ICredentials) -> Deferred[bytes | tuple[()]]:
        """The account's name in UTF-8; fails with `LateFailure`."""
        return Deferred.fromCoroutine(self._request(credentials))

    async def _request(self, credentials: ICredentials) -> bytes | tuple[()]:
        try:
            return (await self.check(credentials)).encode()
        except UnauthorizedLogin as error:
            await self.late()
            raise LateFailure(str(error)) from None

    def late(self) -> Deferred[None]:
        """Fires when a failure may be answered."""
        return deferLater(self._clock, self._failure_delay)

    @abc.abstractmethod
    async def check(self, credentials: ICredentials) -> str:
        """The account's name as it is kept.

        :raises UnauthorizedLogin: the reason is for the log.  What was given as a name is not
            in it: it may be a password in the wrong field.
        """


async def wait_as(checker: object) -> None:
    """Wait as long as ``checker`` does: a client must not be able to tell which part refused it."""
    if isinstance(checker, LateChecker):
        await checker.late()


@implementer(IScramChecker)
class DirectoryChecker(LateChecker):
    """Checks passwords, octets of UTF-8 or `str`, and SCRAM's proofs, against an `IDirectory`.

    An `IProxyLogin` needs no password, because the proxy has checked it: only an account that can
    be signed in to.

    A record without SCRAM's keys, as one from an older version is, is completed by the first login
    with the password.

    :param verifier: also gives the clock.
    :param default_domain: what a name without a domain has as one, unless an account has just
        that name; "" for none.
    :param secret: what keys are invented with (`IScramChecker.scram_keys`); with one that
        outlives the process, a restart tells nothing either.
    """

    credentialInterfaces = (IUsernamePassword, IScramProof, IProxyLogin)
    log = Logger()

    def __init__(
        self,
        directory: IDirectory,
        verifier: PasswordVerifier,
        *,
        default_domain: str = "",
        secret: bytes | None = None,
        failure_delay: float = FAILURE_DELAY,
    ) -> None:
        super().__init__(verifier.clock, failure_delay)
        self._directory = directory
        self._verifier = verifier
        self.default_domain = default_domain
        self._secret = secret or os.urandom(32)

    async def scram_keys(self, name: str, algorithm: ScramAlgorithm) -> ScramKeys:
        """See `IScramChecker.scram_keys`."""
        _, record = await self._look_up(name)
        return self._keys(name, record, algorithm)

    async def check(self, credentials: ICredentials) -> str:
        """See `LateChecker.check`."""
        if IScramProof.providedBy(credentials):
            return await self._check_proof(credentials)
        if IProxyLogin.providedBy(credentials):
            return await self._check_name(credentials)
        return await self._check_password(cast(IUsernamePassword, credentials))

    async def _check_name(self, given: IProxyLogin) -> str:
        kept, record = await self._look_up(_text(given.username))
        if not record:  # an account without a password cannot be signed in to
            raise UnauthorizedLogin(f"no account that can sign in: {given.username!r}")
        return kept

    async def _check_proof(self, given: IScramProof) -> str:
        kept, record = await self._look_up(given.username)
        keys = self._keys(given.username, record, given.algorithm)
        if given.flaw:
            raise _unauthorized(kept, given.flaw)
        if not proof_matches(keys, given.auth_message, given.proof) or not kept:
            raise _unauthorized(kept)
        return kept

    async def _check_password(self, given: IUsernamePassword) -> str:
        try:
            name, password = _text(given.username), _text(given.password)
        except UnicodeDecodeError:
            raise UnauthorizedLogin("not UTF-8") from None
        kept, record = await self._look_up(name)
        if not await self._verifier.verify(self._key(name), record, password):
            raise _unauthorized(kept)
        if not is_complete(record):
            await self._complete(kept, record, password)
        _, now = await self._look_up(name)
        if argon2_part(now) != argon2_part(record):
            raise _unauthorized(kept)  # the password was changed while this one was checked
        return kept

    async def _look_up(self, name: str) -> tuple[str, str]:
        """(The name as it is kept, the record); "" for what is not there."""
        for spelling in dict.fromkeys((name, full_name(name, self.default_domain))):
            with suppress(NoSuchAccount):
                kept = await self._directory.find(spelling)
                return kept, await self._directory.password_hash(kept)
        return "", ""

    def _key(self, name: str) -> str:
        """The same for all names of one account, and of one that is not there."""
        return account_key(full_name(name, self.default_domain))

    async def _complete(self, kept: str, record: str, password: str) -> None:
        """What goes wrong is no reason to refuse the login; the next login tries again."""
        try:
            completed = await self._verifier.complete(record, password)
            await self._directory.set_password_hash(kept, completed, replacing=record)
        except Unavailable as error:
            self.log.warn(
                "the password record of {name} is not completed now: {error}", name=kept, error=error
            )
        except Exception:
            self.log.failure("while the password record of {name} is completed", name=kept)

    def _keys(self, name: str, record: str, algorithm: ScramAlgorithm) -> ScramKeys:
        found = scram_part(record, algorithm)
        return self._invented(self._key(name), algorithm) if found is None else found

    def _invented(self, name: str, algorithm: ScramAlgorithm) -> ScramKeys:
        """They belong to no account, but look real; all octets come from what only we know."""
        salt, stored_key, server_key = (
            hmac.digest(self._secret, f"{part} {algorithm} {name}".encode(), "sha512")
            for part in ("salt", "stored key", "server key")
        )
        return ScramKeys(algorithm, salt[:SALT_LENGTH], SCRAM_ITERATIONS, stored_key, server_key)


def _unauthorized(kept: str, reason: str = "wrong password") -> UnauthorizedLogin:
    return UnauthorizedLogin(f"{reason} for {kept}" if kept else "no such account")


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


@implementer(ICredentialsChecker)
class TokenChecker(LateChecker):
    """Checks the tokens of OAUTHBEARER and XOAUTH2.

    :param validate: of (the name that the client gave, or "", and the token): the account's name,
        at once or awaited.  It gives None or raises `AuthenticationFailed` if the token is not
        good, or not that name's, and raises `mailproto.errors.Unavailable` if it cannot tell now.
        The client may write the name as it likes: `mailproto.accounts.account_key` compares.
    """

    credentialInterfaces = (IBearerToken,)

    def __init__(
        self,
        validate: Callable[[str, str], Awaitable[str | None] | str | None],
        clock: IReactorTime,
        *,
        failure_delay: float = FAILURE_DELAY,
    ) -> None:
        super().__init__(clock, failure_delay)
        self._validate = validate

    async def check(self, credentials: ICredentials) -> str:
        """See `LateChecker.check`."""
        given = cast(IBearerToken, credentials)
        try:
            name = self._validate(given.username, given.token)
            if inspect.isawaitable(name):
                name = await name
        except AuthenticationFailed as error:
            raise UnauthorizedLogin(error.detail or "token refused") from None
        if name is None:
            raise UnauthorizedLogin("token refused")
        if "@" in given.username and "@" in name and account_key(given.username) != account_key(name):
            raise UnauthorizedLogin("the token is another account's")
        return name


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
