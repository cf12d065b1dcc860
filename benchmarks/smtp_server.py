"""How fast the SMTP server takes mail: ``python benchmarks/smtp_server.py [--rounds N] [--messages N]``.

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

import argparse
import multiprocessing
import os
import socket
import ssl
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

from smtp_servers import SERVERS, command, tool

TICKS = os.sysconf("SC_CLK_TCK")
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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_greeting(name: str, port: int) -> None:
    for _ in range(100):
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.recv(100)
                return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{name} does not listen on port {port}")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(load: Load, messages: int, port: int, pid: int) -> tuple[float, float]:
    """(messages a second, microseconds of the server's CPU a message)."""
    if load.options is None:
        seconds, cpu = send_encrypted(load, messages, port, pid)
    else:
        arguments = [*load.options, "-m", str(messages), "-l", str(load.length), f"127.0.0.1:{port}"]
        cpu, began = cpu_seconds(pid), time.perf_counter()
        subprocess.run([tool("smtp-source"), *arguments], check=True)
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
    return time.perf_counter() - began, cpu_seconds(pid) - cpu


def encrypted_sessions(
    number: int, messages: int, length: int, port: int, barrier: multiprocessing.Barrier
) -> None:
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
            raise SystemExit(f"lost behind {reply!r}")
        reply += octets
    if reply[:1] not in b"23":
        raise SystemExit(f"refused: {reply!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=20_000)
    arguments = parser.parse_args()
    ports = {name: free_port() for name in SERVERS}
    processes = {name: subprocess.Popen(command(name, port)) for name, port in ports.items()}
    try:
        for name, port in ports.items():
            await_greeting(name, port)
        for load in LOADS:
            report(load, arguments.rounds, max(int(arguments.messages * load.fraction), 20), ports, processes)
    finally:
        for process in processes.values():
            process.terminate()
            process.wait()


def report(
    load: Load,
    rounds: int,
    messages: int,
    ports: dict[str, int],
    processes: dict[str, subprocess.Popen[bytes]],
) -> None:
    """One block of the table: the ratio is ours to the peer's, of the same round."""
    figures = {name: Figures() for name in load.peers}
    for _ in range(rounds):
        for name, figure in figures.items():
            rate, cpu = measure(load, messages, ports[name], processes[name].pid)
            figure.rates.append(rate)
            figure.cpu.append(cpu)
    print(f"{load.name:<38}{'messages/s':>12}{'ours is':>10}{'CPU us/message':>16}")
    for name, figure in figures.items():
        ratio = statistics.median(a / b for a, b in zip(figures[OURS].rates, figure.rates, strict=True))
        rate, cpu = statistics.median(figure.rates), statistics.median(figure.cpu)
        print(f"  {name:<36}{rate:12,.0f}{ratio:9.2f}x{cpu:16,.0f}", flush=True)


if __name__ == "__main__":
    main()
