"""A service that creates the accounts of the settings, and provides the portal for sign-in.

The settings contain passwords at each start, and comparing each with its record would take seconds. So the
data folder remembers which passwords were right.  It has one key, derived from all passwords together in
the way of SCRAM's keys (RFC 5802 2.2), and a digest of each account's record.  If the key is the same at
the next start, so are the passwords; an account is then skipped if its record is the same, too.  For an
attacker, guessing passwords by that key is at least as hard as by the SCRAM keys in the store, because all
passwords must be guessed at once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.internet.threads import deferToThreadPool

from mailproto._logger import PackageLogger
from mailproto.accounts import account_key
from mailproto.auth import CertificateChecker, DirectoryChecker, StoreRealm, hash_password
from mailproto.auth.passwords import (
    SCRAM_ITERATIONS,
    PasswordVerifier,
    is_complete,
    is_disabled,
    password_matches,
)
from mailproto.auth.sasl import DEFAULT_MECHANISMS, server_mechanisms
from mailproto.awaiting import settle
from mailproto.delivery import CatchAllDelivery, MailboxDelivery
from mailproto.errors import AccountExists, MailError, NoSuchAccount
from mailproto.files import write_private
from mailproto.interfaces import IDirectory, IStore
from mailproto.service._data import DataService
from mailproto.service._settings import AccountSettings, Settings
from mailproto.service._store import StoreService

__all__ = ["AccountsService", "RightPasswords", "ensure_account", "remembered_domain", "remembered_domains"]

_DOMAINS = "domains"
"""The file in the data folder from which the command takes the server's domains, one a line."""

_RIGHT_PASSWORDS = "given-accounts"

_NEEDED = {"EXTERNAL": "tls.client_ca"}
"""The setting that a mechanism needs, by name; other mechanisms need a checker in a server of your own."""


class AccountsService(Service):
    """Creates the accounts of the settings, and provides the portal for sign-in.

    :ivar portal: exists after `startService`.
    """

    log = PackageLogger()
    portal: Portal

    def __init__(self, settings: Settings, data: DataService, store: StoreService, *, reactor: Any) -> None:
        self._settings = settings
        self._data = data
        self._store = store
        self._reactor = reactor
        self._verifier: PasswordVerifier | None = None

    def startService(self) -> Deferred[None]:
        """Create missing accounts.  The result fails with `SettingError` if that is not possible."""
        super().startService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._start())

    def stopService(self) -> None:
        """End the threads that check passwords."""
        super().stopService()  # type: ignore[no-untyped-call]
        verifier, self._verifier = self._verifier, None
        if verifier is not None:
            verifier.stop()

    async def _start(self) -> None:
        settings, store = self._settings, self._store.store
        try:
            await MailboxDelivery(store, settings.domains).ensure_role_accounts()
            await self._ensure_given(store.directory, settings.accounts)
            if settings.catch_all is not None:
                await self._ensure_catch_all(store, settings.catch_all)
        except MailError as error:
            raise self._store.problem(str(error)) from None
        self._remember_domains(settings.domains)
        self._verifier = PasswordVerifier(self._reactor)
        self.portal = Portal(
            StoreRealm(store, self._reactor),
            [
                DirectoryChecker(
                    store.directory,
                    self._verifier,
                    secret=self._data.secret,
                    default_domain=settings.domains[0],
                )
            ],
        )
        if settings.tls.client_ca is not None:
            self.portal.registerChecker(
                CertificateChecker(store.directory, default_domain=settings.domains[0])
            )
        self._warn_of_mechanisms()

    async def _ensure_given(self, directory: IDirectory, accounts: Sequence[AccountSettings]) -> None:
        given = {account_key(account.name): account for account in accounts}
        if not given:
            return
        file = self._data.folder / _RIGHT_PASSWORDS
        right = await self._in_thread(lambda: RightPasswords.read(file, list(given.values())))
        at_a_time = DeferredSemaphore(min(4, os.cpu_count() or 1))
        records: dict[str, str] = {}
        changes: list[Deferred[None]] = []
        for key, account in given.items():
            record = await _record_of(directory, account.name)
            if record is not None and right.has(key, record):
                records[key] = record
                continue

            async def ensure(key: str = key, account: AccountSettings = account) -> None:
                records[key] = await self._ensure(directory, account)

            changes.append(at_a_time.run(ensure))
        if not changes:
            return
        await gatherResults(changes, consumeErrors=True).addErrback(_first_failure)
        try:
            await self._in_thread(lambda: right.write(file, records))
        except OSError as error:
            self.log.warn("The next start has to check all passwords again: {error}", error=error)

    async def _ensure_catch_all(self, store: IStore, name: str) -> None:
        kept = await CatchAllDelivery(store, name).ensure_account()
        self.log.warn("CATCH-ALL: every message, whoever it is to, goes to {name} only", name=kept)
        if not await settle(store.directory.password_hash(kept)):
            self.log.warn(
                "CATCH-ALL: nobody can sign in as {name} yet: give it a password, as with --account "
                "{name}:PASSWORD",
                name=kept,
            )

    def _ensure(self, directory: IDirectory, account: AccountSettings) -> Awaitable[str]:
        return ensure_account(
            directory,
            account.name,
            account.password,
            matches=lambda record, password: self._in_thread(lambda: password_matches(record, password)),
            hash_password=lambda password: self._in_thread(lambda: hash_password(password)),
        )

    def _in_thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)

    def _remember_domains(self, domains: Sequence[str]) -> None:
        try:
            if remembered_domains(self._data.folder) != list(domains):
                write_private(self._data.folder / _DOMAINS, "".join(f"{each}\n" for each in domains).encode())
        except OSError as error:
            self.log.warn("The mailproto command does not know this server's domains: {error}", error=error)

    def _warn_of_mechanisms(self) -> None:
        """Log the chosen mechanisms that cannot be offered, and what they need."""
        mechanisms = server_mechanisms(self._settings.auth.mechanisms)
        if mechanisms == DEFAULT_MECHANISMS:
            return
        for mechanism in mechanisms:
            if mechanism.credentials not in self.portal.checkers:
                needs = _NEEDED.get(mechanism.name, "a server of your own, with a checker for it")
                self.log.warn(
                    "auth.mechanisms: {name} is not offered: it needs {needs}",
                    name=mechanism.name,
                    needs=needs,
                )


def remembered_domain(folder: Path) -> str:
    """The first domain of the last server that used this data folder, or "".

    :raises OSError: the file exists, but cannot be read.
    """
    return next(iter(remembered_domains(folder)), "")


def remembered_domains(folder: Path) -> list[str]:
    """All of them, the first one first.

    :raises OSError: the file exists, but cannot be read.
    """
    try:
        return (folder / _DOMAINS).read_text("utf-8", "replace").split()
    except (FileNotFoundError, NotADirectoryError):
        return []


async def ensure_account(
    directory: IDirectory,
    name: str,
    password: str,
    *,
    matches: Callable[[str, str], Awaitable[bool]],
    hash_password: Callable[[str], Awaitable[str]],
) -> str:
    """Create the account if it is missing; set its password if it differs and the account is not disabled.

    :param matches: compares a record and a password, so that a restart with the same settings writes
        nothing.
    :returns: the account's record afterwards.
    """
    if await _record_of(directory, name) is None:
        with suppress(AccountExists):  # another process has just created it, perhaps with another password
            made = await hash_password(password)
            await settle(directory.add(name, made))
            return made
    kept = await settle(directory.find(name))
    stored = await settle(directory.password_hash(kept))
    if is_disabled(stored) or (stored and await matches(stored, password)):
        return stored
    made = await hash_password(password)
    await settle(directory.set_password_hash(kept, made))
    return made


async def _record_of(directory: IDirectory, name: str) -> str | None:
    try:
        return await settle(directory.password_hash(await settle(directory.find(name))))
    except NoSuchAccount:
        return None


@dataclass(slots=True)
class RightPasswords:
    """Remembers which passwords of the settings were right, and for which records.

    :ivar key: the key of the current settings' passwords.
    :ivar records: by `account_key`, a digest of the record for which the current password was right.
    """

    salt: bytes
    key: bytes = field(repr=False)
    records: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path, given: Sequence[AccountSettings]) -> RightPasswords:
        """Read ``file`` for the given accounts.  This takes 25 ms: run it in a thread.

        If the file is missing, damaged, or made from other passwords, the result is empty.
        """
        try:
            kept = json.loads(file.read_bytes())
            salt, key, records = bytes.fromhex(kept["salt"]), bytes.fromhex(kept["key"]), kept["records"]
            made = _key(given, salt)
            if hmac.compare_digest(made, key) and isinstance(records, dict):
                return cls(salt, made, records)
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            pass
        salt = os.urandom(16)
        return cls(salt, _key(given, salt))

    def has(self, key: str, record: str) -> bool:
        """Whether the password of the current settings is known to be right for that record."""
        return self.records.get(key) == _digest(record)

    def write(self, file: Path, records: Mapping[str, str]) -> None:
        """Remember that all passwords are right.

        Nothing is stored if a record has no SCRAM keys, because guessing by `key` would be easier than by
        that record.

        :raises OSError:
        """
        known = {key: _digest(record) for key, record in records.items() if is_complete(record)}
        kept = {"salt": self.salt.hex(), "key": self.key.hex(), "records": known}
        write_private(file, json.dumps(kept).encode())


def _key(given: Sequence[AccountSettings], salt: bytes) -> bytes:
    passwords = json.dumps(sorted((account_key(account.name), account.password) for account in given))
    return hashlib.pbkdf2_hmac("sha256", passwords.encode(), salt, SCRAM_ITERATIONS)


def _digest(record: str) -> str:
    return hashlib.sha256(record.encode()).hexdigest()


def _first_failure(failure: Any) -> Any:
    return failure.value.subFailure
