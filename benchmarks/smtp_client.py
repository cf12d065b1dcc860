"""How fast the SMTP client sends mail.

Our client and pool, Postfix's load generator (Debian package postfix: ``smtp-source``) and
aiosmtplib (``pip install aiosmtplib``), each to Postfix's own sink in C, ``smtp-sink``, turn
and turn about.  Medians; the ratio is what to believe, because the sink shares the
machine's cores with what is measured.  Before that, the sink must get some messages whole
from each.  ``--profile`` shows where our client's time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _parts.processes import free_port, running
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
from _parts.smtp_servers import command

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

    failures: list[Any] = []
    ensureDeferred(send()).addErrback(failures.append).addBoth(lambda _: reactor.stop())
    reactor.run()
    if failures:
        failures[0].raiseException()
    return messages / seconds


def aiosmtplib(port: int, load: Load, messages: int) -> float:
    """A client for each connection, kept open."""
    import asyncio

    import aiosmtplib as library

    text = message(load.length)

    async def some(number: int) -> None:
        if not number:
            return
        client = library.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
        await client.connect()
        for _ in range(number):
            await client.sendmail(SENDER, [RECIPIENT], text)
        await client.quit()

    async def send() -> float:
        began = time.perf_counter()
        each, more = divmod(messages, load.connections)
        await asyncio.gather(*(some(each + (number < more)) for number in range(load.connections)))
        return time.perf_counter() - began

    return messages / asyncio.run(send())


def smtp_source(port: int, load: Load, messages: int) -> float:
    source = needed_tool("smtp-source", "postfix")
    arguments = ["-d", "-s", str(load.connections), "-m", str(messages), "-l", str(load.length)]
    began = time.perf_counter()
    subprocess.run([source, *arguments, f"127.0.0.1:{port}"], check=True)
    return messages / (time.perf_counter() - began)


def in_a_process(name: str) -> Callable[[int, Load, int], float]:
    """A sender in Python, in a process of its own, without the time to start it."""

    def send(port: int, load: Load, messages: int) -> float:
        arguments = ["--send", name, str(port), str(LOADS.index(load)), str(messages)]
        done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise WrongAnswer(f"{name} failed:\n{done.stderr}")
        return float(done.stdout)

    return send


HERE: dict[str, Callable[[int, Load, int], float]] = {"mailproto": ours, "aiosmtplib": aiosmtplib}


def check(senders: dict[str, Callable[[int, Load, int], float]], load: Load) -> None:
    """Fail unless every sender's messages arrive, each once and whole."""
    for name, send in senders.items():
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o777)  # the sink is another user, if this is root
            port, messages = free_port(), 2 * load.connections
            with running("smtp-sink", command("smtp-sink", port, "-d", f"{folder}/%M."), port):
                send(port, load, messages)
            texts = [file.read_bytes() for file in Path(folder).iterdir()]
        expect(f"messages that came from {name}", len(texts), messages)
        if name != "smtp-source":  # which writes a text of its own
            sent = message(load.length).replace(b"\r\n", b"\n").rstrip()
            whole = [text.rstrip().endswith(b"\n\n" + sent.partition(b"\n\n")[2]) for text in texts]
            expect(f"those that are whole, from {name}", whole, [True] * messages)


def main() -> None:
    options = Options(__doc__)
    options.add_number("rounds", 5, quick=1, help="how often each is measured")
    options.add_number("messages", 20_000, quick=400, help="of a round; slower loads send a part of them")
    options.add_argument("--profile", action="store_true", help="profile our client instead")
    options.add_argument("--send", nargs=4, help=argparse.SUPPRESS)
    given = options.parse()
    if given.send:
        name, port, load, messages = given.send
        print(HERE[name](int(port), LOADS[int(load)], int(messages)))
        return
    needed_tool("smtp-source", "postfix")
    senders = {"mailproto": in_a_process("mailproto"), "smtp-source": smtp_source}
    if optional_module("aiosmtplib"):
        senders["aiosmtplib"] = in_a_process("aiosmtplib")
    check(senders, LOADS[0])
    port = free_port()
    with running("smtp-sink", command("smtp-sink", port), port):
        if given.profile:
            profile = cProfile.Profile()
            profile.runcall(ours, port, LOADS[0], given.messages)
            pstats.Stats(profile).sort_stats("tottime").print_stats(30)
            return
        for measured in LOADS:
            messages = max(int(given.messages * measured.fraction), 20)
            rates: dict[str, list[float]] = {name: [] for name in senders}
            for _ in range(given.rounds):
                for name, send in senders.items():
                    rates[name].append(send(port, measured, messages))
            table = Table(measured.name, "messages/s", "ours is", width=38)
            for name, found in rates.items():
                ratio = median_ratio(rates["mailproto"], found)
                table.row(f"  {name}", f"{statistics.median(found):,.0f}", f"{ratio:.2f}x")


if __name__ == "__main__":
    run(main)
