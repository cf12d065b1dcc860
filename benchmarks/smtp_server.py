"""How fast the SMTP server takes mail: ``python benchmarks/smtp_server.py [--rounds N] [--messages N]``.

Postfix's load generator (Debian package postfix: ``smtp-source``, never Postfix itself)
against a server of ours whose delivery discards everything, and against Postfix's own
sink in C, ``smtp-sink``, turn and turn about.  Medians; the ratio is what to believe,
because the generator shares the machine's cores with what it measures.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SBIN = "/usr/sbin"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Load:
    """One way to use ``smtp-source``; ``fraction`` of the messages asked for."""

    name: str
    options: tuple[str, ...]
    length: int
    fraction: float = 1.0


LOADS = (
    Load("5 KB, 20 sessions kept open", ("-d", "-s", "20"), 5120),
    Load("5 KB, 20 sessions, one message each", ("-s", "20"), 5120, 0.5),
    Load("5 KB, 1 session kept open", ("-d", "-s", "1"), 5120, 0.25),
    Load("1 MB, 4 sessions kept open", ("-d", "-s", "4"), 1_000_000, 0.02),
)


@dataclass
class Figures:
    """Of one server under one load, a round each."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def serve(port: int) -> None:
    """Run in a process of its own: take mail, forget it."""
    from collections.abc import Sequence

    from twisted.internet import reactor

    from mailproto.content import Content
    from mailproto.model import Address, Envelope, Outcome, Parameters, Session
    from mailproto.smtp import SMTPServerFactory

    taken = Outcome(250, "2.0.0", "Forgotten")

    class Discard:
        async def sender(self, session: Session, path: Address, parameters: Parameters) -> None:
            """Anybody."""

        async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:
            """To anybody."""

        async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
            return [taken] * len(envelope.recipients)

    factory = SMTPServerFactory(Discard(), clock=reactor, hostname="mx.example")
    reactor.listenTCP(port, factory, interface="127.0.0.1", backlog=1000)
    reactor.run()


def ours(port: int) -> list[str]:
    return [sys.executable, __file__, "--serve", str(port)]


def smtp_sink(port: int) -> list[str]:
    # As root it wants somebody else to be.
    who = ["-u", "nobody"] if os.getuid() == 0 else []
    return [tool("smtp-sink"), *who, f"127.0.0.1:{port}", "1000"]


SERVERS: dict[str, Callable[[int], list[str]]] = {"mailproto": ours, "smtp-sink": smtp_sink}


def tool(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path=SBIN)
    if path is None:
        sys.exit(f"{name} is missing: apt-get install postfix")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_greeting(port: int) -> None:
    for _ in range(100):
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.recv(100)
                return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nothing listens on port {port}")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(load: Load, messages: int, port: int, pid: int) -> tuple[float, float]:
    """(messages a second, microseconds of the server's CPU a message)."""
    command = [tool("smtp-source"), *load.options, "-m", str(messages), "-l", str(load.length)]
    cpu, began = cpu_seconds(pid), time.perf_counter()
    subprocess.run([*command, f"127.0.0.1:{port}"], check=True)
    seconds = time.perf_counter() - began
    return messages / seconds, (cpu_seconds(pid) - cpu) / messages * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    ports = {name: free_port() for name in SERVERS}
    processes = {name: subprocess.Popen(SERVERS[name](port)) for name, port in ports.items()}
    try:
        for port in ports.values():
            await_greeting(port)
        report(arguments.rounds, arguments.messages, ports, {name: p.pid for name, p in processes.items()})
    finally:
        for process in processes.values():
            process.terminate()
            process.wait()


def report(rounds: int, messages: int, ports: dict[str, int], pids: dict[str, int]) -> None:
    print(f"{'':<38}{'messages/s':>24}{'ratio':>8}{'CPU us/message':>20}")
    print(f"{'':<38}{'mailproto':>12}{'smtp-sink':>12}{'':>8}{'mailproto':>10}{'smtp-sink':>10}")
    for load in LOADS:
        number = max(int(messages * load.fraction), 20)
        figures = {name: Figures() for name in SERVERS}
        for _ in range(rounds):
            for name, figure in figures.items():
                rate, cpu = measure(load, number, ports[name], pids[name])
                figure.rates.append(rate)
                figure.cpu.append(cpu)
        mine, theirs = (figures[name] for name in SERVERS)
        ratio = statistics.median(a / b for a, b in zip(mine.rates, theirs.rates, strict=True))
        print(
            f"{load.name:<38}{statistics.median(mine.rates):12,.0f}{statistics.median(theirs.rates):12,.0f}"
            f"{ratio:8.2f}{statistics.median(mine.cpu):10,.0f}{statistics.median(theirs.cpu):10,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
