"""A queue on a disk that is really full: what was accepted leaves once, and reports are not lost."""

from __future__ import annotations

import poplib
import smtplib
import time
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.durability.test_full_disk import FULL, MIB, SMALL, fill_with_something_else, mounted
from tests.interop.relay_bed.hosts import HostFactory, Record, Refusing
from tests.interop.server import ACCOUNTS, HOST, PASSWORD, PATIENCE, Server
from tests.interop.sink import unused_port

reactor: Any = installed
ALICE = ACCOUNTS[0]
ROOM = 0.6
"""Seconds after which a server looks again whether there is room, and some more."""


class FullDiskRelayTests(TestCase):
    timeout = 300

    def setUp(self) -> None:
        self.port = unused_port()
        self.folder = mounted(self, 8 * MIB)
        options = [f"--route=there.example=smtp://{HOST}:{self.port}", f"--relay-from={HOST}"]
        self.server = Server(
            self.folder, [ALICE], [*options, "--relay=off", "--retry=1", "--limit=relay.lease=3"]
        )
        self.addCleanup(self.server.kill)
        self.record = Record(reactor)
        self.accepted: list[str] = []

    def send(self, client: smtplib.SMTP) -> bool:
        """Whether a message is accepted; every tenth recipient will be refused elsewhere."""
        number = len(self.accepted)
        to = f"{'no' if number % 10 == 0 else 'r'}{number}@there.example"
        text = f"From: <{ALICE}>\r\nMessage-ID: <{number}@test>\r\n\r\n{SMALL}"
        try:
            client.sendmail(ALICE, [to], text.encode())
        except smtplib.SMTPResponseException as error:
            self.assertEqual((error.smtp_code, error.smtp_error), (FULL[0], FULL[1].encode()))
            return False
        self.accepted.append(to)
        return True

    def send_some(self, number: int) -> int:
        """How many of these messages are accepted."""
        with smtplib.SMTP(HOST, self.server.ports["smtp"], timeout=PATIENCE) as client:
            return sum(self.send(client) for _ in range(number))

    def fill(self) -> None:
        """Send until nothing more is accepted, now and a little later."""
        while self.send_some(50) or (time.sleep(ROOM) or self.send_some(1)):  # type: ignore[func-returns-value]
            pass

    def open_destination(self) -> None:
        """From now on, mail can leave."""
        port = reactor.listenTCP(self.port, HostFactory(Refusing, self.record, reactor), interface=HOST)
        self.addCleanup(port.stopListening)

    def reports(self) -> list[str]:
        """The recipients that reports in alice's mailbox are about."""
        client = poplib.POP3(HOST, self.server.ports["pop3"], timeout=PATIENCE)
        client.user(ALICE)
        client.pass_(PASSWORD)
        texts = [b"\n".join(client.retr(number + 1)[1]).decode() for number in range(client.stat()[0])]
        client.quit()
        lines = [line for text in texts for line in text.splitlines() if line.startswith("Final-Recipient:")]
        return [line.partition(";")[2].strip() for line in lines]

    async def until(self, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + 2 * PATIENCE
        while not await deferToThread(is_so):
            self.assertLess(time.monotonic(), end, self.server.printed())
            await deferLater(reactor, 0.1)

    async def assert_each_left_once(self) -> None:
        refused = sorted(to for to in self.accepted if to.startswith("no"))
        await self.until(lambda: len(self.record.arrivals) + len(self.reports()) >= len(self.accepted))
        await deferLater(reactor, 2)  # some retries
        arrived = sorted(to for _, to in self.record.arrivals)
        self.assertEqual(sorted([*arrived, *refused]), sorted(self.accepted))
        self.assertEqual({len(each) for each in self.record.arrivals.values()}, {1})
        self.assertEqual(sorted(await deferToThread(self.reports)), refused)
        self.assertNotIn("Traceback", self.server.printed())

    async def test_the_queue_fills_the_disk(self) -> None:
        await deferToThread(self.fill)
        self.assertGreater(len(self.accepted), 150)
        self.open_destination()
        await self.assert_each_left_once()
        self.assertEqual(await deferToThread(self.send_some, 20), 20)

    async def test_it_is_killed_meanwhile(self) -> None:
        """Mail of which the final reply could not be noted may come twice, and is not lost."""
        await deferToThread(self.send_some, 30)
        other = fill_with_something_else(self.folder)
        self.open_destination()
        await deferLater(reactor, 1)
        self.server.kill()
        other.unlink()
        await deferToThread(self.server.start)
        refused = {to for to in self.accepted if to.startswith("no")}
        arrived = set(self.accepted) - refused
        await self.until(lambda: {to for _, to in self.record.arrivals} == arrived)
        await self.until(lambda: sorted(self.reports()) == sorted(refused))
