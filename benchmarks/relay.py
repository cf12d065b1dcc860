"""How fast mail is relayed, from its submission until it has arrived, beside Postfix.

``smtp-source`` (Debian package postfix) sends messages of 5 KB over 20 sessions to a relay, whose queue is on
disk; ``smtp-sink`` takes what leaves it, and the time ends with the last message.  Both relays have their
queues in folders of the same disk (--folder) and are measured in turns; medians; believe the ratios.  On a
machine with other work, Postfix gets more of it, because it has many processes: then compare the milliseconds
of processors for each message.

- one sink: all messages are for one domain.
- many domains: each with a server of its own name.
- a tenth dead: the servers of some domains refuse connections or say nothing; those of the others count.
- one message: from the relay's 250 to the sink's, on an idle server; a session for each.
- a full queue: memory and time to start of a server with many messages for servers that are dead.

A round takes some 2 minutes on a quiet machine with two processors, the full queue 3; lines on stderr say how
far it is.

Postfix has its defaults, but no pause for those who send faster than mail leaves (in_flow_delay), 20
connections at once to a new server (initial_destination_concurrency), 20 seconds for a silent server
(smtp_helo_timeout), no chroot, and no TLS.
"""

from __future__ import annotations

import json
import smtplib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from _parts.processes import Server, cpu_seconds_below, free_port, memory
from _parts.program import Options, Table, expect, median_ratio, needed_tool, run
from _parts.relay_servers import (
    DEAD,
    SILENT,
    SINGLE,
    CountingSink,
    Names,
    TimingSink,
    counting_sink,
    mailproto,
    postfix,
    why_no_postfix,
)

LENGTH = 5120
PATIENCE = 60
"""Seconds after which no more messages are expected if none arrives."""
SENDER = "sender@relay.example"
RELAYS = ("mailproto", "Postfix")
ONE, MANY, TENTH = "one sink", "many domains", "a tenth of these dead"

Rows: TypeAlias = Sequence[tuple[str, Sequence[str]]]
"""Each with its title and its domains."""


def submit(source: str, port: int, domains: Sequence[str], messages: int, sessions: int) -> None:
    """Send about as many messages to each domain, over some sessions at once."""

    def send(number: int, domain: str, sessions: int) -> None:
        command = [source, "-d", "-s", str(sessions), "-m", str(number), "-l", str(LENGTH), "-f", SENDER]
        subprocess.run([*command, "-t", f"user@{domain}", f"127.0.0.1:{port}"], check=True)

    if len(domains) == 1:
        send(messages, domains[0], sessions)
        return
    with ThreadPoolExecutor(sessions) as pool:
        list(pool.map(lambda domain: send(messages // len(domains), domain, 1), domains))


@contextmanager
def relay(name: str, folder: Path, names: Names, domains: Sequence[str], port: int) -> Iterator[Server]:
    """A relay with an empty queue."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=name) as own, ExitStack() as stack:
        if name == "mailproto":
            server = stack.enter_context(mailproto(Path(own, "data"), names, port))
        else:
            server = stack.enter_context(postfix(Path(own, "relay"), domains, port))
        yield server


class Rate(NamedTuple):
    """How fast a relay was: messages a second that arrived, and milliseconds of processors for each."""

    a_second: float
    cost: float


def throughput(sink: CountingSink, server: Server, domains: Sequence[str], given: Any) -> Rate:
    """Relay messages; only those for living servers count."""
    source = needed_tool("smtp-source", "postfix")
    each = given.messages // len(domains)
    expected = each * sum(not domain.startswith((DEAD, SILENT)) for domain in domains)
    before, spent = sink.taken, cpu_seconds_below(server.pid)
    began = time.perf_counter()
    submit(source, server.port, domains, given.messages, given.sessions)
    ended = sink.wait_for(before + expected, PATIENCE)
    time.sleep(0.1)
    expect("messages that arrived", sink.taken - before, expected)
    return Rate(expected / (ended - began), (cpu_seconds_below(server.pid) - spent) / expected * 1000)


def latency(sink: TimingSink, port: int, times: int) -> Iterator[float]:
    """Milliseconds of single messages from one 250 to the other."""
    text = b"Subject: one\r\n\r\n" + b"x" * 70 + b"\r\n"
    for number in range(times + 1):
        sink.taken.clear()
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.sendmail(SENDER, [f"user@{SINGLE}.example"], text)
            accepted = time.perf_counter()
            expect("the message arrived", sink.taken.wait(30), True)
            if number:  # the first one asks the DNS, and more
                yield max(sink.at - accepted, 0) * 1000
        time.sleep(0.05)


class Progress:
    """Says on stderr what is being done, and since when."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, what: str) -> None:
        """One line."""
        print(f"  {time.monotonic() - self._began:4.0f} s: {what}", file=sys.stderr, flush=True)


class Figures:
    """What was measured of a relay: by row, a figure of each round."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.rates: dict[str, list[Rate]] = {}
        self.single: list[float] = []

    def measure(self, name: str, folder: Path, names: Names, rows: Rows, given: Any) -> None:
        """One round."""
        everyone = sorted({domain for _, domains in rows for domain in domains} | {f"{SINGLE}.example"})
        with counting_sink(folder) as sink, relay(name, folder, names, everyone, sink.port) as server:
            single = TimingSink(sink.port)
            self.single += latency(single, server.port, given.single)
            single.close()
            for title, domains in rows:
                self._progress.say(f"{name}: {title}")
                self.rates.setdefault(title, []).append(throughput(sink, server, domains, given))

    def rate(self, title: str) -> float:
        """The median of a row."""
        return statistics.median(each.a_second for each in self.rates[title])

    def cost(self, title: str) -> float:
        """The median of a row."""
        return statistics.median(each.cost for each in self.rates[title])


def fill(folder: Path, messages: int, domains: int) -> float:
    """Put messages into the queue of a server that is not running; messages a second."""
    program = Path(__file__).parent / "_parts" / "fill_queue.py"
    began = time.perf_counter()
    subprocess.run([sys.executable, program, folder, str(messages), str(domains)], check=True)
    return messages / (time.perf_counter() - began)


def queued(data: Path) -> object:
    """How many messages are in the queue of a server."""
    command = [
        str(Path(sys.executable).parent / "mailproto"),
        "queue",
        "stats",
        "--json",
        "--data",
        str(data),
    ]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["messages"]


def full_queue(folder: Path, names: Names, messages: int, progress: Progress) -> None:
    """Start a server whose queue is full, and read what it takes."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        data = Path(own, "data")
        with mailproto(data, names, free_port()):
            pass  # which notes its routes, by which the messages are grouped
        progress.say(f"{messages:,} messages are put into its queue")
        rate = fill(data / "mail", messages, 1000)
        progress.say("it starts again")
        began = time.perf_counter()
        with mailproto(data, names, free_port(), wait=120) as server:
            started = time.perf_counter() - began
            time.sleep(0.3 if messages < 10_000 else 20)
            octets = memory(server.pid) * 1024
            expect("messages in the queue", queued(data), messages)
        table = Table("a full queue", "start", "memory", "filled")
        name = f"{messages:,} queued for 1,000 dead domains"
        table.row(name, f"{started:.2f} s", f"{octets / 1e6:,.0f} MB", f"{rate:,.0f}/s")


def main() -> None:
    options = Options(__doc__)
    options.add_number("rounds", 1, quick=1, help="how often each is measured")
    options.add_number("messages", 20_000, quick=200, help="of a round")
    options.add_number("sessions", 20, quick=20, help="connections of smtp-source")
    options.add_number("domains", 200, quick=20, help="where there are many")
    options.add_number("single", 20, quick=3, help="messages that are sent alone")
    options.add_number("queued", 1_000_000, quick=500, help="messages in the full queue")
    options.add_argument("--folder", type=Path, help="on the disk for both queues [default: the system's]")
    given = options.parse()
    relays = RELAYS[:1] if (why := why_no_postfix()) else RELAYS
    if why:
        print(f"Postfix is left out: {why}", flush=True)
    names = Names()
    many = [f"d{number}.example" for number in range(given.domains)]
    tenth = [
        f"{(DEAD, SILENT)[at // 10 % 2]}{at}.example" if at % 10 == 5 else domain
        for at, domain in enumerate(many)
    ]
    rows = ((ONE, ["one.example"]), (MANY, many), (TENTH, tenth))
    progress = Progress()
    found = {name: Figures(progress) for name in relays}
    with tempfile.TemporaryDirectory(dir=given.folder) as own:
        folder = Path(own)
        folder.chmod(0o755)
        for _ in range(given.rounds):
            for name in relays:
                found[name].measure(name, folder, names, rows, given)
        show(found, given)
        full_queue(folder, names, given.queued, progress)


def show(found: Mapping[str, Figures], given: Any) -> None:
    """Print what was measured of the relays."""
    title = f"{given.messages:,} messages of {LENGTH:,} octets, {given.sessions} sessions"
    table = Table(title, *(f"{name}, msg/s" for name in found), "ratio")
    others = len(found) > 1
    for row in (ONE, MANY, TENTH):
        rates = [[rate.a_second for rate in each.rates[row]] for each in found.values()]
        costs = [[rate.cost for rate in each.rates[row]] for each in found.values()]
        ratio = f"{median_ratio(*rates):.2f}x" if others else ""
        table.row(f"  {row}", *(f"{each.rate(row):,.0f}" for each in found.values()), ratio)
        ratio = f"{median_ratio(*reversed(costs)):.2f}x" if others else ""
        table.row("    ms of processors", *(f"{each.cost(row):.2f}" for each in found.values()), ratio)
    living = [f"{each.rate(TENTH) / each.rate(MANY):.2f}x" for each in found.values()]
    table.row("  a tenth dead to none dead", *living)
    table = Table("one message, idle server", *(f"{name}, ms" for name in found))
    for row, of in (("median", statistics.median), ("the slowest", max)):
        table.row(
            f"  from one 250 to the other, {row}", *(f"{of(each.single):.1f}" for each in found.values())
        )


if __name__ == "__main__":
    run(main)
