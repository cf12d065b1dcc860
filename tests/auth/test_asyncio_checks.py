"""`password_portal` on asyncio's reactor: its function may wait for what is asyncio's."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.processes import CHECKOUT

PROGRAM = """
import asyncio, smtplib, time
from twisted.internet import asyncioreactor
asyncioreactor.install()
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from mailproto.auth import password_portal
from mailproto.delivery import FunctionDelivery
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits

def slow(username, password):
    time.sleep(0.01)
    return (username, password) == ("alice", "secret")

async def in_task(username, password):
    async with asyncio.timeout(5):
        await deferLater(reactor, 0.01)
        return await asyncio.to_thread(slow, username, password)

def future(username, password):
    return asyncio.ensure_future(asyncio.to_thread(slow, username, password))

def sign_in(port):
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        try:
            client.login("alice", "wrong")
        except smtplib.SMTPAuthenticationError as error:
            assert error.smtp_code == 535, error
        else:
            raise AssertionError("a wrong password")
        client.login("alice", "secret")

async def main():
    for check in (in_task, future):
        factory = SMTPServerFactory(
            FunctionDelivery(lambda envelope, content: None),
            portal=password_portal(check), auth_required=True, limits=SMTPLimits(failure_delay=0.1),
        )
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        await asyncio.to_thread(sign_in, port.getHost().port)
        port.stopListening()
    print("done")

def start():
    task = asyncio.ensure_future(main())
    task.add_done_callback(lambda _: reactor.stop())
    tasks.append(task)

tasks = []
reactor.callWhenRunning(start)
reactor.run()
tasks[0].result()
"""


class AsyncioTests(SynchronousTestCase):
    def test_functions(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((done.stdout, done.returncode), ("done\n", 0), done.stderr)
