"""Handlers that wait for what is asyncio's, under Twisted's reactor for that."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.processes import CHECKOUT

PROGRAM = """
import asyncio, smtplib, sys
from contextvars import ContextVar
from twisted.internet import asyncioreactor
asyncioreactor.install()
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from mailproto.delivery import Delivery, accepted
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits
from twisted.internet.defer import Deferred, ensureDeferred, fail, succeed
from twisted.internet.task import deferLater

who = ContextVar("who", default="nobody")
seen, cancelled = [], []

class Slow(Delivery):
    def sender(self, session, path, parameters):
        who.set(str(path))
        return asyncio.ensure_future(asyncio.sleep(0.01))  # a task of asyncio's

    async def recipient(self, session, path, parameters):
        async with asyncio.timeout(5):  # needs a task
            await deferLater(reactor, 0.01)  # of Twisted
            await asyncio.sleep(0.01)
        try:
            await fail(ZeroDivisionError())
        except ZeroDivisionError:
            pass
        assert await succeed("a result") == "a result"
        assert await deferLater(reactor, 0.001, lambda: "a result") == "a result"
        if str(path).startswith("slow"):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append("asyncio")
                raise
        if str(path).startswith("deferred"):
            await Deferred(lambda _: cancelled.append("Twisted"))
        seen.append(who.get() + " to " + str(path))

    async def deliver(self, envelope, content):
        await asyncio.gather(asyncio.sleep(0.01), asyncio.sleep(0.02))
        seen.append(who.get())
        await asyncio.sleep(0)
        return accepted(envelope)

def send(port, name):
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        refused = client.sendmail(
            name, ["to." + name, "slow." + name, "deferred." + name], b"Subject: x\\r\\n\\r\\nx\\r\\n")
        assert {reply[0] for reply in refused.values()} == {451}, refused
        assert len(refused) == 2, refused

async def main():
    port = reactor.listenTCP(
        0, SMTPServerFactory(Slow(), limits=SMTPLimits(delivery=0.5)), interface="127.0.0.1")
    names = [f"{number}.test" for number in range(5)]
    sending = [deferToThread(send, port.getHost().port, "a@" + name) for name in names]
    for each in sending:
        await each
    await port.stopListening()
    print(sorted(seen), who.get(), sorted(set(cancelled)), len(cancelled))

done = ensureDeferred(main())
done.addErrback(lambda failure: failure.printTraceback(sys.stdout))
done.addCallback(lambda _: reactor.stop())
reactor.run()
"""


class AsyncioReactorTests(SynchronousTestCase):
    def test_tasks_futures_and_sleep(self) -> None:
        """And each client's context is its own, also with this reactor, which hands contexts on."""
        environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
        python = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(
            python, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        names = [f"a@{number}.test" for number in range(5)]
        expected = sorted([*names, *(f"{name} to to.{name}" for name in names)])
        self.assertEqual(done.stdout, f"{expected} nobody ['Twisted', 'asyncio'] 10\n", done.stderr)
