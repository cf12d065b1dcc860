"""The mail of `fairness.py`: an account for each kind of row, in our store and as Dovecot's Maildir."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from _parts.program import WrongAnswer
from mailproto.interfaces import IAccount

__all__ = ["CROWD", "PASSWORD", "Account", "Scale", "accounts", "fill_maildirs", "fill_store"]

PASSWORD = "secret"
NEWCOMERS = 40
"""Accounts that have never signed in."""

CROWD = 50
"""Sessions, of one account or of as many accounts, that do the same together."""


@dataclass(frozen=True)
class Scale:
    """How large everything is: the second number is for ``--quick``."""

    is_quick: bool

    def __call__(self, full: int, quick: int) -> int:
        return quick if self.is_quick else full


@dataclass(frozen=True)
class Account:
    """What an account has at first.

    :ivar messages: these are in INBOX.
    :ivar number: so many are in INBOX; 0 for as many as ``messages`` are, else they are copied.
    :ivar flags: those of all messages.
    :ivar mailboxes: how many other mailboxes it has.
    :ivar names: more mailboxes, to which it has subscribed.
    """

    messages: Callable[[], Iterable[bytes]] = lambda: ()
    number: int = 0
    flags: frozenset[str] = frozenset({"\\Seen"})
    mailboxes: int = 0
    names: Callable[[], Iterable[str]] = lambda: ()


# -- messages


def small(number: int) -> Iterable[bytes]:
    """Short messages, all different."""
    for each in range(number):
        yield (
            f"Date: Mon, 1 Jan 2024 00:{each // 60 % 60:02}:{each % 60:02} +0000\r\n"
            f"From: Sender {each} <sender{each}@example.net>\r\nTo: alice@example.org\r\n"
            f"Message-ID: <{each}.{each * 7919 % 1000003}@mail.example.net>\r\n"
            f"Subject: Message {each} about things\r\n\r\nHello, this is number {each}.\r\n"
        ).encode()


def _fields(kind: str) -> bytes:
    return f"From: x@example.net\r\nMIME-Version: 1.0\r\nContent-Type: {kind}\r\n".encode()


def _enough(pattern: str, octets: int) -> bytes:
    line = pattern.encode()
    line = line * (70 // len(line)) + b"\r\n"
    return line * (octets // len(line))


def text(kind: str, pattern: str, octets: int) -> bytes:
    """A message of one text part, which is ``pattern`` again and again."""
    head = _fields(f"{kind}; charset=utf-8") + b"Content-Transfer-Encoding: 8bit\r\n\r\n"
    return head + _enough(pattern, octets)


def inner_header(lines: int) -> bytes:
    """A message in a message, whose header has ``lines`` lines."""
    return _fields("message/rfc822") + b"\r\n" + b"X:a\r\n" * lines + b"\r\nhello\r\n"


def header(octets: int) -> bytes:
    """A message whose header is large."""
    return _fields("text/plain") + b"X-Long: a b c d e f g h\r\n" * (octets // 25) + b"\r\nhello\r\n"


def messages_within(number: int, copies: int) -> bytes:
    """A message of ``number`` messages, each with ``copies`` of ``a@b,`` in its Cc."""
    part = b"--b\r\nContent-Type: message/rfc822\r\n\r\nCc: " + b"a@b," * copies + b"\r\n\r\nhello\r\n"
    return _fields('multipart/mixed; boundary="b"') + b"\r\n" + part * number + b"--b--\r\n"


def parts(number: int) -> bytes:
    """A message of ``number`` short parts."""
    return _fields('multipart/mixed; boundary="b"') + b"\r\n" + b"--b\r\n\r\nx\r\n" * number + b"--b--\r\n"


def subject(octets: int) -> bytes:
    """A message with a long subject."""
    return b"Subject: " + b"subject " * (octets // 8) + b"\r\n" + _fields("text/plain") + b"\r\nhello\r\n"


def mixed(number: int) -> Iterable[bytes]:
    """Messages of three sizes, the largest as large as what is kept in memory, with long subjects."""
    for each in range(number):
        octets = (1_000, 20_000, 120_000)[each % 3]
        yield (
            subject(octets)[:-7]
            + b"--b\r\n\r\nHello\r\n--b\r\n\r\n"
            + _enough("attached ", octets)
            + b"--b--\r\n"
        ).replace(b"text/plain", b'multipart/mixed; boundary="b"')


def long_names(number: int) -> Iterable[str]:
    """Names of mailboxes, each with 1,000 octets in 32 levels, and those above them."""
    for each in range(number):
        name = f"{each}".rjust(7, "x")
        yield name
        for _ in range(31):
            name += "/" + "x" * 31
            yield name


def accounts(scale: Scale) -> dict[str, Account]:
    """All accounts, by the local part of their name."""
    mega = scale(1_000_000, 20_000)
    deleted = frozenset({"\\Seen", "\\Deleted"})

    def one(message: Callable[[], bytes], number: int = 1) -> Account:
        return Account(lambda: [message()], number)

    def distinct(number: int, flags: frozenset[str] = frozenset({"\\Seen"})) -> Account:
        return Account(lambda: small(number), flags=flags)

    return {
        "bob": Account(),
        **{f"new{number}": Account() for number in range(NEWCOMERS)},
        "many": Account(lambda: small(1000), scale(102_000, 2000)),
        "huge": Account(lambda: small(1000), scale(300_000, 3000)),
        "some": Account(lambda: small(1000), scale(20_000, 1000)),
        "few": Account(lambda: small(100)),
        "mailboxes": Account(mailboxes=scale(9_900, 60)),
        "fewer-mailboxes": Account(mailboxes=scale(2000, 60)),
        "names": Account(names=lambda: long_names(scale(62, 5))),
        "mixed": Account(lambda: mixed(scale(300, 30))),
        "inner-header": one(lambda: inner_header(scale(9_000_000, 100_000))),
        "html-p": one(lambda: text("text/html", "<p>a", 16 * mega)),
        "html-comment": one(lambda: text("text/html", "<!>", 16 * mega)),
        "html-bold": one(lambda: text("text/html", "<b>x</b>", 16 * mega)),
        "nfkc": one(lambda: text("text/plain", "\ufdfa", 16 * mega)),
        "structure": one(lambda: messages_within(scale(1250, 50), scale(9800, 1000))),
        "structures": one(lambda: messages_within(scale(1250, 50), scale(450, 50)), 99),
        "header": one(lambda: header(54_000)),
        "long-header": one(lambda: header(45 * mega)),
        "parts": one(lambda: parts(scale(9000, 500)), 40),
        "subjects": one(lambda: subject(scale(250_000, 10_000)), scale(1000, 100)),
        "expunged": distinct(scale(120_000, 1000), deleted),
        "expunged2": distinct(scale(150_000, 1000), deleted),
        "expunged3": distinct(scale(100_000, 1000), deleted),
        "stored": Account(lambda: small(1000), scale(20_000, 1000)),
        "stored2": Account(lambda: small(1000), scale(100_000, 1000)),
        "copied": Account(lambda: small(1000), scale(100_000, 1000), mailboxes=1),
        "dropped": distinct(scale(100_000, 1000)),
        "crowded": Account(lambda: small(1000), scale(20_000, 1000)),
        "crowded-loud": Account(lambda: small(1000), scale(20_000, 1000)),
        "crowded-copy": Account(lambda: small(1000), scale(20_000, 1000), mailboxes=1),
        "crowded-move": Account(lambda: small(1000), scale(20_000, 1000), mailboxes=1),
        "crowded-expunge": distinct(scale(20_000, 1000), deleted),
        **{
            f"crowd{number}": Account(lambda: small(scale(1000, 100)), scale(5000, 200))
            for number in range(CROWD)
        },
    }


# -- ours


def fill_store(folder: Path, wanted: Sequence[str], scale: Scale) -> None:
    """Make our store with the ``wanted`` accounts, in a process of its own.

    :raises WrongAnswer: it fails.
    """
    process = multiprocessing.Process(target=_fill_store, args=(folder, wanted, scale))
    process.start()
    process.join()
    if process.exitcode:
        raise WrongAnswer(f"filling the store ended with {process.exitcode}")


def _fill_store(folder: Path, wanted: Sequence[str], scale: Scale) -> None:
    from argon2 import PasswordHasher
    from twisted.internet import reactor, task
    from twisted.internet.defer import ensureDeferred

    from mailproto.auth import hash_password
    from mailproto.backends import SQLiteStore

    async def main() -> None:
        store = SQLiteStore(str(folder / "mail"), reactor=reactor)
        await store.start()
        record = hash_password(PASSWORD)
        # Attackers sign in before anything is measured: with a hash that costs nothing, this is sooner.
        cheap = " ".join([PasswordHasher(1, 8, 1).hash(PASSWORD), *record.split(" ")[1:]])
        kinds = accounts(scale)
        for name in wanted:
            is_measured = name == "bob" or name.startswith("new")
            await store.directory.add(f"{name}@example.org", record if is_measured else cheap)
            await _fill_account(await store.account(f"{name}@example.org"), kinds[name])
        await store.stop()

    task.react(lambda _: ensureDeferred(main()))


async def _fill_account(account: IAccount, kind: Account) -> None:
    from mailproto.awaiting import settle
    from mailproto.model import NewMessage

    inbox = await settle(account.open("INBOX"))
    batch: list[NewMessage] = []
    for message in kind.messages():
        batch.append(NewMessage(message, kind.flags))
        if len(batch) == 500:
            await settle(inbox.append(batch))
            batch = []
    if batch:
        await settle(inbox.append(batch))
    while (number := (await settle(inbox.status())).messages) < kind.number:
        uids = range(1, min(number, kind.number - number) + 1)
        await settle(inbox.copy(uids, inbox))
    for number in range(kind.mailboxes):
        await settle(account.create(f"Mailbox {number}"))
    for name in kind.names():
        await settle(account.create(name))
        await settle(account.subscribe(name))


# -- Dovecot's


def fill_maildirs(folder: Path, wanted: Sequence[str], scale: Scale) -> None:
    """Make Maildirs ``NAME/Maildir`` below ``folder`` for the ``wanted`` accounts."""
    kinds = accounts(scale)
    for name in wanted:
        _fill_maildir(folder / name / "Maildir", kinds[name])


def _fill_maildir(folder: Path, kind: Account) -> None:
    _make_maildir(folder)
    info = "".join(sorted(flag[1] for flag in kind.flags))
    sources: list[Path] = []
    for number, message in enumerate(kind.messages()):
        # Dovecot trusts a size in the name only if it is that of the file, with its line ends.
        sources.append(folder / f"cur/{1_700_000_000 + number}.M{number}.host,S={len(message)}:2,{info}")
        sources[-1].write_bytes(message)
    for number in range(len(sources), kind.number):
        source = sources[number % len(sources)]
        size = source.name.partition(",S=")[2].partition(":")[0]
        os.link(source, folder / f"cur/{1_700_000_000 + number}.M{number}.host,S={size}:2,{info}")
    for number in range(kind.mailboxes):
        _make_maildir(folder / f".Mailbox {number}")


def _make_maildir(folder: Path) -> None:
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True)


def own(folder: Path, user: str) -> None:
    """Give ``folder`` and all below to a user of the system."""
    for parent, folders, files in os.walk(folder):
        for name in [".", *folders, *files]:
            shutil.chown(Path(parent, name), user, user)
