"""The bed: hosts, the server under test, who sends, and who kills."""

from __future__ import annotations

import json
import os
import poplib
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater
from twisted.internet.threads import deferToThread

from tests.interop.relay_bed.hosts import Record
from tests.interop.relay_bed.judging import Kill, Verdict, judge
from tests.interop.relay_bed.network import WAITS, ZONE, Network
from tests.interop.relay_bed.sending import Message, Senders
from tests.interop.server import CHECKOUT, HOST, PASSWORD, PATIENCE
from tests.interop.sink import unused_port

__all__ = ["Plan", "Result", "run_bed"]

ALICE = f"alice@{ZONE}"
LEASE = 3
"""Seconds of a lease: those of a killed server run out soon."""

LOOK_EVERY = 0.1
"""Seconds between two looks for signs of life."""

START_PATIENCE = 600
"""Seconds until a server must have started, also where others use all processors."""


@dataclass(frozen=True)
class Plan:
    """The numbers of a run; times are in seconds.

    :ivar kills: how often the server is killed while it works.
    :ivar between: the mean time from when it is ready to the next kill.
    :ivar lifetime: after which a message comes back; longer than it takes to send all, with every kill.
    :ivar hopeless: the same for messages that nobody will ever take.
    :ivar patience: after which the run ends in any case.
    """

    messages: int
    domains: int
    kills: int
    between: float = 1.0
    lifetime: int = 100
    hopeless: int = 6
    retry: int = 1
    sessions: int = 20
    patience: float = 120
    seed: int = 0


@dataclass
class Result:
    """What a run has found."""

    verdict: Verdict
    record: Record
    kills: list[Kill]
    refusals: list[str]
    seconds: float
    accepted_in: float
    traceback: str
    server_log: str = field(repr=False, default="")


class ServerUnderTest:
    """``twistd mailproto`` in a process of its own, always on the same ports."""

    def __init__(self, reactor: Any, network: Network, plan: Plan) -> None:
        self.reactor = reactor
        self.folder = Path(tempfile.mkdtemp(prefix="mailproto-test-"))
        self.smtp, self.pop3 = unused_port(), unused_port()
        self.log = self.folder / "log"
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(CHECKOUT),
            "SSL_CERT_FILE": network.authority,
        }
        bin = Path(sys.executable).parent
        self._mailproto = str(bin / "mailproto")
        options: dict[str, object] = {
            "data": self.data,
            "hostname": f"relay.{ZONE}",
            "domain": ZONE,
            "account": f"{ALICE}:{PASSWORD}",
            "smtp": f"tcp:{self.smtp}:interface={HOST}",
            "pop3": f"tcp:{self.pop3}:interface={HOST}",
            "relay": "mx",
            "relay-from": "127.0.0.0/8",
            "resolver": f"127.0.0.1:{network.dns_port}",
            "mx-port": network.port,
            "retry": plan.retry,
            "lifetime": plan.lifetime,
            "delay-notice": 0,
            "limit": f"relay.lease={LEASE}",
        }
        self._command = [str(bin / "twistd"), "-n", "--pidfile=", "mailproto"]
        for name, value in options.items():
            self._command += [f"--{name}", str(value)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.folder / "data"

    async def start(self) -> None:
        """Begin, and wait until it is ready."""
        output: IO[bytes]
        with self.log.open("ab") as output:
            size = output.tell()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self._environment,
            )
        began = self.reactor.seconds()
        while b"mailproto is ready" not in self.log.read_bytes()[size:]:
            if self._process.poll() is not None or self.reactor.seconds() > began + START_PATIENCE:
                raise AssertionError(f"the server did not start:\n{self.printed()[-3000:]}")
            await deferLater(self.reactor, 0.05)

    def kill(self) -> None:
        """As a power cut does."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    async def end(self) -> None:
        """Ask it to end, and wait."""
        assert self._process is not None
        self._process.terminate()
        await deferToThread(self._process.wait, PATIENCE)

    def printed(self) -> str:
        """All that it has logged."""
        return self.log.read_text(errors="replace")

    def queued(self) -> int:
        """Messages in the queue, as ``mailproto queue`` says."""
        command = [self._mailproto, "queue", "stats", "--data", str(self.data), "--json"]
        done = subprocess.run(command, capture_output=True, check=True, env=self._environment)
        return int(json.loads(done.stdout)["messages"])

    def reports(self) -> list[bytes]:
        """What is in the sender's INBOX."""
        client = poplib.POP3(HOST, self.pop3, timeout=PATIENCE)
        client.user(ALICE)
        client.pass_(PASSWORD)
        number = client.stat()[0]
        found = [b"\r\n".join(client.retr(at + 1)[1]) for at in range(number)]
        client.quit()
        return found


class Signs:
    """When the server has committed something, as far as one sees who looks now and then.

    :ivar times: seconds of the reactor's time, which is the system's, ascending.
    """

    def __init__(self, server: ServerUnderTest) -> None:
        self._log = server.data / "mail.sqlite3-wal"
        self.times: list[float] = []

    def look(self) -> None:
        """Note the latest commit."""
        with suppress(FileNotFoundError):
            written = self._log.stat().st_mtime
            if written not in self.times[-1:]:
                self.times.append(written)


def _messages(
    plan: Plan, domains: Sequence[str], chance: random.Random, made: list[Message]
) -> Iterator[Message]:
    """Each domain gets about as many; one in eight messages has three recipients, and one in 50 is large."""
    for number in range(plan.messages):
        first = domains[number % len(domains)]
        is_hopeless = _kind(first) in WAITS
        alike = [each for each in domains if (_kind(each) in WAITS) is is_hopeless]
        others = [alike[(number + at * 7) % len(alike)] for at in (1, 2)] if number % 8 == 0 else []
        recipients = []
        for at, domain in enumerate([first, *others]):
            is_refused = _kind(domain) == "refusing" and chance.random() < 0.5
            recipients.append(f"{'no' if is_refused else 'r'}{at}.{number}@{domain}")
        size = 100_000 if number % 50 == 0 else 500
        by = plan.hopeless if is_hopeless else 0
        made.append(Message(f"{number}.{plan.seed}@bed", recipients, size, by))
        yield made[-1]


def _kind(domain: str) -> str:
    return domain.partition("-")[0]


async def _kill_and_start(
    reactor: Any, server: ServerUnderTest, plan: Plan, chance: random.Random, kills: list[Kill]
) -> None:
    for _ in range(plan.kills):
        signs = Signs(server)
        looking = LoopingCall(signs.look)
        looking.clock = reactor
        looking.start(LOOK_EVERY)
        await deferLater(reactor, chance.uniform(0.1, 1.9) * plan.between)
        looking.stop()
        server.kill()
        at = reactor.seconds()
        signs.look()
        await server.start()
        kills.append(Kill.of(at, signs.times, reactor.seconds()))


async def run_bed(reactor: Any, plan: Plan) -> Result:
    """Send all, kill, wait until the queue is empty, and judge.

    :raises AssertionError: the queue is not empty when patience ends, or a server does not start.
    """
    began = reactor.seconds()
    chance = random.Random(plan.seed)
    record = Record(reactor)
    network = Network(reactor, record, plan.domains)
    kills: list[Kill] = []
    made: list[Message] = []
    server: ServerUnderTest | None = None
    try:
        network.start()
        server = ServerUnderTest(reactor, network, plan)
        await server.start()
        started = reactor.seconds()
        senders = Senders(reactor, server.smtp, _messages(plan, network.names(), chance, made), plan.sessions)
        sending = gatherResults(senders.start(), consumeErrors=True)
        killing = Deferred.fromCoroutine(_kill_and_start(reactor, server, plan, chance, kills))
        await sending
        accepted_in = reactor.seconds() - started
        await killing
        while (left := await deferToThread(server.queued)) > 0:
            if reactor.seconds() > began + plan.patience:
                raise AssertionError(f"{left} messages stay in the queue:\n{server.printed()[-5000:]}")
            await deferLater(reactor, 0.5)
        await _postfix_is_done(reactor, record, plan)
        seconds = reactor.seconds() - started
        reports = await deferToThread(server.reports)
        await server.end()
        verdict = judge(made, record, reports, kills)
        printed = server.printed()
        traceback = printed[printed.find("Traceback") :][:3000] if "Traceback" in printed else ""
        return Result(verdict, record, kills, senders.refusals, seconds, accepted_in, traceback, printed)
    finally:
        if server is not None:
            server.kill()
            shutil.rmtree(server.folder, ignore_errors=True)
        await network.stop()


async def _postfix_is_done(reactor: Any, record: Record, plan: Plan) -> None:
    """Wait until Postfix has brought on what it has taken."""
    number = -1
    while number != record.number:
        number = record.number
        await deferLater(reactor, 1.0 if plan.messages > 1000 else 0.5)
