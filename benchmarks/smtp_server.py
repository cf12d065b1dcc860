"""How fast the SMTP server takes mail.

Postfix's load generator (Debian package postfix: ``smtp-source``, never Postfix itself)
against a server of ours whose delivery discards everything, and turn and turn about
against its peers: Postfix's own sink in C, ``smtp-sink``, Twisted's mail package, and
aiosmtpd (``pip install aiosmtpd``).  With STARTTLS, which ``smtp-source`` does not speak,
two processes of ours send.  ``smtp-source`` says the same MAIL and RCPT each time, which
our server remembers (`mailproto.smtp.wire._commands.command_parser`): with addresses that
it has never heard a message costs it about a tenth more.  Medians; the ratios are what to
believe, because the generator shares the machine's cores with what it measures.
"""

from __future__ import annotations

import multiprocessing
import re
import socket
import ssl
import statistics
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier

from _parts.processes import Server, cpu_seconds, free_port, running
from _parts.program import (
    Options,
    Table,
    WrongAnswer,
    expect,
    median_ratio,
    needed_tool,
    optional_module,
    run,
)
from _parts.smtp_servers import SERVERS, command

SENDERS = 2  # processes that share the sessions inside TLS
OURS = next(iter(SERVERS))


@dataclass(frozen=True)
class Load:
    """One way to send mail; ``fraction`` of the messages asked for.

    :ivar options: of ``smtp-source``; None for STARTTLS, by ``sessions`` of ours.
    """

    name: str
    options: tuple[str, ...] | None
    length: int
    fraction: float = 1.0
    sessions: int = 0
    peers: tuple[str, ...] = tuple(SERVERS)


LOADS = (
    Load("5 KB, 20 sessions kept open", ("-d", "-s", "20"), 5120),
    Load("5 KB, 20 sessions, one message each", ("-s", "20"), 5120, 0.25),
    Load("5 KB, 1 session kept open", ("-d", "-s", "1"), 5120, 0.25),
    Load("1 MB, 4 sessions kept open", ("-d", "-s", "4"), 1_000_000, 0.01),
    Load("5 KB, STARTTLS, 20 sessions kept open", None, 5120, 0.25, sessions=20, peers=(OURS, "aiosmtpd")),
)


@dataclass
class Figures:
    """Of one server under one load, a round each: messages a second, CPU microseconds a message."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def measure(load: Load, messages: int, port: int, pid: int) -> tuple[float, float]:
    """(messages a second, microseconds of the server's CPU a message)."""
    if load.options is None:
        seconds, cpu = send_encrypted(load, messages, port, pid)
    else:
        arguments = [*load.options, "-m", str(messages), "-l", str(load.length), f"127.0.0.1:{port}"]
        cpu, began = cpu_seconds(pid), time.perf_counter()
        subprocess.run([needed_tool("smtp-source", "postfix"), *arguments], check=True)
        seconds = time.perf_counter() - began
        cpu = cpu_seconds(pid) - cpu
    return messages / seconds, cpu / messages * 1e6


def send_encrypted(load: Load, messages: int, port: int, pid: int) -> tuple[float, float]:
    """(seconds, the server's CPU seconds) once all sessions are inside TLS."""
    barrier = multiprocessing.Barrier(SENDERS + 1)
    share = (load.sessions // SENDERS, messages // load.sessions, load.length, port, barrier)
    senders = [multiprocessing.Process(target=encrypted_sessions, args=share) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    barrier.wait(timeout=20)
    cpu, began = cpu_seconds(pid), time.perf_counter()
    for sender in senders:
        sender.join()
    if any(sender.exitcode for sender in senders):
        raise WrongAnswer("a session inside TLS failed")
    return time.perf_counter() - began, cpu_seconds(pid) - cpu


def encrypted_sessions(number: int, messages: int, length: int, port: int, barrier: Barrier) -> None:
    """Some sessions that send ``messages`` each: a command a round trip, as ``smtp-source`` does it."""
    sessions = [encrypted_session(port) for _ in range(number)]
    body = b"Subject: test\r\n\r\n" + (b"x" * 78 + b"\r\n") * (length // 80) + b".\r\n"
    round_trips = (b"MAIL FROM:<a@source.example>\r\n", b"RCPT TO:<b@sink.example>\r\n", b"DATA\r\n", body)
    barrier.wait(timeout=20)
    for _ in range(messages):
        for octets in round_trips:
            for session in sessions:
                session.sendall(octets)
            for session in sessions:
                read_reply(session)


def encrypted_session(port: int) -> ssl.SSLSocket:
    """One that has said EHLO inside TLS."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    read_reply(plain)
    for line in (b"EHLO source.example\r\n", b"STARTTLS\r\n"):
        plain.sendall(line)
        read_reply(plain)
    session = context.wrap_socket(plain)
    session.sendall(b"EHLO source.example\r\n")
    read_reply(session)
    return session


def read_reply(connection: socket.socket) -> None:
    """One reply, whole, that takes what was sent; at the cost of little more than the system call."""
    reply = connection.recv(4096)
    while not (reply.endswith(b"\r\n") and reply[reply.rfind(b"\n", 0, -1) + 4 :][:1] == b" "):
        octets = connection.recv(4096)
        if not octets:
            raise SystemExit(f"lost after {reply!r}")
        reply += octets
    if reply[:1] not in b"23":
        raise SystemExit(f"refused: {reply!r}")


def main() -> None:
    options = Options(__doc__)
    options.add_number("rounds", 5, quick=1, help="how often each is measured")
    options.add_number("messages", 20_000, quick=400, help="of a round; slower loads send a part of them")
    given = options.parse()
    needed_tool("smtp-source", "postfix")
    names = [name for name in SERVERS if name != "aiosmtpd" or optional_module(name)]
    taken = dict.fromkeys(names, 0)
    with ExitStack() as stack:
        servers = {}
        for name in names:
            port = free_port()
            servers[name] = stack.enter_context(running(name, command(name, port), port))
        for load in LOADS:
            messages = max(int(given.messages * load.fraction), 20)
            messages -= messages % max(load.sessions, 1)
            peers = {name: servers[name] for name in load.peers if name in servers}
            report(load, given.rounds, messages, peers)
            for name in peers:
                taken[name] += given.rounds * messages
    for name, server in servers.items():
        if SERVERS[name]:
            expect(
                f"messages that {name} took",
                re.findall(r"^taken: (\d+)$", server.output, re.M),
                [str(taken[name])],
            )


def report(load: Load, rounds: int, messages: int, servers: dict[str, Server]) -> None:
    """One block of the table: the ratio is ours to the peer's, of the same round."""
    figures = {name: Figures() for name in servers}
    for _ in range(rounds):
        for name, figure in figures.items():
            rate, cpu = measure(load, messages, servers[name].port, servers[name].pid)
            figure.rates.append(rate)
            figure.cpu.append(cpu)
    table = Table(load.name, "messages/s", "ours is", "CPU us/message", width=38)
    for name, figure in figures.items():
        ratio = median_ratio(figures[OURS].rates, figure.rates)
        rate, cpu = statistics.median(figure.rates), statistics.median(figure.cpu)
        table.row(f"  {name}", f"{rate:,.0f}", f"{ratio:.2f}x", f"{cpu:,.0f}")


if __name__ == "__main__":
    run(main)
