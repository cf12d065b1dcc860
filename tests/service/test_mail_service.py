"""The service inside the process of the tests, on real sockets."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.application.service import Application, Service
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, capturedLogs, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from mailproto.auth import Password
from mailproto.auth.credentials import IScramProof
from mailproto.auth.sasl import server_mechanisms
from mailproto.backends import MemoryStore
from mailproto.connection.proxy import Networks
from mailproto.errors import StoreUnusable
from mailproto.imap import IMAPServerFactory
from mailproto.model import POP3Policy
from mailproto.pop3 import POP3ServerFactory
from mailproto.service import (
    AuthSettings,
    MailService,
    POP3Settings,
    ProxySettings,
    RelaySettings,
    Reporter,
    ServiceLimits,
    SettingError,
    Settings,
    SMTPSettings,
    User,
    _mail_service,
)
from mailproto.service._limits import with_limit
from mailproto.service._servers import ServersService
from mailproto.smtp import SMTPServerFactory

ANY = "tcp:0:interface=127.0.0.1"


def servers_of(service: MailService) -> ServersService:
    servers = service.getServiceNamed("servers")
    assert isinstance(servers, ServersService)
    return servers


class Greeted(Protocol):
    """A client that waits for the first line, and for the end."""

    def __init__(self) -> None:
        self.first: Deferred[bytes] = Deferred()
        self.last: Deferred[bytes] = Deferred()
        self._received = b""

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        if not self.first.called:
            self.first.callback(data)

    def connectionLost(self, reason: object = None) -> None:
        self.last.callback(self._received)


class Told(Reporter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.failures: list[str] = []

    def listening(self, name: str, address: str) -> None:
        self.lines.append(f"{name} on {address}")

    def ready(self, data: Path) -> None:
        self.lines.append(f"ready with {data}")

    def failed(self, error: SettingError | None) -> None:
        self.failures.append(str(error))

    def port(self, number: int = 0) -> int:
        """Of the listener that was told of then."""
        return int(self.lines[number].rpartition(":")[2]) if self.lines else 0


class MailServiceCase(TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.told = Told()
        self.more: dict[str, Any] = {}  # settings

    def service(self, **endpoints: list[str]) -> MailService:
        more: dict[str, Any] = {"store": "memory:", "hostname": "mail.example.org", "max_message_size": 1000}
        settings = Settings(data=self.folder / "deep" / "data", listen=endpoints, **more | self.more)
        return MailService(settings, reactor, reporter=self.told)

    async def start(self, service: MailService) -> int:
        """The first port that it says it listens on; 0 if it does not start."""
        self.told.lines.clear()
        service.startService()
        await service.ready
        return self.told.port()

    async def connect(self, port: int) -> Greeted:
        endpoint = clientFromString(reactor, f"tcp:127.0.0.1:{port}")
        return await connectProtocol(endpoint, Greeted())


class MailServiceTests(MailServiceCase):
    async def test_says_where_it_listens_and_that_it_is_ready(self) -> None:
        service = self.service(imap=[ANY, ANY], pop3=[ANY])
        await self.start(service)
        await service.stopService()
        self.assertEqual(
            [line.partition(" on ")[0] for line in self.told.lines[:3]], ["imap", "imap", "pop3"]
        )
        self.assertEqual(self.told.lines[3:], [f"ready with {self.folder}/deep/data"])
        self.assertEqual(self.told.failures, [])

    async def test_stops_and_starts_again(self) -> None:
        service = self.service(smtp=[ANY])
        for _ in range(2):
            client = await self.connect(await self.start(service))
            self.assertEqual((await client.first)[:20], b"220 mail.example.org")
            await service.stopService()
            self.assertIn(b"\r\n421 ", await client.last)

    async def test_unix_sockets_and_what_hinders_them(self) -> None:
        """A socket that was removed does not keep the server from its end."""
        path = self.folder / "lmtp"
        service = self.service(lmtp=[f"unix:{path}"])
        service.startService()
        await service.ready
        self.assertEqual(path.stat().st_mode & 0o777, 0o660)
        other = self.service(lmtp=[f"unix:{path}"])
        other.startService()
        await other.ready
        self.assertEqual(
            self.told.failures,
            [f"listen.lmtp unix:{path}: process {os.getpid()} listens there: end it, or choose another name"],
        )
        await other.stopService()
        path.unlink()
        with capturedLogs() as events:
            await service.stopService()
        self.assertIn(f"while closing {path}: ", " ".join(str(formatEvent(event)) for event in events))

    async def test_a_proxy_on_every_listener(self) -> None:
        self.more["proxy"] = ProxySettings(networks=Networks(["127.0.0.1"]))
        service = self.service(submission=[ANY], pop3=[ANY], imap=[ANY])
        await self.start(service)
        for line in self.told.lines[:3]:
            client = await self.connect(int(line.rpartition(":")[2]))
            client.transport.write(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
            self.assertIn(b"mail.example.org", await client.first)
            client = await self.connect(int(line.rpartition(":")[2]))
            client.transport.write(b"EHLO a\r\n")
            self.assertEqual(await client.last, b"")
        await service.stopService()

    async def test_settings_reach_the_servers(self) -> None:
        limits = ServiceLimits()
        for protocol in ("smtp", "submission", "lmtp", "pop3", "imap"):
            limits = with_limit(limits, f"{protocol}.connections=7")
        self.more = {
            "limits": limits,
            "pop3": POP3Settings(
                policy=POP3Policy(expire=0), policies={"a@b.example": POP3Policy(login_delay=7)}
            ),
            "proxy": ProxySettings(xclient=Networks(["::1"])),
            "smtp": SMTPSettings(bare_newlines="normalise", trace_account=True, strict_envelopes=True),
        }
        service = self.service(smtp=[ANY], submission=[ANY], lmtp=[ANY], pop3=[ANY], imap=[ANY])
        await self.start(service)
        factories = dict(servers_of(service).factories)
        await service.stopService()
        for factory in factories.values():
            self.assertEqual(factory.limits.connections, 7)
        for name in ("smtp", "submission", "lmtp"):
            factory = factories[name]
            assert isinstance(factory, SMTPServerFactory)
            self.assertTrue(factory.normalise_newlines)
            self.assertEqual("::1" in factory.xclient, name != "lmtp")
            self.assertEqual(factory.trace_account, name != "lmtp")
            self.assertEqual(factory.sending_policy is not None, name != "lmtp")
            self.assertTrue(factory.strict_envelopes)
        pop3 = factories["pop3"]
        assert isinstance(pop3, POP3ServerFactory)
        self.assertEqual(
            pop3.policies.lines_before_login(any_policy=False), ["EXPIRE 0 USER", "LOGIN-DELAY 7 USER"]
        )

    async def test_any_sender(self) -> None:
        self.more["smtp"] = SMTPSettings(any_sender=True)
        service = self.service(submission=[ANY])
        await self.start(service)
        factory = servers_of(service).factories["submission"]
        await service.stopService()
        assert isinstance(factory, SMTPServerFactory)
        self.assertIsNone(factory.sending_policy)

    async def test_gives_up_when_it_cannot_listen(self) -> None:
        first = self.service(smtp=[ANY])
        port = await self.start(first)
        self.addCleanup(first.stopService)
        second = self.service(pop3=[ANY], smtp=[f"tcp:{port}:interface=127.0.0.1"])
        await self.start(second)
        self.assertEqual(
            self.told.failures,
            [
                f"listen.smtp tcp:{port}:interface=127.0.0.1: Address already in use: end the program that "
                "listens there, or choose another port"
            ],
        )
        self.assertTrue(second.has_failed)
        self.assertEqual(self.told.lines, [])
        await second.stopService()

    async def test_gives_up_at_a_port_that_cannot_be(self) -> None:
        service = self.service(smtp=["tcp:65536:interface=127.0.0.1"])
        service.startService()
        await service.ready
        self.assertEqual(
            self.told.failures,
            ["listen.smtp tcp:65536:interface=127.0.0.1: a port is a number from 0 to 65535"],
        )
        await service.stopService()

    async def test_invented_keys_of_scram_are_the_same_after_a_restart(self) -> None:
        """Else a restart would tell who has an account."""
        made = []
        for _ in range(2):
            service = self.service(imap=[ANY])
            await self.start(service)
            factory = servers_of(service).factories["imap"]
            assert isinstance(factory, IMAPServerFactory)
            checker: Any = factory.portal.checkers[IScramProof]
            made.append(await checker.scram_keys("nobody@localhost", "SHA-256"))
            await service.stopService()
        self.assertEqual(*made)

    async def test_mechanisms_that_were_chosen_for_nothing(self) -> None:
        said: list[str] = []

        def note(event: Any) -> None:
            if event.get("log_level") is LogLevel.warn:
                said.append(formatEvent(event))

        globalLogPublisher.addObserver(note)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, note)  # type: ignore[arg-type]
        for names, expected in (
            ([], []),
            (["PLAIN", "SCRAM-SHA-256-PLUS"], []),
            (
                ["CRAM-MD5", "EXTERNAL", "PLAIN"],
                [
                    "auth.mechanisms: EXTERNAL is not offered: it needs tls.client_ca",
                    "auth.mechanisms: CRAM-MD5 is not offered: it needs a server of your own, with a "
                    "checker for it",
                ],
            ),
        ):
            said.clear()
            self.more = {"auth": AuthSettings(mechanisms=server_mechanisms(names))} if names else {}
            service = self.service(imap=[ANY])
            await self.start(service)
            await service.stopService()
            self.assertEqual(said, expected)

    async def test_credentials_without_verified_tls(self) -> None:
        for query, number in (("?tls=none", 1), ("", 0)):
            way = f"smtp://mail.example.net{query}"
            relay = RelaySettings(way=way, credentials={"mail.example.net": Password("bob", "secret")})
            self.more = {"relay": relay}
            service = self.service(smtp=[ANY])
            with capturedLogs() as log:
                await self.start(service)
            await service.stopService()
            lines = [formatEvent(each) for each in log if each.get("log_level") is LogLevel.warn]
            self.assertEqual(len(lines), number)
            self.assertTrue(all("only SCRAM is used to sign in there" in line for line in lines))

    async def test_stop_without_start(self) -> None:
        await self.service().stopService()


class PartsTests(MailServiceCase):
    """What the service is made of."""

    def test_names(self) -> None:
        service = self.service(imap=[ANY, ANY], smtp=[ANY])
        names = [part.name for part in service]
        parts = ["data", "tls", "store", "accounts", "aliases", "servers", "relay"]
        self.assertEqual(names, [*parts, "imap", "imap-2", "smtp"])
        for name in names:
            self.assertIs(service.getServiceNamed(name).parent, service)

    async def test_nobody_is_served_before_the_store_is_open(self) -> None:
        opened: Deferred[None] = Deferred()
        self.patch(MemoryStore, "start", lambda store: opened)
        service = self.service(imap=[ANY])
        service.privilegedStartService()
        port = service.getServiceNamed("imap").listener.port  # type: ignore[attr-defined]
        client = await self.connect(port)
        service.startService()
        await deferLater(reactor, 0.1)
        self.assertNoResult(client.first)
        self.assertEqual(self.told.lines, [])
        opened.callback(None)
        await service.ready
        self.assertIn(b"* OK", await client.first)
        await service.stopService()

    async def test_a_part_of_ones_own_starts_after_those_before_it(self) -> None:
        service = self.service(imap=[ANY])
        steps: list[str] = []

        class Queue(Service):
            def startService(self) -> None:
                steps.append(f"started after {service.getServiceNamed('store').store}"[:13])

            def stopService(self) -> Deferred[None]:
                steps.append("stops")
                return deferLater(reactor, 0.05).addCallback(lambda _: steps.append("has stopped"))

            async def reload(self) -> None:
                steps.append("reloads")

        Queue().setServiceParent(service)
        await self.start(service)
        self.patch(service.getServiceNamed("store"), "stopService", lambda: steps.append("the store stops"))
        await service.reload()
        await service.stopService()
        self.assertEqual(steps, ["started after", "reloads", "stops", "has stopped", "the store stops"])

    async def test_a_part_that_fails_to_be_read_again_does_not_keep_others_from_it(self) -> None:
        service = self.service(imap=[ANY])
        await self.start(service)
        reloaded: list[str] = []

        class Part(Service):
            async def reload(self) -> None:
                reloaded.append("part")

        async def fail() -> None:
            raise ZeroDivisionError

        self.patch(service.getServiceNamed("tls"), "reload", fail)
        Part().setServiceParent(service)
        await service.reload()
        self.assertEqual(reloaded, ["part"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        await service.stopService()

    async def test_a_start_that_fails_leaves_nothing_behind(self) -> None:
        for error, told in (
            (StoreUnusable("it is broken"), "store memory:: it is broken"),
            (ZeroDivisionError(), "None"),
        ):

            async def start(store: object, error: Exception = error) -> None:
                raise error

            self.patch(MemoryStore, "start", start)
            service = self.service(imap=[ANY])
            service.privilegedStartService()
            port = service.getServiceNamed("imap").listener.port  # type: ignore[attr-defined]
            await self.start(service)
            self.assertTrue(service.has_failed)
            self.assertEqual(self.told.failures.pop(), told)
            with self.assertRaises(ConnectError):
                await self.connect(port)
            await service.stopService()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_stopped_while_it_starts(self) -> None:
        """It is waited for, but not for ever."""
        for is_slow in (False, True):
            opened: Deferred[None] = Deferred()
            self.patch(MemoryStore, "start", lambda store, opened=opened: opened)
            self.patch(_mail_service, "START_GRACE", 0.05 if is_slow else 60)
            service = self.service(imap=[ANY])
            service.startService()
            stopped = service.stopService()
            if not is_slow:
                await deferLater(reactor, 0.05)
                self.assertNoResult(stopped)
                opened.callback(None)
            await stopped
            self.assertEqual((self.told.lines, self.told.failures), ([], []))

    def test_who_the_application_is_to_be(self) -> None:
        for own, application, expected in (
            (None, Application("x"), None),
            (None, Application("x", uid=7), User(7, None)),
            (None, Application("x", 7, 8), User(7, 8)),
            (User(1, 2), Application("x", 7, 8), User(1, 2)),
        ):
            self.more = {"user": own}
            service = self.service()
            service.setServiceParent(application)
            self.assertEqual(service._user, expected)

    async def test_by_default_the_log_is_told(self) -> None:
        with capturedLogs() as events:
            service = MailService(
                Settings(data=self.folder / "data", store="memory:", listen={"imap": [ANY]}), reactor
            )
            await self.start(service)
            await service.stopService()
            Reporter().failed(SettingError("listen.imap", "taken", value="tcp:1"))
        lines = [str(formatEvent(event)) for event in events if "mailproto" in str(formatEvent(event))]
        self.assertEqual(lines[0], "mailproto: mail for other domains: off")
        self.assertEqual(lines[1].rpartition(":")[0], "mailproto: imap on 127.0.0.1")
        self.assertEqual(
            lines[2:],
            [
                f"mailproto: data in {self.folder}/data",
                "mailproto is ready",
                "mailproto: listen.imap tcp:1: taken",
            ],
        )
