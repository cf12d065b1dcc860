"""`running_server`: in the running reactor, in asyncio, and in a thread for code that blocks."""

from __future__ import annotations

import imaplib
import os
import poplib
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
import time
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.auth import hash_password, password_portal, store_portal
from mailproto.backends import MemoryStore, SimpleMailbox, SingleStore
from mailproto.client import ServerAddress
from mailproto.errors import RecipientUnknown
from mailproto.imap import IMAPServerFactory
from mailproto.pop3 import POP3ServerFactory
from mailproto.smtp import SMTPClient, SMTPServerFactory, send_mail
from mailproto.smtp.lmtp import LMTPServerFactory
from mailproto.testing import ReceivedMessage, RecordingDelivery, running_server, wait_for_message
from mailproto.tls import ensure_self_signed, server_tls
from tests.processes import CHECKOUT

MESSAGE = "Subject: Hello\n\nIt works.\n"


def send(address: tuple[str, int], subject: str = "Hello") -> None:
    with smtplib.SMTP(*address, timeout=10) as client:
        client.sendmail("a@x.example", ["b@y.example"], f"Subject: {subject}\n\nIt works.\n")


def is_open(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, 5).close()
    except ConnectionRefusedError:
        return False
    return True


class InTheReactorTests(TestCase):
    """What a trial user writes."""

    async def test_async_with(self) -> None:
        inbox = RecordingDelivery()
        async with running_server(SMTPServerFactory(inbox)) as server:
            address = ServerAddress(*server.address, tls="none")
            await send_mail(
                installed, address, MESSAGE.encode(), sender="a@x.example", recipients=["b@y.example"]
            )
        self.assertEqual(inbox.messages[0].message["Subject"], "Hello")
        self.assertEqual(inbox.messages[0].sender, "a@x.example")
        self.assertEqual(inbox.messages[0].recipients, ["b@y.example"])
        self.assertRaises(RuntimeError, lambda: server.port)

    async def test_await_and_clean_up(self) -> None:
        server = await running_server(SMTPServerFactory(RecordingDelivery()))
        client = await SMTPClient.connect(installed, server.endpoint(installed), hostname="c.example")
        await client.ehlo()
        # The client stays connected: stopping the server ends it, and leaves the reactor clean.
        self.addCleanup(client.closed)
        self.addCleanup(server.aclose)

    async def test_several_and_one_twice(self) -> None:
        inbox = RecordingDelivery()
        server = running_server(SMTPServerFactory(inbox), LMTPServerFactory(inbox))
        for _ in range(2):
            async with server:
                self.assertEqual(len(set(server.ports)), 2)
                self.assertEqual(server.port, server.ports[0])
                self.assertEqual(server.addresses, [("127.0.0.1", port) for port in server.ports])
                await deferToThread(send, server.address)
        self.assertEqual(len(inbox.messages), 2)

    async def test_the_error_of_a_test_is_its_own(self) -> None:
        with self.assertRaises(ZeroDivisionError):
            async with running_server(SMTPServerFactory(RecordingDelivery())) as server:
                address = server.address
                raise ZeroDivisionError
        self.assertFalse(is_open(address))

    async def test_a_portal_that_was_in_the_thread_before(self) -> None:
        """It gets the reactor that serves it now: a result that comes to another one never arrives."""
        store = SingleStore("alice", hash_password("secret"), SimpleMailbox())
        server = running_server(POP3ServerFactory(store_portal(store, installed)))
        answers: list[bytes] = []

        def sign_in() -> None:
            pop3 = poplib.POP3(*server.address, timeout=10)
            pop3.user("alice")
            answers.append(pop3.pass_("secret"))
            pop3.quit()

        def blocking() -> None:
            with server:
                sign_in()

        for _ in range(2):
            await deferToThread(blocking)
            async with server:
                await deferToThread(sign_in)
        self.assertEqual([answer[:3] for answer in answers], [b"+OK"] * 4)

    async def test_waiting_here_for_a_server_in_the_thread(self) -> None:
        inbox = RecordingDelivery()
        server = running_server(SMTPServerFactory(inbox)).start()
        self.addCleanup(server.stop)
        sending = deferToThread(send, server.address)
        self.assertEqual((await wait_for_message(inbox)).message["Subject"], "Hello")
        await sending

    async def test_what_cannot_be_served(self) -> None:
        for wrong, hint in (
            ((), "servers must be one factory or more"),
            ((None,), "each of servers must be a factory, or a function that makes one, not None"),
            (("smtp",), "not 'smtp'"),
            ((RecordingDelivery(),), "SMTPServerFactory(delivery)"),
            ((SMTPServerFactory,), "write SMTPServerFactory(...)"),
        ):
            self.assertIn(hint, str(self.assertRaises(TypeError, running_server, *wrong)))
        self.assertIn(
            "await it", str(self.assertRaises(RuntimeError, lambda: running_server(lambda: None).address))
        )
        server = running_server(lambda: None)
        with self.assertRaises(TypeError):
            await server
        server = running_server(SMTPServerFactory(RecordingDelivery()), host="192.0.2.1")
        with self.assertRaises(CannotListenError):
            await server

    async def test_tls_from_the_first_octet(self) -> None:
        folder = self.mktemp()
        os.mkdir(folder)
        pair = ensure_self_signed(folder, "localhost")
        served = TLSMemoryBIOFactory(server_tls(*pair), False, SMTPServerFactory(RecordingDelivery()))
        context = ssl.create_default_context(cafile=pair[0])

        def begin() -> smtplib.SMTP_SSL:
            client = smtplib.SMTP_SSL("localhost", server.port, timeout=10, context=context)
            self.assertEqual(client.ehlo()[0], 250)
            return client

        server = running_server(served)
        for _ in range(2):
            async with server:
                client = await deferToThread(begin)
            self.assertEqual(served.wrappedFactory.connections, set())
            client.close()

    async def test_another_factory(self) -> None:
        class Hello(Protocol):
            def connectionMade(self) -> None:
                self.transport.write(b"hello")
                self.transport.loseConnection()

        async with running_server(Factory.forProtocol(Hello)) as server:

            def read() -> bytes:
                with socket.create_connection(server.address, 5) as client:
                    return client.recv(5)

            self.assertEqual(await deferToThread(read), b"hello")


class InAThreadTests(SynchronousTestCase):
    """What a user of smtplib and imaplib writes; here trial has the reactor, so the thread has another."""

    def test_start_stop_and_again(self) -> None:
        inbox = RecordingDelivery()
        server = running_server(SMTPServerFactory(inbox))
        for number in range(1, 4):
            with server:
                address = server.address
                send(address)
            self.assertEqual(len(inbox.messages), number)
            self.assertFalse(is_open(address))
        server.start()
        send(server.address)
        server.stop()
        server.stop()
        self.assertEqual(len(inbox.messages), 4)

    def test_one_thread_for_all(self) -> None:
        def servers() -> list[threading.Thread]:
            return [each for each in threading.enumerate() if each.name == "mailproto-testing"]

        with running_server(SMTPServerFactory(RecordingDelivery())):
            with running_server(SMTPServerFactory(RecordingDelivery())) as other:
                send(other.address)
            self.assertEqual(len(servers()), 1)

    def test_imap_and_pop3_with_a_portal_of_the_installed_reactor(self) -> None:
        mailbox = SimpleMailbox()
        mailbox.add(MESSAGE.encode())
        store = SingleStore("alice", hash_password("secret"), mailbox)
        portal = store_portal(store, installed)
        with running_server(IMAPServerFactory(portal), POP3ServerFactory(portal)) as server:
            imap = imaplib.IMAP4(*server.addresses[0], timeout=10)
            imap.login("alice", "secret")
            self.assertEqual(imap.select("INBOX"), ("OK", [b"1"]))
            with self.assertRaises(imaplib.IMAP4.error):
                imaplib.IMAP4(*server.addresses[0], timeout=10).login("alice", "wrong")
            pop3 = poplib.POP3(*server.addresses[1], timeout=10)
            pop3.user("alice")
            pop3.pass_("secret")
            self.assertEqual(pop3.stat()[0], 1)

    def test_smtp_auth_with_a_portal_of_the_installed_reactor(self) -> None:
        portal = password_portal({"alice": "secret"})
        inbox = RecordingDelivery()
        factory = SMTPServerFactory(inbox, portal=portal, auth_required=True)
        with running_server(factory) as server, smtplib.SMTP(*server.address, timeout=10) as client:
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                client.login("alice", "wrong")
            client.login("alice", "secret")
            client.sendmail("a@x.example", ["b@y.example"], MESSAGE)
        envelope = inbox.messages[0].envelope
        self.assertEqual(envelope.session.account, "alice")

    def test_a_function_makes_it_with_the_reactor_of_the_thread(self) -> None:
        made: list[Any] = []
        inbox = RecordingDelivery()

        def make(reactor: Any) -> SMTPServerFactory:
            made.append((reactor, threading.current_thread().name))
            return SMTPServerFactory(inbox, clock=reactor)

        async def make_later() -> SMTPServerFactory:
            return SMTPServerFactory(inbox)

        server = running_server(make, make_later, lambda: SMTPServerFactory(inbox))
        for _ in range(2):
            with server:
                for address in server.addresses:
                    send(address)
                self.assertIsNot(server.factories[0].clock, installed)
        self.assertEqual(len(inbox.messages), 6)
        self.assertEqual({name for _, name in made}, {"mailproto-testing"})

    def test_a_call_in_the_thread(self) -> None:
        store = MemoryStore()
        with running_server(SMTPServerFactory(RecordingDelivery())) as server:
            server.call(store.directory.add, "alice", "")
            self.assertEqual(list(server.call(store.directory.names)), ["alice"])
            self.assertEqual(server.call(threading.current_thread).name, "mailproto-testing")
            self.assertRaises(ZeroDivisionError, server.call, lambda: 1 / 0)
            self.assertRaises(RuntimeError, server.call, server.stop)
        self.assertRaises(RuntimeError, running_server(SMTPServerFactory(RecordingDelivery())).call, print)

    def test_clients_that_stay_do_not_keep_it(self) -> None:
        with running_server(SMTPServerFactory(RecordingDelivery())) as server:
            idle = [socket.create_connection(server.address, 5) for _ in range(5)]
            half = smtplib.SMTP(*server.address, timeout=10)
            half.ehlo()
            half.mail("a@x.example")
            began = time.monotonic()
        self.assertLess(time.monotonic() - began, 5)
        for each in idle:
            each.close()
        half.close()

    def test_a_delivery_that_never_ends_does_not_keep_it(self) -> None:
        from twisted.internet.defer import Deferred

        class Stuck(RecordingDelivery):
            async def deliver(self, envelope: Any, content: Any) -> Any:
                await Deferred()

        with running_server(SMTPServerFactory(Stuck())) as server:
            client = smtplib.SMTP(*server.address, timeout=0.3)
            with self.assertRaises(OSError):
                client.sendmail("a@x.example", ["b@y.example"], MESSAGE)
            began = time.monotonic()
        self.assertLess(time.monotonic() - began, 5)
        client.close()

    def test_refusals(self) -> None:
        inbox = RecordingDelivery({"nobody@y.example": RecipientUnknown()})
        with running_server(SMTPServerFactory(inbox)) as server, smtplib.SMTP(*server.address) as client:
            with self.assertRaises(smtplib.SMTPRecipientsRefused):
                client.sendmail("a@x.example", ["nobody@y.example"], MESSAGE)
            client.sendmail("a@x.example", ["b@y.example"], MESSAGE)
        self.assertEqual(len(inbox.messages), 1)


class WaitingTests(SynchronousTestCase):
    def test_for_a_delivery(self) -> None:
        inbox = RecordingDelivery()
        with running_server(SMTPServerFactory(inbox)) as server:
            timer = threading.Timer(0.1, send, (server.address, "first"))
            timer.start()
            found = server.wait_for_message(inbox)
            timer.join()
            self.assertEqual(found.message["Subject"], "first")
            timer = threading.Timer(0.1, send, (server.address, "second"))
            timer.start()
            found = server.wait_for_message(inbox, lambda message: message["Subject"] == "second")
            timer.join()
            self.assertEqual(found, inbox.messages[1])
            error = self.assertRaises(
                AssertionError, server.wait_for_message, inbox, lambda message: False, timeout=0.1
            )
            self.assertIn("these 2 came:\n  Subject: first\n  Subject: second", str(error))

    def test_for_a_mailbox(self) -> None:
        mailbox = SimpleMailbox()
        with running_server(SMTPServerFactory(RecordingDelivery())) as server:
            timer = threading.Timer(0.1, lambda: server.call(mailbox.add, MESSAGE.encode()))
            timer.start()
            found = server.wait_for_message(mailbox)
            timer.join()
            self.assertEqual(found, ReceivedMessage(MESSAGE.replace("\n", "\r\n").encode(), uid=1))
            self.assertRaises(TypeError, server.wait_for_message, [])


class WaitingInTheReactorTests(TestCase):
    async def test_it_is_there_already_or_comes(self) -> None:
        mailbox = SimpleMailbox()
        installed.callLater(0.05, mailbox.add, MESSAGE.encode())  # type: ignore[attr-defined]
        self.assertEqual((await wait_for_message(mailbox)).uid, 1)
        self.assertEqual((await wait_for_message(mailbox)).uid, 1)
        with self.assertRaises(AssertionError):
            await wait_for_message(mailbox, lambda message: message["Subject"] == "x", timeout=0.05)


ASYNCIO = """
import asyncio, smtplib
from mailproto.smtp import SMTPServerFactory
from mailproto.testing import RecordingDelivery, running_server, wait_for_message

async def main():
    inbox = RecordingDelivery()
    async with running_server(SMTPServerFactory(inbox)) as server:
        def send():
            with smtplib.SMTP(*server.address, timeout=10) as client:
                client.sendmail("a@x.example", ["b@y.example"], "Subject: Hello\\n\\nx")
        sending = asyncio.ensure_future(asyncio.to_thread(send))
        found = await wait_for_message(inbox)
        await sending
        print(found.message["Subject"], flush=True)
        try:
            await wait_for_message(inbox, lambda message: False, timeout=0.05)
        except AssertionError:
            print("none", flush=True)
"""

THREAD = """
import asyncio, smtplib, threading
from twisted.internet.threads import deferToThread
from mailproto.delivery import FunctionDelivery
from mailproto.smtp import SMTPServerFactory
from mailproto.testing import running_server

async def deliver(envelope, content):
    print(await deferToThread(lambda: content[-3:]), flush=True)
    SLEEP

for _ in range(2):
    with running_server(SMTPServerFactory(FunctionDelivery(deliver))) as server:
        with smtplib.SMTP(*server.address, timeout=10) as client:
            client.sendmail("a@x.example", ["b@y.example"], "Subject: Hello\\n\\nx")
"""


class ProgramTests(SynchronousTestCase):
    """In a process of its own, which must also end."""

    def run_program(self, program: str, *flags: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", *flags, "-c", program],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def test_a_script_without_a_reactor(self) -> None:
        """The thread runs the installed reactor, so that all of Twisted works in a delivery."""
        self.assertEqual(self.run_program(THREAD.replace("SLEEP", "")), "b'x\\r\\n'\n" * 2)

    def test_asyncio_without_twisted(self) -> None:
        self.assertEqual(self.run_program(ASYNCIO + "\nasyncio.run(main())"), "Hello\nnone\n")

    def test_asyncio_that_runs_the_reactor(self) -> None:
        program = """
from twisted.internet import asyncioreactor
import asyncio
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
asyncioreactor.install(loop)
from twisted.internet import reactor
"""
        inside = "\nreactor.startRunning(False)\nloop.run_until_complete(main())\n"
        self.assertEqual(self.run_program(program + ASYNCIO + inside), "Hello\nnone\n")

    def test_the_thread_has_a_loop_if_the_installed_reactor_is_asyncios(self) -> None:
        """So a delivery's coroutine may await what is asyncio's there, too."""
        program = "from twisted.internet import asyncioreactor\nasyncioreactor.install()\n" + THREAD.replace(
            "print(await deferToThread(lambda: content[-3:]), flush=True)", "print(content[-3:], flush=True)"
        ).replace("SLEEP", "await asyncio.sleep(0.01)")
        # The installed reactor does not close its own loop.
        self.assertEqual(self.run_program(program, "-W", "ignore::ResourceWarning"), "b'x\\r\\n'\n" * 2)

    def test_an_error_in_the_main_thread_ends_the_process(self) -> None:
        program = THREAD.replace("SLEEP", "") + "\nserver.start()\nraise SystemExit(0)"
        self.assertEqual(self.run_program(program), "b'x\\r\\n'\n" * 2)
