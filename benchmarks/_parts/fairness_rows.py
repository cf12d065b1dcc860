"""The rows of `fairness.py`: what a hostile or a busy client does.

A row is a generator.  Until its ``yield`` it prepares itself: it connects, signs in, selects.  What follows
is measured.  It may end in the midst of a command: then its clients hang up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import sleep

from _parts.fairness_mail import Scale
from _parts.hostile import IMAPClient, POP3Client, SMTPClient, Target, address

__all__ = ["ROWS", "Attack", "Row", "row"]

Attack = Callable[[Target, Scale], Iterator[None]]


@dataclass(frozen=True)
class Row:
    """One row.

    :ivar text: what the client does.
    :ivar accounts: those whose mail it needs.
    :ivar beside: what others do, apart from NOOP: "delivery", "login" or "SELECT"; "" for nothing.
    :ivar changes: whether it can be done only once to its mail.
    :ivar needs: the protocols that Dovecot must have; None if the row cannot be run there.
    :ivar linger: for how many seconds others are watched after it.
    """

    name: str
    text: str
    attack: Attack
    accounts: tuple[str, ...] = ()
    beside: str = ""
    changes: bool = False
    needs: tuple[str, ...] | None = ("imap",)
    linger: float = 0.3


ROWS: dict[str, Row] = {}
"""By name."""


def row(
    name: str,
    text: str,
    *accounts: str,
    beside: str = "",
    changes: bool = False,
    needs: tuple[str, ...] | None = ("imap",),
    linger: float = 0.3,
) -> Callable[[Attack], Attack]:
    def add(attack: Attack) -> Attack:
        ROWS[name] = Row(name, text, attack, accounts, beside, changes, needs, linger)
        return attack

    return add


def _commands(
    name: str,
    text: str,
    account: str,
    *commands: str | Callable[[Scale], list[str | bytes]],
    mailbox: str = "INBOX",
    may_refuse: bool = False,
    beside: str = "",
    changes: bool = False,
    needs: tuple[str, ...] | None = ("imap",),
) -> None:
    """A row in which one client gives some commands of IMAP in one piece.

    :param commands: functions make some, if they depend on the scale.
    """

    def attack(target: Target, scale: Scale) -> Iterator[None]:
        client = IMAPClient(target, account)
        if mailbox:
            client.do(f"SELECT {mailbox}")
        given: list[str | bytes] = []
        for command in commands:
            given += [command] if isinstance(command, str) else command(scale)
        yield
        client.do(*given, may_refuse=may_refuse)

    row(name, text, account, beside=beside, changes=changes, needs=needs)(attack)


# -- mailboxes


@row("idle", "nothing at all")
def _idle(target: Target, scale: Scale) -> Iterator[None]:
    yield
    sleep(target.flood_seconds)


_commands(
    "examine",
    "EXAMINE a hundred times in one packet, 102,000 messages",
    "many",
    lambda _: ["EXAMINE INBOX"] * 100,
    mailbox="",
)


@row("examine-hang-up", "the same, and hang up at once", "many", linger=2)
def _examine_hang_up(target: Target, scale: Scale) -> Iterator[None]:
    client = IMAPClient(target, "many")
    yield
    client.give(*["EXAMINE INBOX"] * 100)
    client.close()


_commands("select", "SELECT, 102,000 messages", "many", "SELECT INBOX", mailbox="")


@row("selects", "ten SELECTs at once, 300,000 messages", "huge")
def _selects(target: Target, scale: Scale) -> Iterator[None]:
    clients = [IMAPClient(target, "huge") for _ in range(10)]
    yield
    for client in clients:
        client.give("SELECT INBOX")
    for client in clients:
        client.answers(1)


@row("noops", "NOOP of nine sessions after another's STORE, 300,000 messages", "huge", changes=True)
def _noops(target: Target, scale: Scale) -> Iterator[None]:
    first, *others = [IMAPClient(target, "huge") for _ in range(10)]
    for client in (first, *others):
        client.do("SELECT INBOX")
    first.do("STORE 1:* +FLAGS.SILENT ($Work)")
    yield
    for client in others:
        client.give("NOOP")
    for client in others:
        client.answers(1)


_commands(
    "list",
    "LIST of a name that is not there, a hundred times, 9,900 mailboxes",
    "mailboxes",
    lambda _: ['LIST "" nomatch'] * 100,
    mailbox="",
)
_commands(
    "list-all",
    "LIST of all, with STATUS, ten times, 9,900 mailboxes",
    "mailboxes",
    lambda _: ['LIST "" * RETURN (STATUS (MESSAGES UNSEEN UIDNEXT))'] * 10,
    mailbox="",
)
_commands(
    "list-pattern",
    "LIST with a pattern of 500,000 times *b, 2,000 mailboxes",
    "fewer-mailboxes",
    lambda scale: [b'LIST "" {%d+}\r\n%b' % (2 * (n := scale(500_000, 10_000)), b"*b" * n)],
    mailbox="",
    may_refuse=True,
)
_commands(
    "list-patterns",
    "LIST with many patterns that need much looking, 2,000 mailboxes",
    "fewer-mailboxes",
    lambda scale: [f'LIST "" ({" ".join(["*a*b*c*d*e*"] * scale(5000, 500))})'],
    mailbox="",
    may_refuse=True,
)
_commands(
    "create",
    "CREATE thirty times, 9,900 mailboxes",
    "mailboxes",
    lambda _: [f"CREATE new{number}" for number in range(30)],
    mailbox="",
    changes=True,
)

# -- changes

_commands("store", "STORE.SILENT, 20,000 messages", "stored", "STORE 1:* +FLAGS.SILENT ($Work)", changes=True)
_commands("expunge", "EXPUNGE, 120,000 messages", "expunged", "EXPUNGE", changes=True)
_commands(
    "expunge-select",
    "EXPUNGE, 150,000 messages; others SELECT",
    "expunged2",
    "EXPUNGE",
    beside="SELECT",
    changes=True,
)
_commands(
    "expunge-delivery",
    "EXPUNGE, 100,000 messages; others deliver",
    "expunged3",
    "EXPUNGE",
    beside="delivery",
    changes=True,
    needs=("imap", "lmtp"),
)
_commands(
    "store-delivery",
    "STORE, 100,000 messages; others deliver",
    "stored2",
    "STORE 1:* +FLAGS.SILENT ($Work)",
    beside="delivery",
    changes=True,
    needs=("imap", "lmtp"),
)
_commands(
    "copy-delivery",
    "COPY, 100,000 messages; others deliver",
    "copied",
    'COPY 1:* "Mailbox 0"',
    beside="delivery",
    changes=True,
    needs=("imap", "lmtp"),
)
_commands(
    "keywords",
    "STORE of a hundred long keywords, 150 times with new names",
    "few",
    lambda scale: [
        f"STORE 1 FLAGS ({' '.join(f'k{time}-{number}-'.ljust(255, 'x') for number in range(100))})"
        for time in range(scale(150, 10))
    ],
    may_refuse=True,
    changes=True,
)

# -- SEARCH

_commands(
    "search-500",
    "SEARCH RETURN (COUNT) with 500 keys 1,3:*, 20,000 messages",
    "some",
    lambda scale: [f"SEARCH RETURN (COUNT){' 1,3:*' * scale(500, 50)}"],
    may_refuse=True,
)
_commands(
    "search-9000",
    "the same with 9,000 keys",
    "some",
    lambda scale: [f"SEARCH RETURN (COUNT){' 1,3:*' * scale(9000, 100)}"],
    may_refuse=True,
)
_commands(
    "search-unseen",
    "SEARCH with 9,000 keys UNSEEN, 20,000 messages, five times",
    "some",
    lambda scale: [f"SEARCH{' UNSEEN' * scale(9000, 100)}"] * 5,
    may_refuse=True,
)
_commands(
    "search-not-header",
    "SEARCH with NOT HEADER X b 200 times, a header of 45 MB",
    "long-header",
    "SEARCH" + " NOT HEADER X b" * 200,
    may_refuse=True,
)
for _account, _text in (
    ("inner-header", "a message in a message: its header has 9,000,000 lines"),
    ("html-p", "16 MB of <p>a"),
    ("html-comment", "16 MB of <!>"),
    ("html-bold", "16 MB of <b>x</b>"),
    ("nfkc", "16 MB of U+FDFA, which grow under NFKC"),
    ("long-header", "a header of 45 MB"),
):
    _commands(
        f"search-{_account}", f"SEARCH TEXT, {_text}", _account, "SEARCH TEXT hello-there", may_refuse=True
    )

# -- FETCH

_commands(
    "fetch-inner-header",
    "FETCH of a field of the message in a message with 9,000,000 lines",
    "inner-header",
    "FETCH 1 BODY.PEEK[1.HEADER.FIELDS (Subject)]",
    may_refuse=True,
)
_commands(
    "fetch-structure",
    "FETCH BODY, 1,250 messages in one with 9,800 addresses each",
    "structure",
    "FETCH 1 BODY",
    may_refuse=True,
)
_commands(
    "fetch-structures",
    "FETCH BODYSTRUCTURE, 99 messages of such a kind with 2.3 MB",
    "structures",
    "FETCH 1:* BODYSTRUCTURE",
    may_refuse=True,
)
_commands("fetch-parts", "FETCH BODY, 40 messages of 9,000 parts", "parts", "FETCH 1:* BODY", may_refuse=True)
_commands("fetch-envelopes", "FETCH ENVELOPE, 1,000 subjects of 250 KB", "subjects", "FETCH 1:* ENVELOPE")
_commands(
    "fetch-sections",
    "FETCH of 1,800 sections with one field each, a header of 54 KB",
    "header",
    lambda scale: [
        f"FETCH 1 ({' '.join(f'BODY.PEEK[HEADER.FIELDS (a{n})]' for n in range(scale(1800, 100)))})"
    ],
    may_refuse=True,
)
_commands(
    "fetch-long-header",
    "FETCH of one field, a header of 45 MB",
    "long-header",
    "FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]",
    may_refuse=True,
)
_commands("fetch-flags", "FETCH FLAGS, 102,000 messages", "many", "FETCH 1:* (UID FLAGS)")


@row("append-long-header", "APPEND of a message with a header of 45 MB", "bob", changes=True)
def _append(target: Target, scale: Scale) -> Iterator[None]:
    octets = b"X-Long: a b c d e f g h\r\n" * scale(1_800_000, 20_000) + b"\r\nhello\r\n"
    client = IMAPClient(target, "bob")
    yield
    client.do(b"APPEND INBOX {%d+}\r\n%b" % (len(octets), octets), may_refuse=True)


@row("deliver-inner-header", "delivery of such a message by SMTP", "bob", changes=True, needs=None)
def _deliver(target: Target, scale: Scale) -> Iterator[None]:
    inner = b"X:a\r\n" * scale(9_000_000, 100_000)
    client = SMTPClient(target, "smtp")
    client.say("MAIL FROM:<x@example.net>")
    client.say(f"RCPT TO:<{address('bob')}>")
    client.say("DATA")
    yield
    client.send(b"Content-Type: message/rfc822\r\n\r\n" + inner + b"\r\nhello\r\n.\r\n")
    client.reply()


# -- POP3


@row("pop3-login", "POP3 login, 102,000 messages", "many", needs=("imap", "pop3"))
def _pop3_login(target: Target, scale: Scale) -> Iterator[None]:
    yield
    POP3Client(target, "many").do("STAT")


@row("pop3-uidl", "POP3 UIDL fifty times, 102,000 messages", "many", needs=("imap", "pop3"))
def _pop3_uidl(target: Target, scale: Scale) -> Iterator[None]:
    client = POP3Client(target, "many")
    yield
    client.do(*["UIDL"] * 50)


@row("pop3-rset", "POP3 RSET a thousand times, 102,000 messages", "many", needs=("imap", "pop3"))
def _pop3_rset(target: Target, scale: Scale) -> Iterator[None]:
    client = POP3Client(target, "many")
    yield
    client.do(*["RSET"] * 1000)


@row("pop3-quit", "POP3 QUIT, 100,000 deletions", "dropped", changes=True, needs=("imap", "pop3"))
def _pop3_quit(target: Target, scale: Scale) -> Iterator[None]:
    client = POP3Client(target, "dropped")
    client.do(*(f"DELE {number}" for number in range(1, scale(100_000, 1000) + 1)))
    yield
    client.do("QUIT")
