"""One call for applications, and the pool, over sockets and with our own servers."""

from __future__ import annotations

import tempfile
from email.message import EmailMessage
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, gatherResults
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.python.threadable import isInIOThread

from mailproto.client import ServerAddress, _growth
from mailproto.client.errors import ConnectFailed, ConnectionLost, TLSFailed, TLSUnavailable
from mailproto.errors import RecipientUnknown
from mailproto.smtp import SMTPClient, SMTPSender, SMTPServerFactory, send_mail
from mailproto.smtp.client._composing import _compose
from mailproto.smtp.client._plan import CHUNKING_THRESHOLD
from mailproto.smtp.errors import AllRefused
from mailproto.tls import TLSFilesError, ensure_self_signed, server_tls
from tests.smtp.client.servers import Scripted, ServerTestCase, message, reactor


class SendMailTests(ServerTestCase):
    async def test_required(self) -> None:
        """STARTTLS and a good certificate."""
        where = self.serve(tls=server_tls(*self.pair))
        result = await send_mail(reactor, ServerAddress(**where), message())
        self.assertEqual(result.accepted, ["alice@mx.example"])
        [(envelope, content)] = self.delivery.delivered
        self.assertEqual(str(envelope.sender), "me@a.example")
        self.assertIsNotNone(envelope.session.tls)
        self.assertTrue(content.endswith(b"\r\n\r\nHi.\r\n"))

    async def test_required_and_not_there(self) -> None:
        with self.assertRaises(TLSUnavailable):
            await send_mail(reactor, ServerAddress(**self.serve()), message())
        self.assertEqual(self.delivery.delivered, [])

    async def test_required_and_not_good(self) -> None:
        where = self.serve(tls=server_tls(*self.pair)) | {"host": "other.example"}
        with self.assertRaises(TLSFailed):
            await send_mail(reactor, ServerAddress(**where), message())
        self.assertEqual(self.delivery.delivered, [])

    async def test_implicit(self) -> None:
        where = self.serve(implicit_tls=True)
        await send_mail(reactor, ServerAddress(**where, tls="implicit"), message())
        self.assertIsNotNone(self.delivery.delivered[0][0].session.tls)

    async def test_opportunistic(self) -> None:
        """TLS with any certificate, or none at all."""
        for tls in (server_tls(*self.pair), None):
            where = self.serve(tls=tls) | {"host": "other.example"}
            await send_mail(reactor, ServerAddress(**where, tls="opportunistic"), message())
        with_tls, without = [envelope.session.tls for envelope, _ in self.delivery.delivered]
        self.assertIsNotNone(with_tls)
        self.assertIsNone(without)

    async def test_454(self) -> None:
        """Opportunistic goes on; required does not (RFC 3207 4.1)."""
        answers = {
            b"EHLO": b"250-mx\r\n250 STARTTLS\r\n",
            b"STAR": b"454 4.7.0 Not now\r\n",
            b"MAIL": b"550 5.7.1 No\r\n",
            b"QUIT": b"221 Bye\r\n",
        }
        server = self.scripted(lambda verb: answers[verb])
        for tls, error, heard in (
            ("opportunistic", AllRefused, [b"EHLO", b"STAR", b"MAIL", b"QUIT"]),
            ("required", TLSUnavailable, [b"EHLO", b"STAR", b"QUIT"]),
        ):
            self.peer.heard.clear()
            with self.assertRaises(error):
                await send_mail(reactor, ServerAddress(server.host, server.port, tls), message())  # type: ignore[arg-type]
            self.assertEqual(self.peer.heard, heard)

    async def test_handshake_fails_opportunistically(self) -> None:
        """Then in plaintext, over another connection."""
        answers = {
            b"EHLO": b"250-mx\r\n250 STARTTLS\r\n",
            b"STAR": b"220 Go\r\n",
            b"MAIL": b"550 5.7.1 No\r\n",
        }
        server = self.scripted(answers.get)
        with self.assertRaises(AllRefused):
            await send_mail(reactor, ServerAddress(server.host, server.port, "opportunistic"), message())
        self.assertEqual(self.peer.connections, 2)

    async def test_some_refused(self) -> None:
        self.delivery.refusals["bob@mx.example"] = RecipientUnknown()
        result = await send_mail(
            reactor, ServerAddress(**self.serve(), tls="none"), message(Cc="bob@mx.example")
        )
        self.assertEqual(result.accepted, ["alice@mx.example"])
        self.assertEqual(result.refused["bob@mx.example"].enhanced, "5.1.1")

    async def test_all_refused(self) -> None:
        self.delivery.refusals["alice@mx.example"] = RecipientUnknown()
        with self.assertRaises(AllRefused) as caught:
            await send_mail(reactor, ServerAddress(**self.serve(), tls="none"), message())
        self.assertEqual((caught.exception.outcome.code, caught.exception.outcome.enhanced), (550, "5.1.1"))
        self.assertEqual(list(caught.exception.result.refused), ["alice@mx.example"])

    async def test_lmtp(self) -> None:
        self.delivery.refusals["bob@mx.example"] = RecipientUnknown()
        where = self.serve(lmtp=True)
        result = await send_mail(
            reactor, ServerAddress(**where, tls="none"), message(Cc="bob@mx.example"), lmtp=True
        )
        self.assertEqual(result.accepted, ["alice@mx.example"])
        self.assertEqual(self.delivery.delivered[0][0].session.protocol, "LMTP")

    async def test_nobody_there(self) -> None:
        port = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        number = port.getHost().port
        await port.stopListening()
        with self.assertRaises(ConnectFailed) as caught:
            await send_mail(reactor, ServerAddress("127.0.0.1", number), message())
        self.assertFalse(caught.exception.is_permanent)

    async def test_large_and_binary(self) -> None:
        """Both by BDAT, where our server offers it."""
        where = self.serve()
        for content in (b"a\0b\r\n", b"x" * 78 + b"\r\n" * CHUNKING_THRESHOLD):
            whole = b"From: me@a.example\r\nTo: alice@mx.example\r\n\r\n" + content
            try:
                await send_mail(reactor, ServerAddress(**where, tls="none"), whole)
            except AllRefused as error:
                self.assertEqual(error.outcome.enhanced, "5.6.3")
            else:
                self.assertTrue(self.delivery.delivered[-1][1].endswith(whole))

    async def test_what_takes_long_is_made_ready_in_a_thread(self) -> None:
        """Of what was given when it was given, whatever becomes of it meanwhile."""
        where = self.serve()
        threads = []
        compose = _compose.compose

        def watched(*arguments: Any) -> Any:
            threads.append(isInIOThread())
            return compose(*arguments)

        self.patch(_compose, "compose", watched)
        large = message()
        large.set_content("Grüße\n" * 10_000)
        names = [f"x{number}@mx.example" for number in range(200)]
        for whole, recipients, is_small in (
            (message(), None, True),
            (b"From: me@a.example\r\nTo: alice@mx.example\r\n\r\nHi.\r\n", None, True),
            (large, None, False),
            (large.as_bytes(), None, False),
            (message(Subject="x" * 2000), None, False),
            (message(), names, False),
        ):
            sent = ensureDeferred(
                send_mail(reactor, ServerAddress(**where, tls="none"), whole, recipients=recipients)
            )
            if isinstance(whole, EmailMessage):
                del whole["To"]
                whole.set_content("changed\n")
                whole["To"] = "nobody@elsewhere.example"
            if recipients is names:
                names.clear()
            result = await sent
            self.assertEqual(len(result.accepted), 200 if recipients is names else 1)
            self.assertEqual(threads.pop(), is_small)
            self.assertNotIn(b"changed", bytes(self.delivery.delivered[-1][1]))

    async def test_what_cannot_be_made_ready_in_a_thread(self) -> None:
        with self.assertRaises(ValueError):
            await send_mail(
                reactor, ServerAddress("127.0.0.1"), b"To: a@b.example; c@b.example\n\n" * 1000, sender=""
            )

    async def test_more_transactions_than_one_connection_takes(self) -> None:
        """RFC 9422: another connection has the rest."""
        server = self.taking_two()
        result = await send_mail(reactor, server, message(To="a@x.example, b@x.example, c@x.example"))
        self.assertEqual(len(result.accepted), 3)
        self.assertEqual(self.peer.connections, 2)
        self.assertEqual(self.peer.heard.count(b"MAIL"), 3)

    async def test_no_second_connection(self) -> None:
        """Those whom the first one has sent to have their outcomes all the same."""
        first = self.taking_two()
        taking, hellos = self.peer.answers, []

        def answer(verb: bytes) -> bytes | None:
            if verb == b"EHLO":
                hellos.append(verb)
            return taking(verb) if len(hellos) < 2 else b"421 4.3.2 Going\r\n"

        self.peer.answers = answer
        to = ["a@x.example", "b@x.example", "c@x.example"]
        result = await send_mail(reactor, first, message(), recipients=to)
        self.assertEqual(result.accepted, to[:2])
        self.assertEqual(result.refused[to[2]].code, 421)
        hellos.clear()
        self.patch(_growth, "FIRST_PAUSE", 0.01)
        sender = SMTPSender(reactor, first, connections=1)
        self.assertEqual([outcome.code for outcome in await sender.send("", to, b"")], [250, 250, 421])
        await sender.close()

    async def test_hosts(self) -> None:
        """In brackets, or under names that only containers have."""
        number = self.serve()["endpoint"]._port
        await send_mail(reactor, ServerAddress("[127.0.0.1]", number, tls="none"), message())
        self.assertEqual(len(self.delivery.delivered), 1)
        memory = MemoryReactorClock()
        for host in ("127.0.0.1", "[127.0.0.1]"):
            for tls in ("none", "opportunistic"):
                opening = ensureDeferred(SMTPClient.open(memory, ServerAddress(host, 25, tls)))  # type: ignore[arg-type]
                self.assertEqual(memory.tcpClients.pop()[:2], ("127.0.0.1", 25))
                opening.addErrback(lambda _: None).cancel()
        with self.assertRaises(TLSFailed):
            await SMTPClient.open(memory, ServerAddress("my_host", 25))

    async def test_what_is_not_asked_for_is_not_looked_at(self) -> None:
        where = self.serve() | {"host": "my_host", "trust_root": "/nowhere/at/all"}
        await send_mail(reactor, ServerAddress(**where, tls="none"), message())
        with self.assertRaises(TLSFilesError):
            await send_mail(reactor, ServerAddress(**where | {"host": "mx.example"}), message())

    async def test_another_address(self) -> None:
        """Of two addresses one has another's certificate, or closes: the other one gets the message."""
        number = self.serve(tls=server_tls(*self.pair))["endpoint"]._port
        other = ensure_self_signed(tempfile.mkdtemp(dir="."), "other.example")
        wrong: Any = SMTPServerFactory(
            self.delivery, clock=reactor, hostname="other.example", tls=server_tls(*other)
        )
        closing: Any = Factory.forProtocol(Scripted)
        closing.greeting, closing.heard, closing.answers = b"220 mx\r\n", [], lambda verb: None
        closing.connections = closing.lost = 0

        class Resolver:
            def resolveHostName(self, receiver: Any, *_: Any, **__: Any) -> None:
                for host in ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1"):
                    receiver.addressResolved(IPv4Address("TCP", host, number))
                receiver.resolutionComplete()

        self.addCleanup(reactor.installNameResolver, reactor.installNameResolver(Resolver()))
        for factory, host in ((wrong, "127.0.0.2"), (closing, "127.0.0.3")):
            port = reactor.listenTCP(number, factory, interface=host)
            self.addCleanup(port.stopListening)
        server = ServerAddress("mx.example", number, trust_root=self.pair[0])
        await send_mail(reactor, server, message())
        self.assertEqual(len(self.delivery.delivered), 1)
        self.assertEqual(closing.connections, 1)

    async def test_trailing_dot(self) -> None:
        where = self.serve(tls=server_tls(*self.pair)) | {"host": "mx.example."}
        await send_mail(reactor, ServerAddress(**where), message())

    async def assert_cancelled(self, sent: Deferred[Any]) -> None:
        """It ends, and the connection with it."""
        sent.cancel()
        with self.assertRaises(CancelledError):
            await sent
        while not self.peer.lost:
            await deferLater(reactor, 0.001)

    async def test_cancelled(self) -> None:
        """Whatever is underway ends with the connection."""
        said = {b"EHLO": b"250 mx\r\n", b"MAIL": b"250 OK\r\n"}
        for silent in (b"EHLO", b"MAIL", b"RCPT"):
            server = self.scripted({verb: said[verb] for verb in said if verb != silent} | {silent: b""})
            sent = ensureDeferred(send_mail(reactor, server, message()))
            while silent not in self.peer.heard:
                await deferLater(reactor, 0.001)
            await self.assert_cancelled(sent)

    async def test_cancelled_before_the_greeting(self) -> None:
        server = self.scripted({}, greeting=b"")
        sent = ensureDeferred(send_mail(reactor, server, message()))
        while not self.peer.connections:
            await deferLater(reactor, 0.001)
        await self.assert_cancelled(sent)

    async def test_cancelled_at_the_end(self) -> None:
        """What became of the message is known by then."""
        answers = {
            b"EHLO": b"250 mx\r\n",
            b"MAIL": b"250 OK\r\n",
            b"RCPT": b"250 OK\r\n",
            b"DATA": b"354 Go\r\n",
        }
        server = self.scripted(answers | {b".": b"250 OK\r\n"})
        sent = ensureDeferred(send_mail(reactor, server, message()))
        while b"QUIT" not in self.peer.heard:
            await deferLater(reactor, 0.001)
        sent.cancel()
        self.assertEqual((await sent).accepted, ["alice@mx.example"])

    def test_a_word_that_is_none(self) -> None:
        self.assertRaises(ValueError, ServerAddress, tls="yes")


class SenderTests(ServerTestCase):
    def sender(self, server: ServerAddress | None = None, **settings: Any) -> SMTPSender:
        sender = SMTPSender(reactor, server or ServerAddress(**self.serve(), tls="none"), **settings)
        self.addCleanup(sender.close)
        return sender

    def send(self, sender: SMTPSender, number: int) -> Deferred[Any]:
        return gatherResults(
            [
                sender.send("me@a.example", ["alice@mx.example"], b"Subject: %d\r\n\r\nx\r\n" % each)
                for each in range(number)
            ],
            consumeErrors=True,
        )

    async def test_many_over_few_connections(self) -> None:
        sender = self.sender(connections=3)
        outcomes = await self.send(sender, 50)
        self.assertEqual([outcome.code for [outcome] in outcomes], [250] * 50)
        self.assertEqual(len(self.factory.connections), 3)
        texts = {content.partition(b"Subject: ")[2] for _, content in self.delivery.delivered}
        self.assertEqual(len(texts), 50)

    async def test_one_connection_is_used_again(self) -> None:
        sender = self.sender()
        for _ in range(3):
            await sender.send_mail(message())
        self.assertEqual(len(self.factory.connections), 1)

    async def test_idle(self) -> None:
        sender = self.sender(idle=0.01)
        await sender.send_mail(message())
        while self.factory.connections:
            await deferLater(reactor, 0.01)
        await sender.send_mail(message())

    async def test_close_sends_what_waits(self) -> None:
        sender = self.sender(connections=1)
        sent = self.send(sender, 5)
        await sender.close()
        self.assertEqual(len(await sent), 5)
        self.assertEqual(len(self.factory.connections), 0)
        with self.assertRaises(ConnectionLost):
            await sender.send("", ["alice@mx.example"], b"")
        await sender.close()

    async def test_close_waits_for_what_is_made_ready(self) -> None:
        """In a thread."""
        sender = self.sender(connections=1)
        sent = ensureDeferred(sender.send_mail(message(Subject="x" * 5000)))
        await sender.close()
        self.assertEqual((await sent).accepted, ["alice@mx.example"])
        with self.assertRaises(ConnectionLost):
            await sender.send_mail(message())

    async def test_close_after_what_cannot_be_made_ready(self) -> None:
        sender = self.sender()
        sent = ensureDeferred(sender.send_mail(b"To: a@b.example; c@b.example\n\n" * 1000, sender=""))
        closed = sender.close()
        with self.assertRaises(ValueError):
            await sent
        await closed

    async def test_messages_of_one_connection(self) -> None:
        sender = self.sender(connections=1, messages=2)
        await self.send(sender, 5)
        helos = [envelope.session for envelope, _ in self.delivery.delivered]
        self.assertEqual(len({id(session) for session in helos}), 3)

    async def test_transactions_of_one_connection(self) -> None:
        """RFC 9422 MAILMAX: a connection that has said MAIL as often is left, and another one goes on."""
        sender = self.sender(self.taking_two(), connections=2)
        sent = [sender.send("", ["a@x.example", "b@x.example", "c@x.example"], b"") for _ in range(5)]
        outcomes = await gatherResults(sent)
        self.assertEqual([[outcome.code for outcome in each] for each in outcomes], [[250] * 3] * 5)
        self.assertEqual(self.peer.heard.count(b"MAIL"), 15)

    async def test_thousands_that_need_no_word(self) -> None:
        """Each is done at once when the connection is there, and none inside another."""
        sender = self.sender(connections=1)
        self.factory.max_message_size = 10
        outcomes = await self.send(sender, 5000)
        self.assertEqual({outcome.code for [outcome] in outcomes}, {552})
        await sender.close()

    async def test_cancelled(self) -> None:
        """A message that waits is not sent any more."""
        sender = self.sender(connections=1)
        sent = [sender.send("", ["alice@mx.example"], b"%d" % number) for number in range(5)]
        sent[3].addErrback(lambda failure: failure.trap(CancelledError)).cancel()
        await sender.close()
        self.assertEqual(len(self.delivery.delivered), 4)

    async def test_a_connection_that_is_dead(self) -> None:
        """The server closed it while it was idle and we had not yet heard: the message is sent again."""
        replies = {b"EHLO": b"250 mx\r\n", b"QUIT": b"221 Bye\r\n", b"MAIL": b"550 5.7.1 No\r\n"}
        lost = []

        def answer(verb: bytes) -> bytes | None:
            if verb == b"MAIL" and len(lost) < 1:
                lost.append(verb)
                return None
            return replies[verb]

        sender = self.sender(self.scripted(answer))
        [outcome] = await sender.send("", ["alice@mx.example"], b"")
        self.assertEqual((outcome.code, self.peer.connections), (550, 2))

    async def test_not_more_than_twice(self) -> None:
        replies = {b"EHLO": b"250 mx\r\n"}
        sender = self.sender(self.scripted(replies.get))
        with self.assertRaises(ConnectionLost):
            await sender.send("", ["alice@mx.example"], b"")
        self.assertEqual(self.peer.connections, 2)

    async def test_nobody_there(self) -> None:
        """All who wait are told; a later one tries again."""
        port = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        number = port.getHost().port
        await port.stopListening()
        sender = self.sender(ServerAddress("127.0.0.1", number), connections=2)
        for _ in range(2):
            waiting = [sender.send("", ["alice@mx.example"], b"") for _ in range(5)]
            for each in waiting:
                with self.assertRaises(ConnectFailed):
                    await each

    async def test_fewer_connections_than_wanted(self) -> None:
        """Those that the server takes send everything."""
        first = []

        def answer(verb: bytes) -> bytes | None:
            if verb == b"EHLO":
                first.append(verb)
                return b"250 mx\r\n" if len(first) == 1 else b"421 Too many\r\n"
            return {b"MAIL": b"550 5.7.1 No\r\n", b"QUIT": b"221 Bye\r\n"}[verb]

        sender = self.sender(self.scripted(answer), connections=3)
        outcomes = await gatherResults([sender.send("", ["alice@mx.example"], b"") for _ in range(10)])
        self.assertEqual([outcome.code for [outcome] in outcomes], [550] * 10)
        self.assertLessEqual(self.peer.connections, 3)

    async def test_bad_arguments(self) -> None:
        """The caller's fault, not the connection's."""
        sender = self.sender()
        with self.assertRaises(ValueError):
            await sender.send("", ["no address"], b"")
        await sender.send_mail(message())
