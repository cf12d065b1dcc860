"""Our client signs in to our server, over sockets: every mechanism, and who may stand between."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernameHashedPassword
from twisted.cred.portal import Portal
from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.ssl import Certificate as TwistedCertificate
from twisted.internet.ssl import optionsForClientTLS, trustRootFromCertificates
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.portforward import ProxyFactory, ProxyServer
from twisted.protocols.tls import TLSMemoryBIOFactory

from mailproto.auth import (
    Certificate,
    CertificateChecker,
    DirectoryChecker,
    Password,
    StoreRealm,
    Token,
    TokenChecker,
)
from mailproto.auth._scram import SCRAM_ALGORITHMS, scram_keys
from mailproto.auth._scram import _client as scram_client
from mailproto.auth.passwords import PasswordVerifier
from mailproto.auth.sasl import DEFAULT_MECHANISMS, SERVER_MECHANISMS, ClientCredentials, server_mechanisms
from mailproto.client import ServerAddress
from mailproto.client.errors import AuthenticationRefused, AuthenticationUnavailable, ConnectionLost
from mailproto.errors import AuthenticationFailed
from mailproto.smtp import SMTPClient, SMTPSender, send_mail
from mailproto.smtp.errors import AllRefused
from mailproto.smtp.lmtp import LMTPClient
from mailproto.tls import Channel, ServerTLS, client_channel, client_tls, ensure_self_signed, server_tls
from tests.auth.fakes import Directory, Store
from tests.smtp.client.servers import ServerTestCase, message, reactor
from tests.tls.certificates import Pair, make_certificate, to_be_shown, write_pair

NAME = "alice@Example.org"
ALICE = Password(NAME, "pencil")
GUESS = Password(NAME, "pencils")
WITH_PASSWORD = ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN")
BOUND = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS")
WITH_TOKEN = ("OAUTHBEARER", "XOAUTH2")


async def whose(username: str, token: str) -> str:
    """The account of a token."""
    if token != "good" or username != NAME:
        raise AuthenticationFailed
    return NAME


class CredentialsTestCase(ServerTestCase):
    def portal(self) -> Portal:
        """One with a checker for everything that a client may show."""
        directory = self.directory = Directory(alice="pencil")
        keys = (scram_keys(algorithm, "pencil", b"salt of 16 bytes", 4096) for algorithm in SCRAM_ALGORITHMS)
        directory.hashes[NAME] = " ".join([directory.hashes[NAME], *map(str, keys)])
        verifier = PasswordVerifier(reactor)
        self.addCleanup(verifier.stop)
        portal = Portal(StoreRealm(Store(directory)))
        portal.registerChecker(DirectoryChecker(directory, verifier))
        portal.registerChecker(TokenChecker(whose))
        clear = InMemoryUsernamePasswordDatabaseDontUse(**{NAME: b"pencil"})
        portal.registerChecker(clear, IUsernameHashedPassword)
        return portal

    def serve(self, **settings: Any) -> dict[str, Any]:
        tls = server_tls(*self.pair)
        offered = {"mechanisms": SERVER_MECHANISMS, "submission": True}
        settings = {"tls": tls, "portal": self.portal()} | offered | settings
        return super().serve(**settings)  # type: ignore[arg-type]

    async def connect(self, endpoint: Any) -> SMTPClient:
        client = await SMTPClient.connect(reactor, endpoint, hostname="client.example")
        self.addCleanup(client.quit)
        await client.ehlo()
        return client

    async def client(self, starts: Any, **settings: Any) -> SMTPClient:
        """Of a new server; None for plaintext."""
        client = await self.connect(self.serve(**settings)["endpoint"])
        if starts is not None:
            await client.starttls(starts)
        return client

    def trusted(self) -> Any:
        return client_tls("mx.example", trust_root=self.pair[0])

    async def assert_signed_in(self, client: SMTPClient) -> None:
        """What is sent is the account's."""
        [outcome] = await client.send(NAME, ["bob@mx.example"], b"Subject: x\r\n\r\n")
        self.assertEqual(outcome.code, 250)
        self.assertEqual(self.delivery.delivered[-1][0].session.account, NAME)


class MechanismTests(CredentialsTestCase):
    async def test_each_in_tls(self) -> None:
        for mechanism in (*BOUND, *WITH_PASSWORD, *WITH_TOKEN):
            with self.subTest(mechanism=mechanism):
                client = await self.client(self.trusted())
                credentials: ClientCredentials = Token(NAME, "good") if mechanism in WITH_TOKEN else ALICE
                self.assertEqual(await client.authenticate(credentials, mechanism=mechanism), mechanism)
                await self.assert_signed_in(client)

    async def test_each_on_this_machine(self) -> None:
        for mechanism in WITH_PASSWORD:
            with self.subTest(mechanism=mechanism):
                client = await self.client(None)
                self.assertEqual(await client.authenticate(ALICE, mechanism=mechanism), mechanism)
                await self.assert_signed_in(client)

    async def test_best(self) -> None:
        client = await self.client(self.trusted())
        self.assertEqual(await client.authenticate(ALICE), "SCRAM-SHA-256-PLUS")

    async def test_best_where_nothing_binds(self) -> None:
        """The client says that it could, and that it was not offered to: there is no -PLUS by default."""
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
            chosen = server_mechanisms([mechanism, "PLAIN"])
            for mechanisms in (DEFAULT_MECHANISMS, chosen):
                client = await self.connect(self.serve(mechanisms=mechanisms)["endpoint"])
                await client.starttls(self.trusted())
                wanted = None if mechanisms is chosen else mechanism
                self.assertEqual(await client.authenticate(ALICE, mechanism=wanted), mechanism)

    async def test_reactor_is_not_held_up(self) -> None:
        """By what a password costs, which is the server's choice."""
        threads: list[int] = []
        salted_password = scram_client.salted_password  # type: ignore[attr-defined]

        def noted(*arguments: Any) -> bytes:
            threads.append(threading.get_ident())
            return salted_password(*arguments)

        self.patch(scram_client, "salted_password", noted)
        client = await self.client(self.trusted())
        await client.authenticate(ALICE)
        self.assertEqual(len(threads), 1)
        self.assertNotIn(threading.get_ident(), threads)

    async def test_lost_while_the_password_is_worked_on(self) -> None:
        salted_password = scram_client.salted_password  # type: ignore[attr-defined]
        client = await self.client(self.trusted())
        gone = threading.Event()
        client.closed().addCallback(lambda _: gone.set())

        def late(*arguments: Any) -> bytes:
            reactor.callFromThread(client.abort)
            gone.wait(10)
            return salted_password(*arguments)

        self.patch(scram_client, "salted_password", late)
        with self.assertRaises(ConnectionLost):
            await client.authenticate(ALICE)

    async def test_wrong_password(self) -> None:
        for mechanism in (*BOUND, *WITH_PASSWORD):
            with self.subTest(mechanism=mechanism):
                client = await self.client(self.trusted())
                with self.assertRaises(AuthenticationRefused) as raised:
                    await client.authenticate(GUESS, mechanism=mechanism)
                self.assertEqual(
                    (raised.exception.reply.code, raised.exception.reply.enhanced), (535, "5.7.8")
                )
                await client.authenticate(ALICE, mechanism=mechanism)
                await self.assert_signed_in(client)

    async def test_nobody_s_password(self) -> None:
        """An unknown name looks as a wrong password does."""
        for mechanism in (*BOUND, *WITH_PASSWORD):
            client = await self.client(self.trusted())
            with self.assertRaises(AuthenticationRefused) as raised:
                await client.authenticate(Password("nobody", "pencil"), mechanism=mechanism)
            self.assertEqual(raised.exception.reply.code, 535)

    async def test_wrong_token(self) -> None:
        for mechanism in WITH_TOKEN:
            client = await self.client(self.trusted())
            with self.assertRaises(AuthenticationRefused) as raised:
                await client.authenticate(Token(NAME, "bad"), mechanism=mechanism)
            self.assertEqual(raised.exception.reply.code, 535)

    async def test_certificate_that_was_not_asked_for(self) -> None:
        client = await self.client(self.trusted())
        with self.assertRaises(AuthenticationUnavailable):
            await client.authenticate(Certificate())


class ChannelTests(CredentialsTestCase):
    async def test_exporter(self) -> None:
        """In TLS 1.3."""
        channel = await self.assert_bound(self.trusted(), "tls-exporter")
        self.assertTrue(channel.is_secure)

    async def test_end_point(self) -> None:
        """In TLS 1.2."""
        pem = Path(self.pair[0]).read_bytes()
        root = trustRootFromCertificates([TwistedCertificate.loadPEM(pem)])
        tls = optionsForClientTLS("mx.example", trustRoot=root)
        old = server_tls(*self.pair)
        old._context.set_options(SSL.OP_NO_TLSv1_3)
        channel = await self.assert_bound(tls, "tls-server-end-point", old)
        self.assertFalse(channel.is_secure)  # for all that we know of Twisted's creator

    async def assert_bound(self, tls: Any, kind: str, server: ServerTLS | None = None) -> Channel:
        for mechanism in BOUND:
            client = await self.client(tls, tls=server or server_tls(*self.pair))
            channel = client_channel(client.protocol.transport, is_local=False)
            self.assertEqual(next(iter(channel.bindings)), kind)
            await client.authenticate(ALICE, mechanism=mechanism)
            await self.assert_signed_in(client)
        return channel

    async def test_certificate_that_nobody_looks_at(self) -> None:
        """Elsewhere than on this machine no password would be shown to whose it is."""
        client = await self.client(client_tls("mx.example", verify=False))
        channel = client_channel(client.protocol.transport, is_local=False)
        self.assertEqual((channel.is_encrypted, channel.is_secure, channel.certificate), (True, False, None))

    async def test_somebody_stands_between(self) -> None:
        """A certificate of their own, which the client takes, is no use to them."""
        between = ProxyFactory("", 0)
        server = wrapClientTLS(self.trusted(), self.serve(implicit_tls=True)["endpoint"])
        self.patch(ProxyServer, "reactor", Outward(server))
        theirs = server_tls(*ensure_self_signed(tempfile.mkdtemp(dir="."), "mx.example"))
        port = self.listen(TLSMemoryBIOFactory(theirs, False, between))
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        for mechanism in BOUND:
            client = await self.connect(wrapClientTLS(client_tls("mx.example", verify=False), endpoint))
            with self.assertRaises(AuthenticationRefused) as raised:
                await client.authenticate(ALICE, mechanism=mechanism)
            self.assertEqual(str(raised.exception)[:10], "535 5.7.8 ")
        client = await self.connect(wrapClientTLS(client_tls("mx.example", verify=False), endpoint))
        await client.authenticate(ALICE, mechanism="SCRAM-SHA-256")  # the way is there


class Outward:
    """What `ProxyServer` takes for a reactor: wherever it wants to, there is the server."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def connectTCP(self, host: str, port: int, factory: Any) -> None:
        self._server.connect(factory)


class CertificateTests(CredentialsTestCase):
    """EXTERNAL: the certificate that TLS has shown."""

    def setUp(self) -> None:
        super().setUp()
        folder = Path(tempfile.mkdtemp(dir="."))
        self.authority = make_certificate(name="authority")
        self.client_ca, _ = write_pair(folder, "authority", self.authority)

    def portal(self) -> Portal:
        portal = super().portal()
        portal.registerChecker(CertificateChecker(self.directory))
        return portal

    def server(self, pair: Pair, **settings: Any) -> ServerAddress:
        where = self.serve(tls=server_tls(*self.pair, client_ca=self.client_ca))
        return ServerAddress(**where, client_certificate=to_be_shown(pair), **settings)

    async def test_signs_in(self) -> None:
        for credentials in (Certificate(), Certificate(NAME)):
            alice = make_certificate(NAME, issuer=self.authority)
            await send_mail(reactor, self.server(alice, credentials=credentials), message(From=NAME))
            self.assertEqual(self.delivery.delivered[-1][0].session.account, NAME)

    async def test_of_somebody_else(self) -> None:
        bob = make_certificate("bob@example.org", issuer=self.authority)
        for credentials in (Certificate(), Certificate(NAME)):
            with self.assertRaises(AuthenticationRefused):
                await send_mail(reactor, self.server(bob, credentials=credentials), message(From=NAME))

    async def test_of_another_authority(self) -> None:
        """TLS fails, or the server offers no EXTERNAL; in TLS 1.3 the client hears of it late."""
        forged = make_certificate(NAME, issuer=make_certificate(name="authority"))
        with self.assertRaises(ConnectionLost):
            await send_mail(reactor, self.server(forged, credentials=Certificate()), message(From=NAME))

    async def test_and_a_password(self) -> None:
        """A certificate alone does not sign anybody in."""
        alice = make_certificate(NAME, issuer=self.authority)
        await send_mail(reactor, self.server(alice, credentials=ALICE), message(From=NAME))
        with self.assertRaises(AllRefused):
            await send_mail(reactor, self.server(alice), message(From=NAME))


class ApplicationTests(CredentialsTestCase):
    """`send_mail` and the pool, with a `ServerAddress` that has credentials."""

    async def test_send_mail(self) -> None:
        where = self.serve()
        with self.assertRaises(AllRefused) as raised:
            await send_mail(reactor, ServerAddress(**where), message(From=NAME))
        self.assertEqual(raised.exception.outcome.code, 530)
        await send_mail(reactor, ServerAddress(**where, credentials=ALICE), message(From=NAME))
        self.assertEqual(self.delivery.delivered[-1][0].session.account, NAME)

    async def test_refused(self) -> None:
        with self.assertRaises(AuthenticationRefused):
            await send_mail(reactor, ServerAddress(**self.serve(), credentials=GUESS), message(From=NAME))
        self.assertEqual(self.delivery.delivered, [])

    async def test_no_server_for_those_with_credentials(self) -> None:
        where = self.serve(portal=None, submission=False)
        with self.assertRaises(AuthenticationUnavailable):
            await send_mail(reactor, ServerAddress(**where, credentials=ALICE), message(From=NAME))
        self.assertEqual(self.delivery.delivered, [])

    async def test_tokens_are_asked_for_each_connection(self) -> None:
        """They expire; what gives them may have to ask for them."""
        given = []

        async def ask() -> Token:
            given.append("good")
            return Token(NAME, "good")

        sender = SMTPSender(
            reactor, ServerAddress(**self.serve(), credentials=ask), connections=1, messages=2
        )
        self.addCleanup(sender.close)
        for _ in range(4):
            await sender.send_mail(message(From=NAME))
        self.assertEqual(len(given), 2)

    async def test_what_is_connected_to_may_be_a_proxy(self) -> None:
        """A server that is elsewhere gets no password in clear, however it is reached."""
        where = self.serve(tls=None)
        encrypted = self.serve()["endpoint"]
        for host in ("mx.example", "192.0.2.1", "[IPv6:2001:db8::1]", "localhost.example"):
            for more in (
                {"tls": "none"},
                {"tls": "opportunistic"},
                {"tls": "opportunistic", "endpoint": encrypted},
            ):
                settings: dict[str, Any] = {"host": host, "credentials": Token(NAME, "good"), **more}
                with self.subTest(settings=settings), self.assertRaises(AuthenticationUnavailable):
                    await send_mail(reactor, ServerAddress(**where | settings), message(From=NAME))
        self.assertEqual(self.delivery.delivered, [])

    async def test_what_is_connected_to_is_this_machine(self) -> None:
        where = self.serve(tls=None)
        for host in ("localhost", "LocalHost.", "127.0.0.1", "[127.1.2.3]", "::1", "[IPv6:::1]"):
            with self.subTest(host=host):
                settings: dict[str, Any] = {"host": host, "tls": "none", "credentials": Token(NAME, "good")}
                await send_mail(reactor, ServerAddress(**where | settings), message(From=NAME))
        self.assertEqual(len(self.delivery.delivered), 6)

    async def test_credentials_from_a_function(self) -> None:
        where = self.serve()
        await send_mail(reactor, ServerAddress(**where, credentials=lambda: ALICE), message(From=NAME))

    async def test_what_is_no_credentials(self) -> None:
        secret: Any = ("alice", "pencil")
        error = self.assertRaises(TypeError, ServerAddress, credentials=secret)
        self.assertNotIn("pencil", str(error))
        for given in (secret, None):
            with self.assertRaises(TypeError):
                server = ServerAddress(**self.serve(), credentials=lambda given=given: given)
                await send_mail(reactor, server, message(From=NAME))

    async def test_pool_is_refused(self) -> None:
        """Whoever waits is told."""
        sender = SMTPSender(reactor, ServerAddress(**self.serve(), credentials=GUESS), connections=2)
        self.addCleanup(sender.close)
        for sent in [sender.send(NAME, ["bob@mx.example"], b"") for _ in range(3)]:
            with self.assertRaises(AuthenticationRefused):
                await sent

    def test_port(self) -> None:
        """Of submission (RFC 6409), unless there is nobody to sign in, or TLS comes first (RFC 8314)."""
        asked = []
        memory = MemoryReactorClock()
        for settings in (
            {},
            {"credentials": ALICE},
            {"credentials": ALICE, "tls": "implicit"},
            {"port": 1},
            {"client": LMTPClient},
        ):
            client = settings.pop("client", SMTPClient)
            opening = ensureDeferred(client.open(memory, ServerAddress("127.0.0.1", **settings)))  # type: ignore[attr-defined]
            asked.append(memory.tcpClients.pop()[1])
            opening.addErrback(lambda _: None).cancel()
        self.assertEqual(asked, [25, 587, 465, 1, 24])

    def test_secrets_are_not_shown(self) -> None:
        self.assertNotIn("pencil", repr(ServerAddress(credentials=ALICE)))
