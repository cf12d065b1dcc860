"""More rows of `fairness.py`: many sessions do the same at the same time, or are told of the same change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from _parts.fairness_mail import CROWD, Scale
from _parts.fairness_rows import row
from _parts.hostile import IMAPClient, Target

_CROWD = tuple(f"crowd{number}" for number in range(CROWD))
"""An account for each of many sessions."""


def _selected(target: Target, accounts: Sequence[str]) -> list[IMAPClient]:
    """Clients that have selected INBOX, one for each of ``accounts``."""
    clients = [IMAPClient(target, account) for account in accounts]
    for client in clients:
        client.give("SELECT INBOX")
    for client in clients:
        client.answers(1)
    return clients


def _together(
    name: str,
    text: str,
    accounts: Sequence[str],
    command: Callable[[Scale], str | bytes],
    *,
    is_select: bool = False,
    may_refuse: bool = False,
) -> None:
    """A row in which a session of each of ``accounts`` gives the same command, while others deliver."""

    @row(name, f"{text}; others deliver", *dict.fromkeys(accounts), beside="delivery", changes=True)
    def attack(target: Target, scale: Scale) -> Iterator[None]:
        if is_select:
            clients = [IMAPClient(target, account) for account in accounts]
        else:
            clients = _selected(target, accounts)
        given = command(scale)
        yield
        for client in clients:
            client.give(given)
        for client in clients:
            client.answers(1, may_refuse=may_refuse)


def _message(scale: Scale) -> bytes:
    octets = b"Subject: x\r\n\r\n" + b"x" * scale(1_000_000, 10_000)
    return b"APPEND INBOX {%d+}\r\n%b" % (len(octets), octets)


_ONE = ("crowded",) * CROWD

_together(
    "stores-one",
    "STORE.SILENT of 50 sessions of one account, 20,000 messages",
    _ONE,
    lambda _: "STORE 1:* +FLAGS.SILENT (a)",
)
_together(
    "stores-many",
    "STORE.SILENT of 50 accounts, 5,000 messages each",
    _CROWD,
    lambda _: "STORE 1:* +FLAGS.SILENT (a)",
)
_together(
    "stores-loud",
    "STORE of 50 sessions of one account, 20,000 messages",
    ("crowded-loud",) * CROWD,
    lambda _: "STORE 1:* +FLAGS (a)",
)
_together(
    "selects-one",
    "SELECT of 50 sessions of one account, 20,000 messages",
    _ONE,
    lambda _: "SELECT INBOX",
    is_select=True,
)
_together(
    "selects-many",
    "SELECT of 50 accounts, 5,000 messages each",
    _CROWD,
    lambda _: "SELECT INBOX",
    is_select=True,
)
_together(
    "copies-one",
    "COPY of 50 sessions of one account, 2,000 messages each",
    ("crowded-copy",) * CROWD,
    lambda scale: f'COPY 1:{scale(2000, 20)} "Mailbox 0"',
)
_together(
    "moves-one",
    "MOVE of 50 sessions of one account, the same 20,000 messages",
    ("crowded-move",) * CROWD,
    lambda _: 'MOVE 1:* "Mailbox 0"',
    may_refuse=True,
)
_together(
    "expunges-one",
    "EXPUNGE of 50 sessions of one account, 20,000 messages",
    ("crowded-expunge",) * CROWD,
    lambda _: "EXPUNGE",
)
_together("appends", "APPEND of 1 MB by 50 accounts", _CROWD, _message)


@row(
    "idles-one",
    "50 sessions of one account idle, 20,000 flags change; others deliver",
    "crowded",
    beside="delivery",
    changes=True,
)
def _idles(target: Target, scale: Scale) -> Iterator[None]:
    first, *others = _selected(target, ("crowded",) * (CROWD + 1))
    for client in others:
        client.give("IDLE")
        client.line()
    yield
    first.do("STORE 1:* FLAGS.SILENT (b)")
    for client in others:
        client.count((b"* ",), scale(20_000, 1000))
