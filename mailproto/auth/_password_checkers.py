"""Checkers for passwords that a function checks, or that a mapping has."""

from __future__ import annotations

import abc
import hmac
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials, IUsernameHashedPassword, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from mailproto._arguments import wrong_type, wrong_value
from mailproto.accounts import account_key
from mailproto.auth._credentials import IApopDigest, IProxyLogin, IScramChecker, IScramProof
from mailproto.auth._mechanism_choice import server_mechanisms
from mailproto.auth._records import SALT_LENGTH, is_record
from mailproto.auth._saslprep import prepared_password
from mailproto.auth._scram import (
    MIN_ITERATIONS,
    ScramAlgorithm,
    ScramKeys,
    proof_matches,
    scram_keys,
)
from mailproto.auth._server_mechanisms import ServerMechanism
from mailproto.awaiting import Result, settle

__all__ = ["FunctionChecker", "MappingChecker", "PasswordCheck", "password_checker"]

_APOP = "APOP"
"""POP3's command, which may be named among the mechanisms."""

PasswordCheck: TypeAlias = Callable[[str, str], Result[bool | str | None]]
"""``check(username, password)``: True or the account's name to accept, False or None to refuse."""


class _PasswordChecker(abc.ABC):
    """Base of the checkers; an avatar id is the account's name in UTF-8.

    :ivar mechanisms: the names of the mechanisms that it is used for (`SASLServer`).
    """

    takes: tuple[type[Interface], ...]
    """The credentials that it can check."""

    def __init__(self, mechanisms: Sequence[type[ServerMechanism]], *, apop: bool = False) -> None:
        self.mechanisms = frozenset(mechanism.name for mechanism in mechanisms)
        wanted = {mechanism.credentials for mechanism in mechanisms} | {IProxyLogin}
        if apop:
            wanted.add(IApopDigest)
        self.credentialInterfaces = tuple(kind for kind in self.takes if kind in wanted)

    def requestAvatarId(self, credentials: ICredentials) -> Deferred[bytes | tuple[()]]:
        """The account's name in UTF-8; fails with `UnauthorizedLogin`."""
        return Deferred.fromCoroutine(self._request(credentials))

    async def _request(self, credentials: ICredentials) -> bytes | tuple[()]:
        return (await self.check(credentials)).encode()

    @abc.abstractmethod
    async def check(self, credentials: Any) -> str:
        """The account's name.

        :raises UnauthorizedLogin: the text is for the log.
        """


@implementer(IScramChecker)
class MappingChecker(_PasswordChecker):
    """Checks passwords, digests and proofs against a copy of a mapping of names to passwords.

    An unknown name takes the same time as a wrong password: it is compared with a password that nobody has.
    """

    takes = (IUsernamePassword, IUsernameHashedPassword, IApopDigest, IScramProof, IProxyLogin)

    def __init__(
        self,
        passwords: Mapping[str, str],
        mechanisms: Sequence[type[ServerMechanism]],
        *,
        apop: bool = False,
    ) -> None:
        super().__init__(mechanisms, apop=apop)
        self._key = os.urandom(32)
        self._nobodys = os.urandom(32).hex()
        self._accounts: dict[str, tuple[str, str]] = {}
        for name, password in passwords.items():
            _check_entry(name, password)
            key = account_key(name)
            if key in self._accounts:
                same = f"{self._accounts[key][0]!r} and {name!r}"
                raise ValueError(f"the names of check must be different accounts, not the same as are {same}")
            self._accounts[key] = name, password

    async def check(self, credentials: Any) -> str:
        """See `_PasswordChecker.check`."""
        given = _text(credentials.username)
        name, password = self._look_up(given)
        if IProxyLogin.providedBy(credentials):
            is_right = True
        elif IScramProof.providedBy(credentials):
            if credentials.flaw:
                raise UnauthorizedLogin(credentials.flaw)
            keys = self._scram_keys(given, credentials.algorithm)
            is_right = proof_matches(keys, credentials.auth_message, credentials.proof)
        elif IUsernameHashedPassword.providedBy(credentials):
            is_right = bool(credentials.checkPassword(password.encode()))
        else:
            right, tried = (self._digest(text) for text in (password, _text(credentials.password)))
            is_right = hmac.compare_digest(right, tried)
        if not (name and is_right):
            raise UnauthorizedLogin(f"wrong password for {name}" if name else "no such account")
        return name

    async def scram_keys(self, name: str, algorithm: ScramAlgorithm) -> ScramKeys:
        """See `IScramChecker.scram_keys`."""
        return self._scram_keys(name, algorithm)

    def _look_up(self, name: str) -> tuple[str, str]:
        """The name as it is in the mapping, and its password; ("", a password that nobody has)."""
        return self._accounts.get(account_key(name), ("", self._nobodys))

    def _scram_keys(self, name: str, algorithm: ScramAlgorithm) -> ScramKeys:
        # The fewest iterations that clients accept, 2 ms: more would only protect stored keys, and the
        # passwords themselves are here.  Every name has a salt, so the salt does not tell which ones exist.
        salt = hmac.digest(self._key, f"salt {algorithm} {account_key(name)}".encode(), "sha256")
        return scram_keys(algorithm, self._look_up(name)[1], salt[:SALT_LENGTH], MIN_ITERATIONS)

    def _digest(self, password: str) -> bytes:
        return hmac.digest(self._key, prepared_password(password), "sha256")


@implementer(ICredentialsChecker)
class FunctionChecker(_PasswordChecker):
    """Asks a function; it is never asked about an empty name or password.

    An empty password is refused because an LDAP server, for example, accepts it from anyone (RFC 4513
    5.1.2).
    """

    takes = (IUsernamePassword,)

    def __init__(self, function: PasswordCheck, mechanisms: Sequence[type[ServerMechanism]]) -> None:
        super().__init__(mechanisms)
        self._function = function

    async def check(self, credentials: Any) -> str:
        """See `_PasswordChecker.check`."""
        name, password = _text(credentials.username), _text(credentials.password)
        if not name or not password:
            raise UnauthorizedLogin("the name or the password is empty")
        result: object = await settle(self._function(name, password))
        if result is None or result is False:
            raise UnauthorizedLogin("the name or the password is wrong")
        if result is True:
            return name
        if not isinstance(result, str) or not result:
            # The result itself may be a secret.
            what = "an empty str" if isinstance(result, str) else f"a value of the type {_type(result)}"
            raise TypeError(
                f"{_described(self._function)} returned {what} to password_portal: return True or the"
                " account's name to accept, False or None to refuse"
            )
        return result


def password_checker(
    check: PasswordCheck | Mapping[str, str], chosen: Sequence[str | type[ServerMechanism]]
) -> FunctionChecker | MappingChecker:
    """The checker for `password_portal`, which describes the parameters and errors."""
    chosen, apop = _without_apop(chosen)
    mechanisms = server_mechanisms(chosen)
    if not (mechanisms or apop):
        raise wrong_value("mechanisms", chosen, "a list such as ['PLAIN', 'LOGIN'], with at least one")
    kind: type[FunctionChecker | MappingChecker]
    kind = MappingChecker if isinstance(check, Mapping) else FunctionChecker
    if apop and IApopDigest not in kind.takes:
        raise ValueError(_needs_passwords(_APOP))
    for mechanism in mechanisms:
        if mechanism.credentials not in kind.takes:
            raise ValueError(_cannot_check(mechanism))
    if isinstance(check, Mapping):
        return MappingChecker(check, mechanisms, apop=apop)
    if isinstance(check, type) or not callable(check):
        # A value is not shown, because it may be or have passwords.
        what = (
            f"the class {check.__qualname__}"
            if isinstance(check, type)
            else f"a value of the type {_type(check)}"
        )
        raise TypeError(f"check must be a function or a mapping of names to passwords, not {what}")
    _check_signature(check)
    return FunctionChecker(check, mechanisms)


def _without_apop(
    chosen: Sequence[str | type[ServerMechanism]],
) -> tuple[Sequence[str | type[ServerMechanism]], bool]:
    """The mechanisms, and whether APOP is among them."""
    if isinstance(chosen, str | bytes) or not isinstance(chosen, Iterable):
        return chosen, False  # which `server_mechanisms` refuses
    words = list(chosen)
    rest = [each for each in words if not (isinstance(each, str) and each.upper() == _APOP)]
    return rest, len(rest) < len(words)


def _needs_passwords(name: str) -> str:
    return (
        f"mechanisms: {name} needs the passwords themselves, which a function does not tell:"
        " give a mapping of names to passwords, or choose among PLAIN and LOGIN"
    )


def _cannot_check(mechanism: type[ServerMechanism]) -> str:
    if mechanism.credentials in MappingChecker.takes:
        return _needs_passwords(mechanism.name)
    return (
        f"mechanisms: {mechanism.name} is not about passwords: register a checker for it with a portal"
        " (TokenChecker, CertificateChecker)"
    )


def _check_signature(check: Callable[..., object]) -> None:
    try:
        signature = inspect.signature(check)
    except ValueError:  # some functions in C do not tell
        return
    try:
        signature.bind("name", "password")
    except TypeError:
        takes = "a function of a name and a password"
        raise TypeError(f"check must be {takes}, not {_described(check)}: it takes {signature}") from None


def _check_entry(name: object, password: object) -> None:
    """Check a name and its password, without showing the password."""
    if not isinstance(name, str) or not name:
        raise wrong_type("each name of check", name, "a str that is not empty")
    if not isinstance(password, str):
        raise TypeError(
            f"the password of {name!r} in check must be a str, not a value of the type {_type(password)}"
        )
    if not password:
        raise ValueError(f"the password of {name!r} in check must be a str that is not empty, not ''")
    if is_record(password):
        raise ValueError(
            f"the password of {name!r} in check must be the password itself, not a record of hash_password:"
            " write a function that calls password_matches in a thread"
        )


def _text(value: bytes | str) -> str:
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        raise UnauthorizedLogin("not UTF-8") from None


def _type(value: object) -> str:
    return type(value).__qualname__


def _described(function: object) -> str:
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    if not name:  # an object that can be called
        module, name = type(function).__module__, type(function).__qualname__
    return f"{module}.{name}"
