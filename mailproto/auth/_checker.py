"""The checker over a directory: names and passwords, and proofs of passwords."""

from __future__ import annotations

import hmac
import os
from contextlib import suppress
from typing import cast

from twisted.cred.credentials import ICredentials, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.logger import Logger
from zope.interface import implementer

from mailproto.accounts import account_key, full_name
from mailproto.auth._credentials import IProxyLogin, IScramChecker, IScramProof
from mailproto.auth._late import FAILURE_DELAY, LateChecker
from mailproto.auth._passwords import PasswordVerifier
from mailproto.auth._records import SALT_LENGTH, SCRAM_ITERATIONS, argon2_part, is_complete, scram_part
from mailproto.auth._scram import ScramAlgorithm, ScramKeys, proof_matches
from mailproto.errors import NoSuchAccount, Unavailable
from mailproto.interfaces import IDirectory

__all__ = ["DirectoryChecker"]


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
        """What goes wrong is no reason not to let somebody in; the next login tries again."""
        try:
            completed = await self._verifier.complete(record, password)
            await self._directory.set_password_hash(kept, completed, replacing=record)
        except Unavailable:
            self.log.info("not now: completing the password record of {name}", name=kept)
        except Exception:
            self.log.failure("while the password record of {name} is completed", name=kept)

    def _keys(self, name: str, record: str, algorithm: ScramAlgorithm) -> ScramKeys:
        found = scram_part(record, algorithm)
        return self._invented(self._key(name), algorithm) if found is None else found

    def _invented(self, name: str, algorithm: ScramAlgorithm) -> ScramKeys:
        """Nobody's, but they look real; all octets come from what only we know."""
        salt, stored_key, server_key = (
            hmac.digest(self._secret, f"{part} {algorithm} {name}".encode(), "sha512")
            for part in ("salt", "stored key", "server key")
        )
        return ScramKeys(algorithm, salt[:SALT_LENGTH], SCRAM_ITERATIONS, stored_key, server_key)


def _unauthorized(kept: str, reason: str = "wrong password") -> UnauthorizedLogin:
    return UnauthorizedLogin(f"{reason} for {kept}" if kept else "no such account")


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
