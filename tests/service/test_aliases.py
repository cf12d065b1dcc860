"""Aliases of a server: their option, their file, and mail for them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mailproto.errors import RecipientUnknown
from mailproto.model import Address, QueueFilter, Session
from mailproto.service import Options, RelaySettings, SettingError, Settings
from mailproto.service._aliases import AliasesService, remembered_aliases
from mailproto.service._data import DataService
from mailproto.service._watched_files import LOOK_INTERVAL
from mailproto.testing import make_envelope
from tests.service.test_mail_service import ANY, MailServiceCase, servers_of
from tests.service.test_tls import Reactor


class AliasesServiceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.said: list[tuple[str, str]] = []
        globalLogPublisher.addObserver(self.note)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, self.note)  # type: ignore[arg-type]
        self.file = Path(self.mktemp())
        folder = Path(self.mktemp())
        folder.mkdir()
        self.data = DataService(folder)
        self.write("info: alice\n")

    def note(self, event: Any) -> None:
        if str(event.get("log_namespace")).endswith("AliasesService") and event["log_level"] >= LogLevel.info:
            self.said.append((event["log_level"].name, formatEvent(event)))

    def write(self, text: str) -> None:
        self.file.write_text(text)
        self.file.chmod(0o644)

    def service(self, file: Path | None = None) -> AliasesService:
        settings = Settings(domains=["example.org"], relay=RelaySettings(aliases=file or self.file))
        service = AliasesService(settings, self.data, reactor=self.reactor)
        self.addCleanup(service.stopService)
        service.startService()
        return service

    def find(self, service: AliasesService) -> str:
        assert service.aliases is not None
        found: Any = service.aliases.addresses_for(Address("info", "example.org"), False)
        return "-" if found is None else ",".join(map(str, found))

    def test_noticed_within_a_minute(self) -> None:
        self.assertLessEqual(3 * LOOK_INTERVAL, 60)
        service = self.service()
        self.reactor.pump([LOOK_INTERVAL] * 3)
        self.assertEqual((self.find(service), self.said), ("alice@example.org", []))
        self.write("info: bob\n")
        self.reactor.pump([LOOK_INTERVAL] * 2)
        self.assertEqual(self.find(service), "bob@example.org")
        self.assertEqual(self.said, [("info", f"Aliases read again: 1 in {self.file}")])
        self.reactor.pump([LOOK_INTERVAL] * 3)
        self.assertEqual(len(self.said), 1)

    def test_a_file_that_is_being_written(self) -> None:
        service = self.service()
        for text in ("", "other: bob\n", "other: bob\ninfo: bob\n"):
            self.write(text)
            self.reactor.advance(LOOK_INTERVAL)
            self.assertEqual(self.find(service), "alice@example.org")
        self.reactor.advance(LOOK_INTERVAL)
        self.assertEqual(self.find(service), "bob@example.org")

    def test_at_once_after_sighup(self) -> None:
        service = self.service()
        self.write("info: bob\n")
        self.successResultOf(Deferred.fromCoroutine(service.reload()))
        self.assertEqual(self.find(service), "bob@example.org")
        self.reactor.pump([LOOK_INTERVAL] * 3)
        self.assertEqual(len(self.said), 1)

    def test_a_fault_is_logged_once_and_changes_nothing(self) -> None:
        service = self.service()
        self.write("# comment\ninfo: bob@\n")
        self.reactor.pump([LOOK_INTERVAL] * 5)
        self.assertEqual(self.find(service), "alice@example.org")
        [(level, text)] = self.said
        self.assertEqual(level, "error")
        self.assertTrue(text.startswith(f"The aliases in use stay: {self.file}: line 2: bob@ is no"), text)
        self.write("info: bob\n")
        self.reactor.pump([LOOK_INTERVAL] * 2)
        self.assertEqual(self.find(service), "bob@example.org")

    def test_a_file_that_is_gone(self) -> None:
        service = self.service()
        self.file.unlink()
        self.reactor.pump([LOOK_INTERVAL] * 5)
        self.assertEqual(self.find(service), "alice@example.org")
        self.assertIn("No such file", self.said[0][1])
        self.assertEqual(len(self.said), 1)

    def test_a_stopped_service_reads_nothing(self) -> None:
        service = self.service()
        service.stopService()
        self.write("info: bob\n")
        self.reactor.pump([LOOK_INTERVAL] * 3)
        self.successResultOf(Deferred.fromCoroutine(service.reload()))
        self.assertEqual(self.find(service), "alice@example.org")

    def test_no_file(self) -> None:
        service = AliasesService(Settings(), self.data, reactor=self.reactor)
        service.startService()
        self.assertIsNone(service.aliases)
        self.successResultOf(Deferred.fromCoroutine(service.reload()))
        service.stopService()

    def test_commands_know_the_file(self) -> None:
        folder, domains = self.data.folder, ["example.org"]
        self.service()
        aliases = remembered_aliases(folder, domains)
        assert aliases is not None
        self.assertEqual(len(aliases), 1)
        self.write("info:\n")
        with self.assertRaisesRegex(ValueError, re.escape(f"{self.file.absolute()}: line 1: info has no")):
            remembered_aliases(folder, domains)
        AliasesService(Settings(), self.data, reactor=self.reactor).startService()
        self.assertIsNone(remembered_aliases(folder, domains))
        self.assertIsNone(remembered_aliases(folder / "nowhere", domains))

    def test_a_fault_at_the_start(self) -> None:
        self.write('info: "|program"\n')
        error = self.assertRaises(SettingError, self.service)
        self.assertEqual(
            error.line("--aliases"), f'--aliases {self.file}: line 1: programs are not run: "|program"'
        )


class ServerTests(MailServiceCase):
    """A whole server with aliases."""

    async def test_a_server(self) -> None:
        """A bounce finds its way after a restart; a file that has changed is read on SIGHUP."""
        file = self.folder / "aliases"
        file.write_text("out: y@other.example\n")
        file.chmod(0o644)
        relay = RelaySettings(way="smtp://127.0.0.1:1", aliases=file)
        self.more = {"domains": ["example.org"], "relay": relay}
        session = Session("ESMTP", "mail.example.org", peer="192.0.2.1")
        for path in ("out@example.org", ""):
            service = self.service(smtp=[ANY])
            await self.start(service)
            delivery: Any = servers_of(service).delivery
            if path:
                await delivery.deliver(
                    make_envelope("x@remote.example", [path], session=session), b"A: b\r\n\r\n"
                )
                [message] = await delivery._queue.find(QueueFilter())
                rewritten = message.envelope.sender
                self.assertRegex(str(rewritten), r"\ASRS0=.{4}=..=remote\.example=x@example\.org\Z")
                file.write_text("in: y@other.example\n")
                await service.reload()
                await delivery.recipient(session, Address("in", "example.org"), {})
                with self.assertRaises(RecipientUnknown):
                    await delivery.recipient(session, Address("out", "example.org"), {})
            else:
                await delivery.recipient(session, rewritten, {})
            await service.stopService()


class OptionTests(SynchronousTestCase):
    def parse(self, *arguments: str) -> Settings:
        options = Options()
        options.parseOptions(arguments)
        return options.settings

    def test_the_option(self) -> None:
        self.assertIsNone(self.parse().relay.aliases)
        self.assertEqual(self.parse("--aliases", "etc/aliases").relay.aliases, Path("etc/aliases"))

    def test_what_cannot_be(self) -> None:
        for relay in ({"aliases": 5}, {"aliases": b"\0"}):
            with self.assertRaisesRegex(SettingError, r"relay\.aliases"):
                RelaySettings(**relay)
        with self.assertRaisesRegex(SettingError, r"relay\.aliases: they have no meaning with a catch-all"):
            Settings(catch_all="alice@localhost", relay=RelaySettings(aliases=Path("aliases")))
        with self.assertRaisesRegex(Exception, "--aliases: a path is missing"):
            self.parse("--aliases", "")
