"""How fast the SMTP client sends mail: ``python benchmarks/smtp_client.py [--rounds N] [--messages N]``.

Our client and pool, Postfix's load generator (Debian package postfix: ``smtp-source``) and
aiosmtplib (``pip install aiosmtplib``), each to Postfix's own sink in C, ``smtp-sink``, turn
and turn about.  Medians; the ratio is what to believe, because the sink shares the
machine's cores with what is measured.  ``--profile`` shows where our client's time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import importlib.util
import os
import pstats
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SBIN = "/usr/sbin"
SENDER, RECIPIENT = "sender@client.example", "recipient@mx.example"


@dataclass(frozen=True)
class Load:
    """How many connections, how long messages; ``fraction`` of the messages asked for."""

    name: str
    connections: int
    length: int
    fraction: float = 1.0


LOADS = (
    Load("5 KB, 20 connections", 20, 5120),
    Load("5 KB, 1 connection", 1, 5120, 0.5),
    Load("1 MB, 4 connections", 4, 1_000_000, 0.02),
)


def message(length: int) -> bytes:
    line = b"x" * 78 + b"\r\n"
    return (b"Subject: speed\r\n\r\n" + line * (length // len(line) + 1))[: length - 2] + b"\r\n"


def ours(port: int, load: Load, messages: int) -> float:
    """Through `SMTPSender`, all at once."""
    from twisted.internet import reactor as installed
    from twisted.internet.defer import ensureDeferred, gatherResults

    from mailproto.client import ServerAddress
    from mailproto.smtp import SMTPSender

    reactor: Any = installed
    text = message(load.length)
    seconds = 0.0

    async def send() -> None:
        nonlocal seconds
        sender = SMTPSender(
            reactor,
            ServerAddress("127.0.0.1", port, tls="none"),
            hostname="client.example",
            connections=load.connections,
            messages=messages,
        )
        began = time.perf_counter()
        # As an application would have it: some wait for each connection.
        left = messages

        async def some() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                [outcome] = await sender.send(SENDER, [RECIPIENT], text)
                assert outcome.accepted, outcome

        await gatherResults([ensureDeferred(some()) for _ in range(load.connections * 2)])
        seconds = time.perf_counter() - began
        await sender.close()

    ensureDeferred(send()).addErrback(lambda failure: failure.printTraceback()).addBoth(
        lambda _: reactor.stop()
    )
    reactor.run()
    return messages / seconds


def aiosmtplib(port: int, load: Load, messages: int) -> float:
    """A client for each connection, kept open."""
    import asyncio

    import aiosmtplib as library

    text = message(load.length)

    async def some(number: int) -> None:
        client = library.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
        await client.connect()
        for _ in range(number):
            await client.sendmail(SENDER, [RECIPIENT], text)
        await client.quit()

    async def send() -> float:
        began = time.perf_counter()
        await asyncio.gather(*(some(messages // load.connections) for _ in range(load.connections)))
        return time.perf_counter() - began

    return messages / asyncio.run(send())


def smtp_source(port: int, load: Load, messages: int) -> float:
    command = [tool("smtp-source"), "-d", "-s", str(load.connections), "-m", str(messages)]
    began = time.perf_counter()
    subprocess.run([*command, "-l", str(load.length), f"127.0.0.1:{port}"], check=True)
    return messages / (time.perf_counter() - began)


def in_a_process(name: str) -> Callable[[int, Load, int], float]:
    """A sender in Python, in a process of its own, without the time to start it."""

    def send(port: int, load: Load, messages: int) -> float:
        arguments = ["--send", name, str(port), str(LOADS.index(load)), str(messages)]
        done = subprocess.run(
            [sys.executable, __file__, *arguments], check=True, capture_output=True, text=True
        )
        return float(done.stdout)

    return send


HERE: dict[str, Callable[[int, Load, int], float]] = {"mailproto": ours, "aiosmtplib": aiosmtplib}
SENDERS = {"mailproto": in_a_process("mailproto"), "smtp-source": smtp_source}
if importlib.util.find_spec("aiosmtplib"):
    SENDERS["aiosmtplib"] = in_a_process("aiosmtplib")


def tool(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path=SBIN)
    if path is None:
        sys.exit(f"{name} is missing: apt-get install postfix")
    return path


def start_sink() -> tuple[subprocess.Popen[bytes], int]:
    """``smtp-sink`` on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    # As root it wants somebody else to be.
    who = ["-u", "nobody"] if os.getuid() == 0 else []
    sink = subprocess.Popen([tool("smtp-sink"), *who, f"127.0.0.1:{port}", "1000"])
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return sink, port
        except OSError:
            time.sleep(0.1)
    sys.exit("smtp-sink does not listen")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--send", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.send:
        name, port, load, messages = arguments.send
        print(HERE[name](int(port), LOADS[int(load)], int(messages)))
        return
    sink, port = start_sink()
    try:
        if arguments.profile:
            profile = cProfile.Profile()
            profile.runcall(ours, port, LOADS[0], arguments.messages)
            pstats.Stats(profile).sort_stats("tottime").print_stats(30)
            return
        for load in LOADS:
            messages = max(int(arguments.messages * load.fraction), 20)
            rates: dict[str, list[float]] = {name: [] for name in SENDERS}
            for _ in range(arguments.rounds):
                for name, send in SENDERS.items():
                    rates[name].append(send(port, load, messages))
            print(load.name)
            ours_rate = statistics.median(rates["mailproto"])
            for name, found in rates.items():
                rate = statistics.median(found)
                print(f"  {name:12}{rate:10.0f}/s   mailproto is {ours_rate / rate:5.2f} times as fast")
    finally:
        sink.terminate()
        sink.wait()


if __name__ == "__main__":
    main()
