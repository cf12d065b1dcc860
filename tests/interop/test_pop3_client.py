"""Our POP3 client with the servers of Dovecot and Courier, and with our own."""

from __future__ import annotations

import io
import os
import shutil
import smtplib
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.internet.endpoints import ProcessEndpoint
from twisted.trial.unittest import SkipTest, TestCase

from mailproto.auth import Password
from mailproto.client import ServerAddress
from mailproto.client.errors import AuthenticationRefused, CommandRefused
from mailproto.pop3 import POP3Client
from tests.interop import server as ours
from tests.interop.daemons import PASSWORD, Daemon, dovecot_pop3

reactor: Any = installed

MESSAGES = [
    b"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\n\r\n",
    b"Subject: nothing\r\n\r\n",
    b"Subject: long\r\n\r\n" + b"x" * 998 + b"\r\n" + b".y" * 20_000 + b"\r\n",
    b"Subject: 8 bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n",
    *(b"Subject: %d\r\n\r\n%b\r\n" % (number, b"." * number) for number in range(100)),
]


class DovecotTests(TestCase):
    timeout = 30
    daemon: Daemon

    def setUp(self) -> None:
        self.daemon = dovecot_pop3()
        self.maildir = self.daemon.folder / "mail/alice/Maildir"
        shutil.rmtree(self.maildir, ignore_errors=True)

    def deliver(self, messages: list[bytes]) -> None:
        for name in ("tmp", "cur", "new"):
            (self.maildir / name).mkdir(parents=True)
        for number, octets in enumerate(messages):
            file = self.maildir / f"new/{1000 + number}.{number:04}.host"
            file.write_bytes(octets.replace(b"\r\n", b"\n"))
        for folder, _, files in os.walk(self.daemon.folder / "mail"):
            for name in (folder, *(Path(folder) / file for file in files)):
                shutil.chown(name, "mail", "mail")

    def address(self, password: str = PASSWORD, **more: Any) -> ServerAddress:
        more.setdefault("trust_root", self.daemon.folder / "tls-cert.pem")
        return ServerAddress("localhost", self.daemon.port, credentials=Password("alice", password), **more)

    async def test_every_way_to_sign_in(self) -> None:
        ways = ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN", "APOP", "USER")
        for way in ways:
            client = await POP3Client.open(reactor, ServerAddress("localhost", self.daemon.port, tls="none"))
            self.assertEqual(await client.authenticate(Password("alice", PASSWORD), mechanism=way), way)
            self.assertEqual(await client.stat(), (0, 0))
            await client.commit()

    async def test_with_tls(self) -> None:
        client = await POP3Client.open(reactor, self.address())
        self.assertTrue(client.is_verified)
        self.assertIn("PIPELINING", client.capabilities)
        await client.quit()

    async def test_a_wrong_password(self) -> None:
        opening = ensureDeferred(POP3Client.open(reactor, self.address("wrong")))
        error: Any = await self.assertFailure(opening, AuthenticationRefused)
        self.assertTrue(error.is_permanent)

    async def test_messages(self) -> None:
        self.deliver(MESSAGES)
        for pipelining in (True, False):
            client = await POP3Client.open(reactor, self.address(), pipelining=pipelining)
            await self._read(client)
            await client.quit()
        client = await POP3Client.open(reactor, self.address())
        await gatherResults([client.dele(number) for number in range(1, len(MESSAGES))])
        await self.assertFailure(client.retr(1), CommandRefused)
        await client.commit()
        client = await POP3Client.open(reactor, self.address())
        self.assertEqual((await client.stat())[0], 1)
        self.assertEqual(await client.retr(1), MESSAGES[-1])
        client.abort()

    async def _read(self, client: POP3Client) -> None:
        numbers = range(1, len(MESSAGES) + 1)
        sizes = await client.list()
        self.assertEqual(list(sizes.values()), list(map(len, MESSAGES)))
        self.assertEqual((await client.stat()), (len(MESSAGES), sum(map(len, MESSAGES))))
        self.assertEqual(len(set((await client.uidl()).values())), len(MESSAGES))
        self.assertEqual(await gatherResults([client.retr(number) for number in numbers]), MESSAGES)
        file = io.BytesIO()
        self.assertEqual(await client.save(3, file), len(MESSAGES[2]))
        self.assertEqual(file.getvalue(), MESSAGES[2])
        async with client.stream(3) as pieces:
            self.assertEqual(b"".join([piece async for piece in pieces]), MESSAGES[2])
        self.assertEqual(await client.top(1, 2), MESSAGES[0][:24])


class CourierTests(TestCase):
    """The part of Courier's server that comes after the login, over pipes: what it says first greets."""

    timeout = 30

    def setUp(self) -> None:
        unpacked = os.environ.get("MAILPROTO_TEST_MTAS", "")
        self.program = Path(unpacked, "usr/lib/courier/courier/courierpop3d")
        if not self.program.exists():
            raise SkipTest("needs Courier's POP3 server unpacked in MAILPROTO_TEST_MTAS: see .ci/run")
        self.libraries = {str(file.parent) for file in Path(unpacked, "usr/lib").rglob("libcourier*.so*")}
        self.maildir = Path(self.mktemp()).resolve()
        for name in ("tmp", "cur", "new"):
            (self.maildir / name).mkdir(parents=True)
        for number, octets in enumerate(MESSAGES):
            file = self.maildir / f"new/{1000 + number}.{number:04}.host"
            file.write_bytes(octets.replace(b"\r\n", b"\n"))

    async def connect(self) -> POP3Client:
        env = {"AUTHENTICATED": "alice", "LD_LIBRARY_PATH": ":".join(self.libraries)}
        endpoint = ProcessEndpoint(
            reactor, self.program, [self.program, self.maildir.name], env, path=self.maildir.parent
        )
        client = await POP3Client.connect(reactor, endpoint)
        self.assertEqual(str(client.greeting), "+OK logged in.")
        await client.capa()
        self.assertIn("PIPELINING", client.capabilities)
        return client

    async def test_messages(self) -> None:
        client = await self.connect()
        sizes = await client.list()
        self.assertEqual(list(sizes.values()), list(map(len, MESSAGES)))
        self.assertEqual(await client.stat(), (len(MESSAGES), sum(map(len, MESSAGES))))
        self.assertEqual(len(set((await client.uidl()).values())), len(MESSAGES))
        self.assertEqual(list(await client.uidl(2)), [2])
        self.assertEqual(await gatherResults([client.retr(number) for number in sizes]), MESSAGES)
        self.assertEqual(await client.top(1, 1), MESSAGES[0][:20])
        await self.assertFailure(client.retr(999), CommandRefused)
        await gatherResults([client.dele(number) for number in sizes])
        await client.commit()
        client = await self.connect()
        self.assertEqual(await client.stat(), (0, 0))
        await client.quit()


class OwnServerTests(TestCase):
    timeout = 30

    async def test_messages(self) -> None:
        server, name = ours.emptied(ours.shared()), ours.ACCOUNTS[0]
        with smtplib.LMTP(ours.HOST, server.ports["lmtp"], timeout=ours.PATIENCE) as lmtp:
            for octets in MESSAGES:
                lmtp.sendmail("bob@example.com", [name], octets)
        address = ServerAddress(
            "localhost",
            server.ports["pop3"],
            credentials=Password(name, ours.PASSWORD),
            trust_root=server.certificate,
        )
        client = await POP3Client.open(reactor, address)
        self.assertEqual((client.is_verified, client.authenticated_by), (True, "SCRAM-SHA-256"))
        sizes = await client.list()
        messages = await gatherResults([client.retr(number) for number in sizes])
        self.assertEqual([len(message) for message in messages], list(sizes.values()))
        for sent, message in zip(MESSAGES, messages, strict=True):
            self.assertTrue(message.endswith(sent))
        await gatherResults([client.dele(number) for number in sizes])
        await client.commit()
        client = await POP3Client.open(reactor, address)
        self.assertEqual(await client.stat(), (0, 0))
        await client.quit()
