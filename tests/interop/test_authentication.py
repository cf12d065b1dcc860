"""Our client signs in to Exim, to Postfix with Dovecot's SASL and to our server, by all that they offer."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar, Literal

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.trial.unittest import TestCase

from mailproto.auth import Certificate, Password, Token
from mailproto.client import ServerAddress
from mailproto.client.errors import AuthenticationRefused
from mailproto.smtp import SMTPClient, SMTPSender, send_mail
from mailproto.smtp.errors import AllRefused
from mailproto.tls import client_tls
from tests.interop.daemons import PASSWORD, Daemon, authority, bearer_token, exim, postfix_with_users
from tests.interop.server import ACCOUNTS, HOST, Server, message, new_folder, shared
from tests.interop.server import PASSWORD as OUR_PASSWORD
from tests.interop.sink import HOSTNAME, Sink, certificate, reactor
from tests.tls.certificates import make_certificate, to_be_shown

ALICE = Password("alice", PASSWORD)
LISTENERS: tuple[tuple[str, Literal["required", "implicit"]], ...] = (
    ("submission", "required"),
    ("submissions", "implicit"),
)
PASSWORD_MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN")
SENDER = "bob@plain.test"
MEMBERS = "members@plain.test"


class Tests:
    """What our client can do with each of them."""

    class AuthenticationTests(TestCase):
        start: ClassVar[Callable[[], Daemon]]
        mechanisms: ClassVar[tuple[str, ...]]
        daemon: Daemon

        def setUp(self) -> None:
            self.daemon = type(self).start()
            self.endpoint = TCP4ClientEndpoint(reactor, HOST, self.daemon.port)

        async def client(self, *, tls: bool) -> SMTPClient:
            client = await SMTPClient.connect(reactor, self.endpoint, hostname="client.test")
            self.addCleanup(client.quit)
            await client.ehlo()
            if tls:
                await client.starttls(client_tls(HOSTNAME, trust_root=certificate()[0]))
            return client

        def server_address(self, credentials: Any) -> ServerAddress:
            return ServerAddress(
                HOSTNAME,
                endpoint=self.endpoint,
                trust_root=certificate()[0],
                credentials=credentials,
            )

        async def test_each_mechanism(self) -> None:
            """In plaintext on loopback, and in TLS; what is for members is taken then, and not before."""
            sink = Sink(self, tls=None)
            for tls in (False, True):
                for mechanism in self.mechanisms:
                    with self.subTest(mechanism=mechanism, tls=tls):
                        client = await self.client(tls=tls)
                        _, octets = message()
                        [before] = await client.send(SENDER, [MEMBERS], octets)
                        self.assertEqual(before.code // 10, 55)
                        self.assertEqual(await client.authenticate(ALICE, mechanism=mechanism), mechanism)
                        [after] = await client.send(SENDER, [MEMBERS], octets)
                        self.assertEqual(after.code, 250)
                        await sink.arrival()

        async def test_best_mechanism(self) -> None:
            client = await self.client(tls=True)
            self.assertEqual(await client.authenticate(ALICE), self.mechanisms[0])

        async def test_wrong_password(self) -> None:
            """Exim and Postfix are slow to say so, and are asked for all mechanisms at once."""

            async def refused(mechanism: str) -> None:
                client = await self.client(tls=False)
                with self.assertRaises(AuthenticationRefused) as raised:
                    await client.authenticate(Password("alice", "guessed"), mechanism=mechanism)
                self.assertEqual(raised.exception.reply.code, 535)
                self.assertEqual(await client.authenticate(ALICE, mechanism=mechanism), mechanism)

            await gatherResults([Deferred.fromCoroutine(refused(each)) for each in self.mechanisms])

        async def test_an_application_s_message(self) -> None:
            sink = Sink(self, tls=None)
            text = f"From: {SENDER}\nTo: {MEMBERS}\n\nHi.\n"
            with self.assertRaises(AllRefused):
                await send_mail(reactor, self.server_address(None), text)
            await send_mail(reactor, self.server_address(ALICE), text)
            await sink.arrival()

        async def test_a_pool(self) -> None:
            sink = Sink(self, tls=None)
            sender = SMTPSender(reactor, self.server_address(lambda: ALICE), connections=3)
            self.addCleanup(sender.close)
            sent = [sender.send(SENDER, [MEMBERS], message()[1]) for _ in range(10)]
            for each in sent:
                [outcome] = await each
                self.assertEqual(outcome.code, 250)
                await sink.arrival()


class EximTests(Tests.AuthenticationTests):
    start = staticmethod(exim)
    mechanisms = ("CRAM-MD5", "PLAIN", "LOGIN")

    async def test_certificate(self) -> None:
        """Exim compares the authzid with the addresses in the certificate."""
        shown = to_be_shown(make_certificate("alice@client.test", issuer=authority()))
        server = replace(self.server_address(Certificate("alice@client.test")), client_certificate=shown)
        client = await SMTPClient.open(reactor, server)
        self.addCleanup(client.quit)
        self.assertEqual(client.authenticated_by, "EXTERNAL")
        with self.assertRaises(AuthenticationRefused):
            await SMTPClient.open(reactor, replace(server, credentials=Certificate("bob@client.test")))


class PostfixTests(Tests.AuthenticationTests):
    start = staticmethod(postfix_with_users)
    mechanisms = ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN")

    async def test_tokens(self) -> None:
        """One that is over is answered with an error in JSON first."""
        for mechanism in ("OAUTHBEARER", "XOAUTH2"):
            with self.subTest(mechanism=mechanism):
                client = await self.client(tls=True)
                with self.assertRaises(AuthenticationRefused):
                    await client.authenticate(
                        Token("alice", bearer_token("alice", lifetime=-1)), mechanism=mechanism
                    )
                token = Token("alice", bearer_token("alice"))
                self.assertEqual(await client.authenticate(token, mechanism=mechanism), mechanism)


@cache
def bound() -> Server:
    """Our server, which offers -PLUS mechanisms, too."""
    chosen = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", *PASSWORD_MECHANISMS)
    server = Server(new_folder(), ACCOUNTS[:2], [word for name in chosen for word in ("--auth", name)])
    atexit.register(server.kill)
    return server


class OurServerTests(TestCase):
    """The server as users run it, with what its store keeps of a password."""

    def setUp(self) -> None:
        self.server = bound()

    def server_address(self, listener: str, tls: Literal["required", "implicit"]) -> ServerAddress:
        return ServerAddress(
            "mail.test",
            tls=tls,
            endpoint=TCP4ClientEndpoint(reactor, HOST, self.server.ports[listener]),
            trust_root=self.server.certificate,
        )

    async def test_each_mechanism(self) -> None:
        account, recipient = self.server.accounts
        for listener, tls in LISTENERS:
            for mechanism in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", *PASSWORD_MECHANISMS):
                with self.subTest(mechanism=mechanism, tls=tls):
                    client = await SMTPClient.open(reactor, self.server_address(listener, tls))
                    self.addCleanup(client.quit)
                    credentials = Password(account, OUR_PASSWORD)
                    self.assertEqual(await client.authenticate(credentials, mechanism=mechanism), mechanism)
                    [outcome] = await client.send(account, [recipient], message()[1])
                    self.assertEqual(outcome.code, 250)

    async def test_best_mechanism(self) -> None:
        client = await SMTPClient.open(reactor, self.server_address("submission", "required"))
        self.addCleanup(client.quit)
        with self.assertRaises(AuthenticationRefused):
            await client.authenticate(Password(self.server.accounts[0], "guessed"))
        self.assertEqual(
            await client.authenticate(Password(self.server.accounts[0], OUR_PASSWORD)), "SCRAM-SHA-256-PLUS"
        )

    async def test_by_default(self) -> None:
        """No -PLUS is offered: the client says that it could have bound, and the server takes it."""
        self.server = shared()
        for listener, tls in LISTENERS:
            client = await SMTPClient.open(reactor, self.server_address(listener, tls))
            self.addCleanup(client.quit)
            account = Password(self.server.accounts[0], OUR_PASSWORD)
            self.assertEqual(await client.authenticate(account), "SCRAM-SHA-256")
