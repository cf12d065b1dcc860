"""What an IMAP server does in a second, side by side with Dovecot.

The server is one process, as an operator runs it (``twistd mailproto``), over its SQLite store; Dovecot
(Debian packages dovecot-imapd; as root) keeps its mail as Maildir, sdbox and mdbox.  All do the same work
for the same client, in turns, with their mail on the same disk (--folder).  Figures are medians; believe
the ratios.  On a machine with other work, Dovecot gets more of it, because it has many processes: then
compare the time of processors ("cpu": theirs to ours).

- append: durable messages of 7 KB, from 1 and 10 connections.
- mailbox: MULTIAPPEND by 50, with 4 commands under way, fills a mailbox; then FETCH of metadata (the first
  time, and again in new sessions), FETCH of all messages, SEARCH of four words and four pairs of words,
  each for the first time, SORT and THREAD, STORE with untagged responses, and EXPUNGE of half.
- login: connect, LOGIN, SELECT, LOGOUT, 20 at a time, over 100 accounts, each of which has signed in
  before: ours checks argon2id, and then knows the password for minutes.  Dovecot's processes are kept for
  many clients, and its passwords are plain.
- idle: memory (PSS) that 1,000 connections add, which have INBOX of 1,000 messages selected and idle, and
  the time until all of them are told of a new message.

All together, a round takes some 80 seconds on a quiet machine with two processors.  Lines on stderr say how
far it is.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from _parts.dovecot import started, why_not
from _parts.imap_work import DOMAIN, PASSWORD, Figure, Work
from _parts.letters import letters
from _parts.processes import Server, free_port, running, twistd
from _parts.program import Options, Table, run

OURS, MDBOX, SDBOX, MAILDIR, TUNED = "mailproto", "mdbox", "sdbox", "Maildir", "tuned"


class Row(NamedTuple):
    """A row of the table.

    :ivar against: the kinds of Dovecot of which the best counts.
    :ivar least: how many times as good as Dovecot it must be.
    """

    title: str
    unit: str
    against: tuple[str, ...]
    least: float | None = None


BEST = (MDBOX, SDBOX, MAILDIR)
ROWS = {
    "append-1": Row("APPEND, 1 connection", "/s", (MDBOX,), 1.5),
    "append-10": Row("APPEND, 10 connections", "/s", (MDBOX,), 1.5),
    "multiappend": Row("MULTIAPPEND by 50, 4 under way", "/s", (MDBOX,), 0.7),
    "metadata-first": Row("FETCH metadata, first", "/s", BEST, 5),
    "metadata-again": Row("FETCH metadata, again", "/s", BEST, 2),
    "body": Row("FETCH BODY.PEEK[]", "MB/s", (MDBOX,), 0.8),
    "search-body": Row("SEARCH BODY", "ms", BEST, 20),
    "search-text": Row("SEARCH TEXT", "ms", BEST, 20),
    "search-header": Row("SEARCH FROM x SUBJECT y", "ms", BEST, 2),
    "sort-first": Row("SORT (SUBJECT), first", "ms", BEST, 1),
    "sort-next": Row("SORT (SUBJECT), next", "ms", BEST, 1),
    "thread-first": Row("THREAD REFERENCES, first", "ms", BEST, 1),
    "thread-next": Row("THREAD REFERENCES, next", "ms", BEST, 1),
    "store": Row("STORE 1:* +FLAGS (\\Seen)", "/s", (MAILDIR,), 3),
    "expunge": Row("EXPUNGE of half", "/s", (SDBOX,), 3),
    "login": Row("sessions, 20 at a time", "/s", (TUNED,), 1.5),
    "idle-memory": Row("memory of an idle connection", "KiB", (SDBOX,), 12),
    "idle-told": Row("a new message told to all idlers", "ms", (SDBOX,)),
}
WORKS = {
    "append": ("append-1", "append-10"),
    "mailbox": tuple(ROWS)[2:15],
    "login": ("login",),
    "idle": ("idle-memory", "idle-told"),
}
"""The rows that are measured together."""


@contextmanager
def mailproto(folder: Path, names: Sequence[str]) -> Iterator[Server]:
    """Our server."""
    folder.mkdir()
    accounts = folder / "accounts"
    accounts.touch(0o600)
    accounts.write_text("".join(f"{name}@{DOMAIN}:{PASSWORD}\n" for name in names))
    ports = {name: free_port() for name in ("imap", "pop3", "smtp", "submission", "lmtp")}
    command = [
        *twistd(),
        "mailproto",
        f"--data={folder / 'data'}",
        f"--domain={DOMAIN}",
        f"--account-file={accounts}",
        *(f"--{name}=tcp:{port}:interface=127.0.0.1" for name, port in ports.items()),
        *(f"--limit=imap.{name}=5000" for name in ("connections_per_peer", "sessions_per_account")),
    ]
    with running(OURS, command, ports["imap"], wait=120) as server:
        yield server


@contextmanager
def dovecot(folder: Path, names: Sequence[str], kind: str) -> Iterator[Server]:
    """One of those to compare with."""
    (folder / "mail").mkdir(parents=True)
    form = SDBOX if kind == TUNED else kind
    with started(folder, names, f"{{PLAIN}}{PASSWORD}", form=form, tuned=kind == TUNED) as (server, _):
        yield server


Found = Mapping[str, Mapping[str, Sequence[Figure]]]
"""Figures by the names of servers and of rows."""


def measure(folder: Path, kinds: Sequence[str], rows: Sequence[str], given: Any) -> Found:
    """All works of which a row is wanted, with each server that has one."""
    found: dict[str, dict[str, list[Figure]]] = {kind: defaultdict(list) for kind in kinds}
    names = [f"user{number}" for number in range(given.accounts)]
    mail = letters(given.messages)
    works: dict[str, Callable[[Work], Coroutine[Any, Any, None]]] = {
        "append": lambda work: work.append(mail[: given.appends]),
        "mailbox": lambda work: work.mailbox(mail),
        "login": lambda work: work.login(given.logins),
        "idle": lambda work: work.idle(mail[:1000], given.idlers),
    }
    with ExitStack() as stack:
        servers = {
            kind: stack.enter_context(
                mailproto(folder / kind, names) if kind == OURS else dovecot(folder / kind, names, kind)
            )
            for kind in kinds
        }
        for name, work in works.items():
            wanted = [row for row in WORKS[name] if row in rows]
            for _ in range(1 if name == "idle" else given.rounds):
                for kind in kinds:
                    if wanted and (kind == OURS or any(kind in ROWS[row].against for row in wanted)):
                        print(f"  {name}: {kind}", file=sys.stderr, flush=True)
                        of = Work(servers[kind].port, servers[kind].pid, names, found[kind])
                        asyncio.run(work(of))
                        asyncio.run(of.settled(0 if given.quick else 10))
    return found


def show(found: Found, rows: Sequence[str]) -> None:
    """Print the medians."""
    table = Table("", OURS, "Dovecot", "which", "ratio", "cpu", "at least", width=40, least=9)
    for name in rows:
        row = ROWS[name]
        is_better: Callable[..., Any] = max if row.unit.endswith("/s") else min
        value = {
            kind: statistics.median([figure.value for figure in figures[name]])
            for kind, figures in found.items()
            if name in figures
        }
        if OURS not in value:
            continue
        cells = [_short(value[OURS])]
        if peers := [kind for kind in row.against if kind in value]:
            best = is_better(peers, key=value.__getitem__)
            ratio = value[OURS] / value[best] if is_better is max else value[best] / value[OURS]
            cpu = [statistics.mean([figure.cpu for figure in found[kind][name]]) for kind in (best, OURS)]
            cells += [_short(value[best]), best, f"{ratio:.2f}x", f"{cpu[0] / cpu[1]:.2f}x" if cpu[1] else ""]
            cells += [f"{row.least}x" if row.least else ""]
        table.row(f"{row.title} ({row.unit})", *cells)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def main() -> None:
    options = Options(__doc__)
    options.add_number("rounds", 3, quick=1, help="how often each is measured")
    options.add_number("messages", 10_000, quick=200, help="in the mailbox")
    options.add_number("appends", 2000, quick=40, help="messages of APPEND")
    options.add_number("accounts", 100, quick=10, help="that sign in")
    options.add_number("logins", 1000, quick=100, help="short sessions")
    options.add_number("idlers", 1000, quick=20, help="connections in IDLE")
    options.add_argument("--folder", type=Path, help="on the disk for all mail [default: the system's]")
    options.add_argument("--rows", help=f"only these rows, with commas between: {', '.join(ROWS)}")
    given = options.parse()
    rows = given.rows.split(",") if given.rows else list(ROWS)
    if unknown := set(rows) - set(ROWS):
        options.error(f"--rows: unknown: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="imap-benchmark-", dir=given.folder) as own:
        folder = Path(own).resolve()
        folder.chmod(0o755)
        kinds = [OURS, *sorted({kind for row in rows for kind in ROWS[row].against})]
        if why := why_not(folder / "mail"):
            print(f"Dovecot is left out: {why}", flush=True)
            kinds = [OURS]
        show(measure(folder, kinds, rows, given), rows)


if __name__ == "__main__":
    run(main)
