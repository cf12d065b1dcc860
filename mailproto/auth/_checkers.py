"""Checkers for ``twisted.cred`` portals: passwords, tokens and certificates."""

from __future__ import annotations

import abc
import hmac
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.x509.oid import NameOID
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailproto._arguments import check_call, check_type, wrong_type
from mailproto._logger import PackageLogger
from mailproto._twisted_arguments import check_contract
from mailproto.accounts import account_key, full_name
from mailproto.auth._credentials import (
    IBearerToken,
    IClientCertificate,
    IClientPassword,
    IProxyLogin,
    IScramChecker,
    IScramProof,
)
from mailproto.auth._passwords import PasswordVerifier
from mailproto.auth._records import (
    SALT_LENGTH,
    SCRAM_ITERATIONS,
    argon2_part,
    is_complete,
    is_record,
    scram_part,
)
from mailproto.auth._scram import ScramAlgorithm, ScramKeys, proof_matches
from mailproto.awaiting import Result, settle
from mailproto.errors import AuthenticationFailed, AuthorizationFailed, NoSuchAccount, Unavailable
from mailproto.files import write_private
from mailproto.interfaces import IDirectory

__all__ = [
    "CertificateChecker",
    "DirectoryChecker",
    "TokenChecker",
    "ensure_secret",
]


class _NameChecker(abc.ABC):
    """Base of the checkers; an avatar id is the account's name in UTF-8, because ``twisted.cred`` uses
    octets."""

    def requestAvatarId(self, credentials: ICredentials) -> Deferred[bytes | tuple[()]]:
        """The account's name in UTF-8; fails with `UnauthorizedLogin`."""
        return Deferred.fromCoroutine(self._request(credentials))

    async def _request(self, credentials: ICredentials) -> bytes | tuple[()]:
        return (await self.check(credentials)).encode()

    @abc.abstractmethod
    async def check(self, credentials: ICredentials) -> str:
        """Check credentials, and return the account's name as it is stored.

        :raises UnauthorizedLogin: the text is for the log.  It does not contain an unknown name, because
            that may be a password in the wrong field.
        """


@implementer(IScramChecker)
class DirectoryChecker(_NameChecker):
    """Checks passwords (UTF-8 or `str`) and SCRAM proofs against an `IDirectory`.

    An `IProxyLogin` needs no password, because the proxy has checked it, but the account must have one and
    must not be disabled.

    If a record has no SCRAM keys, or its hash has other parameters than `mailproto.auth.hash_password` uses,
    as in an older version, the first login with the password renews it.

    :param verifier: checks passwords.
    :param default_domain: added to a name without a domain, unless an account has exactly that name; "" for
        none.
    :param secret: the key for invented SCRAM keys (`IScramChecker.scram_keys`).  It should be the same
        after a restart, so that a restart does not reveal which keys are invented.
    """

    credentialInterfaces = (IUsernamePassword, IScramProof, IProxyLogin)
    log = PackageLogger()

    def __init__(
        self,
        directory: IDirectory,
        verifier: PasswordVerifier,
        *,
        default_domain: str = "",
        secret: bytes | None = None,
    ) -> None:
        check_contract("directory", directory, IDirectory)
        if isinstance(verifier, type) or not callable(getattr(verifier, "verify", None)):
            raise wrong_type("verifier", verifier, "a PasswordVerifier", "write PasswordVerifier(reactor)")
        check_type("default_domain", default_domain, str, "a str")
        if not isinstance(secret, (bytes, type(None))):  # which is not shown
            raise TypeError(f"secret must be bytes or None, not {type(secret).__name__}")
        self._directory = directory
        self._verifier = verifier
        self.default_domain = default_domain
        self._secret = secret or os.urandom(32)

    async def scram_keys(self, name: str, algorithm: ScramAlgorithm) -> ScramKeys:
        """See `IScramChecker.scram_keys`."""
        _, record = await self._look_up(name)
        return self._keys(name, record, algorithm)

    async def check(self, credentials: ICredentials) -> str:
        """See `_NameChecker.check`."""
        if IScramProof.providedBy(credentials):
            return await self._check_proof(credentials)
        if IProxyLogin.providedBy(credentials):
            return await self._check_name(credentials)
        return await self._check_password(cast(IUsernamePassword, credentials))

    async def _check_name(self, given: IProxyLogin) -> str:
        kept, record = await self._look_up(_text(given.username))
        if not record:  # no client can sign in to an account without a password
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
        verified = self._verify(self._key(name), record, password, given)
        is_known = verified.called  # remembered: no time has passed in which the password may have changed
        if not await verified:
            is_usable = not record or is_record(record)
            raise _unauthorized(kept, "wrong password" if is_usable else "no record of hash_password")
        if is_known and is_complete(record):
            return kept
        completed = record if is_complete(record) else await self._complete(kept, record, password)
        _, now = await self._look_up(name)
        if argon2_part(now) not in (argon2_part(record), argon2_part(completed)):
            raise _unauthorized(kept)  # the password was changed while this one was checked
        return kept

    def _verify(self, key: str, record: str, password: str, given: IUsernamePassword) -> Deferred[bool]:
        if not IClientPassword.providedBy(given):
            return self._verifier.verify(key, record, password)
        asked = self._verifier.verify(key, record, password, client=given.client)
        given.on_leaving(asked.cancel)
        return asked

    async def _look_up(self, name: str) -> tuple[str, str]:
        """(The name as it is stored, the record); "" if it does not exist."""
        for spelling in dict.fromkeys((name, full_name(name, self.default_domain))):
            with suppress(NoSuchAccount):
                kept = await settle(self._directory.find(spelling))
                return kept, await settle(self._directory.password_hash(kept))
        return "", ""

    def _key(self, name: str) -> str:
        """The same value for all spellings of an account's name, also if the account does not exist."""
        return account_key(full_name(name, self.default_domain))

    async def _complete(self, kept: str, record: str, password: str) -> str:
        """Make what a record lacks, and return the new record; errors are only logged, and the next login
        tries again.
        """
        try:
            completed = await self._verifier.complete(record, password)
            await settle(self._directory.set_password_hash(kept, completed, replacing=record))
        except Unavailable as error:
            self.log.warn("cannot renew the password record of {name} now: {error}", name=kept, error=error)
        except Exception:
            self.log.failure("error while renewing the password record of {name}", name=kept)
        else:
            return completed
        return record

    def _keys(self, name: str, record: str, algorithm: ScramAlgorithm) -> ScramKeys:
        found = scram_part(record, algorithm)
        return self._invented(self._key(name), algorithm) if found is None else found

    def _invented(self, name: str, algorithm: ScramAlgorithm) -> ScramKeys:
        """Keys that belong to no account but look real; they are derived from our secret."""
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
class TokenChecker(_NameChecker):
    """Checks the bearer tokens of OAUTHBEARER and XOAUTH2.

    :param validate: called with the name that the client gave, or "", and the token.  It returns the
        account's name, or an awaitable of it.  It returns None or raises `AuthenticationFailed` if the
        token is not valid for that name, `CredentialsExpired` if it no longer is, and
        `mailproto.errors.Unavailable` if it cannot tell now.
        The client may use any spelling of the name: compare names with `mailproto.accounts.account_key`.
    """

    credentialInterfaces = (IBearerToken,)

    def __init__(self, validate: Callable[[str, str], Result[str | None]]) -> None:
        check_call("validate", validate, "a function of a name and a token", 2)
        self._validate = validate

    async def check(self, credentials: ICredentials) -> str:
        """See `_NameChecker.check`."""
        given = cast(IBearerToken, credentials)
        try:
            name = await settle(self._validate(given.username, given.token))
        except AuthenticationFailed as error:
            if type(error) is not AuthenticationFailed:
                raise  # it has an answer of its own, such as that of an expired token
            raise UnauthorizedLogin(error.detail or "token refused") from None
        if name is None:
            raise UnauthorizedLogin("token refused")
        if not isinstance(name, str):
            what = type(name).__qualname__
            raise TypeError(f"TokenChecker's function returned a {what}: return the account's name, or None")
        if "@" in given.username and "@" in name and account_key(given.username) != account_key(name):
            raise AuthorizationFailed(detail="the token is another account's")
        return name


@implementer(ICredentialsChecker)
class CertificateChecker(_NameChecker):
    """Signs in the account whose address is in a verified client certificate.

    If the certificate has several addresses, the client's authzid chooses one; without an authzid, the
    first address with an account is used.

    :param default_domain: see `DirectoryChecker`.
    """

    credentialInterfaces = (IClientCertificate,)

    def __init__(self, directory: IDirectory, *, default_domain: str = "") -> None:
        check_contract("directory", directory, IDirectory)
        check_type("default_domain", default_domain, str, "a str")
        self._directory = directory
        self.default_domain = default_domain

    async def check(self, credentials: ICredentials) -> str:
        """See `_NameChecker.check`."""
        given = cast(IClientCertificate, credentials)
        wanted = await self._account(given.authzid)
        has_account = False
        for address in _addresses(given.certificate):
            account = await self._account(address)
            has_account = has_account or bool(account)
            if account and (wanted == account or not given.authzid):
                return account
        if has_account:
            raise AuthorizationFailed(detail="the certificate is another account's")
        raise UnauthorizedLogin("no account of this certificate's")

    async def _account(self, name: str) -> str:
        """The account's name as it is stored; "" if there is none."""
        for spelling in dict.fromkeys((name, full_name(name, self.default_domain))):
            with suppress(NoSuchAccount):
                return await settle(self._directory.find(spelling))
        return ""


def _addresses(certificate: x509.Certificate) -> list[str]:
    """The certificate's addresses (RFC 5280 4.2.1.6); without an rfc822Name, the subject's emailAddress
    (4.1.2.6)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.RFC822Name)
    except (x509.ExtensionNotFound, ValueError):  # missing or malformed
        names = []
    if names:
        return names
    return [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)]


_SECRET_LENGTH = 32


def ensure_secret(folder: str | os.PathLike[str]) -> bytes:
    """The octets of the file ``secret`` in ``folder``; made if it is missing, readable only by its owner.

    :raises OSError: the file cannot be read or written.
    """
    file = Path(folder) / "secret"
    try:
        secret = file.read_bytes()
    except FileNotFoundError:
        secret = b""
    if len(secret) < _SECRET_LENGTH:
        secret = os.urandom(_SECRET_LENGTH)
        write_private(file, secret)
    return secret
