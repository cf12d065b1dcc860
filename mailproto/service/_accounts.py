"""The accounts, as a service: those that the settings give are made, and all of them can sign in.

The settings give passwords at each start, and to compare each with its record would take seconds.
So the data folder remembers which were right: as one key, made of all of them together in the way
that SCRAM's keys are made (RFC 5802 2.2), beside a digest of each account's record.  If the key is
the same again, so are the passwords; and of an account whose record is the same too, nothing else
is looked at.  A thief who guesses at a password by that key works at least as hard as by SCRAM's
keys in the store, and has to guess those of all accounts that are given at once.
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
from twisted.logger import Logger

from mailproto.accounts import account_key
from mailproto.auth import (
    DEFAULT_MECHANISMS,
    SCRAM_ITERATIONS,
    CertificateChecker,
    DirectoryChecker,
    PasswordVerifier,
    StoreRealm,
    hash_password,
    is_complete,
    is_disabled,
    password_matches,
)
from mailproto.delivery import MailboxDelivery
from mailproto.errors import AccountExists, MailError, NoSuchAccount
from mailproto.files import write_private
from mailproto.interfaces import IDirectory
from mailproto.service._data import DataService
from mailproto.service._settings import AccountSettings, Settings
from mailproto.service._store import StoreService

__all__ = ["AccountsService", "RightPasswords", "ensure_account", "remembered_domain"]

_DOMAIN = "first-domain"
"""The file in the data folder that says to the command what domain a name without one has."""

_RIGHT_PASSWORDS = "given-accounts"

_NEEDED = {"EXTERNAL": "tls.client_ca"}
"""What must be set for a mechanism to be offered, by its name; any other needs a checker of one's own."""


class AccountsService(Service):
    """Makes the accounts that there have to be, and signs people in.

    :ivar portal: from `startService` on.
    """

    log = Logger()
    portal: Portal

    def __init__(self, settings: Settings, data: DataService, store: StoreService, *, reactor: Any) -> None:
        self._settings = settings
        self._data = data
        self._store = store
        self._reactor = reactor
        self._verifier: PasswordVerifier | None = None

    def startService(self) -> Deferred[None]:
        """Make what is missing.  The result fails with `SettingError` when that is not possible."""
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
        except MailError as error:
            raise self._store.problem(str(error)) from None
        self._remember_domain(settings.domains[0])
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
                CertificateChecker(store.directory, self._reactor, default_domain=settings.domains[0])
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
            self.log.warn("Not remembered that the passwords were right: {error}", error=error)

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

    def _remember_domain(self, domain: str) -> None:
        try:
            if remembered_domain(self._data.folder) != domain:
                write_private(self._data.folder / _DOMAIN, f"{domain}\n".encode())
        except OSError as error:
            self.log.warn(
                "The mailproto command does not know of {domain}: {error}", domain=domain, error=error
            )

    def _warn_of_mechanisms(self) -> None:
        """Name the mechanisms that were chosen and cannot be offered, with what they need."""
        mechanisms = self._settings.auth.mechanisms
        if mechanisms is DEFAULT_MECHANISMS:
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
    """The first domain of the server that ran last with this data folder, or "".

    :raises OSError: it is there, and cannot be read.
    """
    try:
        return (folder / _DOMAIN).read_text("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


async def ensure_account(
    directory: IDirectory,
    name: str,
    password: str,
    *,
    matches: Callable[[str, str], Awaitable[bool]],
    hash_password: Callable[[str], Awaitable[str]],
) -> str:
    """Make the account if it is missing; give it that password if it has another and is not disabled.

    :param matches: of (record, password); so a restart with the same settings writes nothing.
    :returns: its record, with which nothing is left to be done.
    """
    if await _record_of(directory, name) is None:
        with suppress(AccountExists):  # another process was faster, perhaps with another password
            made = await hash_password(password)
            await directory.add(name, made)
            return made
    kept = await directory.find(name)
    stored = await directory.password_hash(kept)
    if is_disabled(stored) or (stored and await matches(stored, password)):
        return stored
    made = await hash_password(password)
    await directory.set_password_hash(kept, made)
    return made


async def _record_of(directory: IDirectory, name: str) -> str | None:
    try:
        return await directory.password_hash(await directory.find(name))
    except NoSuchAccount:
        return None


@dataclass(slots=True)
class RightPasswords:
    """Which passwords of the settings were right, and with which records.

    :ivar key: of the passwords that are given now.
    :ivar records: a digest of each account's record, by `account_key`, as far as it is known that
        the account has the password that is given now.
    """

    salt: bytes
    key: bytes = field(repr=False)
    records: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path, given: Sequence[AccountSettings]) -> RightPasswords:
        """What ``file`` says of those that are given: takes 25 ms, for a thread.

        A file that is missing, damaged, or of other passwords says nothing.
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
        """Whether the account with that record has the password that is given now."""
        return self.records.get(key) == _digest(record)

    def write(self, file: Path, records: Mapping[str, str]) -> None:
        """Remember that all are right.

        But of a record without SCRAM's keys nothing is kept that is easier to guess at than it is.

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
