"""Renewed certificates, as the service notices them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailproto.service import SettingError, TLSSettings
from mailproto.service._data import DataService
from mailproto.service._tls import TLSService
from mailproto.service._watched_files import LOOK_INTERVAL
from tests.tls.certificates import make_certificate, write_pair


class Reactor(Clock):
    """One whose threads do their work at once."""

    def getThreadPool(self) -> Any:
        return self

    def callInThreadWithCallback(
        self, done: Callable[[bool, Any], Any], work: Callable[..., Any], *more: Any
    ) -> None:
        try:
            result = work(*more)
        except BaseException:
            done(False, Failure())
        else:
            done(True, result)

    def callFromThread(self, work: Callable[..., Any], *more: Any) -> None:
        work(*more)


class RenewalTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.reactor = Reactor()
        self.said: list[tuple[str, str]] = []
        globalLogPublisher.addObserver(self.note)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, self.note)  # type: ignore[arg-type]
        self.certificate, self.key = self.new_pair()

    def note(self, event: Any) -> None:
        if str(event.get("log_namespace")).endswith("TLSService") and event["log_level"] >= LogLevel.info:
            self.said.append((event["log_level"].name, formatEvent(event)))

    def new_pair(self, name: str = "site") -> tuple[Path, Path]:
        return write_pair(self.folder, name, make_certificate(name="site"))

    def service(self, settings: TLSSettings | None = None) -> TLSService:
        settings = settings or TLSSettings(certificate=self.certificate, key=self.key)
        data = DataService(self.folder)
        service = TLSService(settings, "mail.example.org", data, reactor=self.reactor)
        self.addCleanup(service.stopService)
        service.startService()
        return service

    def contexts(self, service: TLSService) -> list[object]:
        return [service.server._context, service.account_server._context]

    def assert_said(self, *beginnings: tuple[str, str]) -> None:
        self.assertEqual(len(self.said), len(beginnings), self.said)
        for (level, text), (expected, beginning) in zip(self.said, beginnings, strict=True):
            self.assertEqual(level, expected)
            self.assertTrue(text.startswith(beginning), text)
        self.said.clear()

    def test_noticed_within_a_minute(self) -> None:
        self.assertLessEqual(2 * LOOK_INTERVAL, 60)  # it may be looked at in the middle of it
        service = self.service()
        before = self.contexts(service)
        self.reactor.advance(LOOK_INTERVAL)
        self.assertEqual(self.contexts(service), before)
        self.new_pair()
        self.reactor.advance(LOOK_INTERVAL)
        after = self.contexts(service)
        self.assertFalse(set(before) & set(after))
        self.assert_said(("info", f"TLS certificate read again: {self.certificate}: CN=site, valid until 2"))
        self.reactor.pump([LOOK_INTERVAL] * 3)
        self.assertEqual(self.contexts(service), after)
        self.assert_said()

    def test_every_way_to_renew(self) -> None:
        """In place, by renaming, by a symbolic link that is set anew; even with size and time as before."""
        links = (self.folder / "link.pem", self.folder / "link.key")
        for link, file in zip(links, (self.certificate, self.key), strict=True):
            link.symlink_to(file)
        service = self.service(TLSSettings(certificate=links[0], key=links[1]))

        def in_place() -> None:
            new = self.new_pair("new")
            for source, target in zip(new, (self.certificate, self.key), strict=True):
                target.write_bytes(source.read_bytes())

        def in_place_with_size_and_time_as_before() -> None:
            files = (self.certificate, self.key)
            sizes = [file.stat().st_size for file in files]
            new = self.new_pair("new")
            while [file.stat().st_size for file in new] != sizes:
                new = self.new_pair("new")
            for source, target in zip(new, files, strict=True):
                found = target.stat()
                target.write_bytes(source.read_bytes())
                os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))

        def renamed() -> None:
            for source, target in zip(self.new_pair("new"), (self.certificate, self.key), strict=True):
                found = target.stat()
                source.replace(target)
                os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))

        def linked() -> None:
            for source, link in zip(self.new_pair("archive2"), links, strict=True):
                (self.folder / "next").symlink_to(source)
                (self.folder / "next").replace(link)

        for renew in (in_place, in_place_with_size_and_time_as_before, renamed, linked):
            with self.subTest(renew=renew.__name__):
                before = self.contexts(service)
                renew()
                self.reactor.advance(LOOK_INTERVAL)
                self.assertFalse(set(before) & set(self.contexts(service)))
                self.assert_said(("info", "TLS certificate read again: "))

    def test_half_of_a_new_pair_is_waited_for(self) -> None:
        service = self.service()
        before = self.contexts(service)
        key = self.key.read_bytes()
        self.new_pair()
        new_key = self.key.read_bytes()
        for halfway in (key, b"", new_key[:50]):
            self.key.write_bytes(halfway)
            self.reactor.advance(LOOK_INTERVAL)
            self.assertEqual(self.contexts(service), before)
            self.assert_said()
        self.key.write_bytes(new_key)
        self.reactor.advance(LOOK_INTERVAL)
        self.assertFalse(set(before) & set(self.contexts(service)))
        self.assert_said(("info", "TLS certificate read again: "))

    def test_what_stays_broken_is_told_once(self) -> None:
        service = self.service()
        before = self.contexts(service)
        for number, break_it in enumerate((self.key.unlink, lambda: self.key.write_text("nonsense"))):
            break_it()
            self.reactor.pump([LOOK_INTERVAL] * 5)
            self.assertEqual(self.contexts(service), before)
            reason = ("No such file or directory", "no private key in PEM form")[number]
            self.assert_said(("warn", f"The TLS certificate in use stays: {self.key}: {reason}"))
            self.assertNotIn("\n", reason)
        self.new_pair()
        self.reactor.advance(LOOK_INTERVAL)
        self.assert_said(("info", "TLS certificate read again: "))

    def test_asked_for_it_is_told_at_once(self) -> None:
        service = self.service()
        for break_it, expected in (
            (lambda: None, ("info", "TLS certificate read again: ")),
            (lambda: self.certificate.write_text("x"), ("warn", "The TLS certificate in use stays: ")),
            (lambda: None, ("warn", "The TLS certificate in use stays: ")),
            (self.new_pair, ("info", "TLS certificate read again: ")),
        ):
            break_it()
            self.assertRaises(StopIteration, service.reload().send, None)
            self.assert_said(expected)

    def test_authorities_are_read_again_too(self) -> None:
        authority = write_pair(self.folder, "ca", make_certificate(name="first"))[0]
        service = self.service(TLSSettings(certificate=self.certificate, key=self.key, client_ca=authority))
        before = self.contexts(service)
        write_pair(self.folder, "ca", make_certificate(name="second"))
        self.reactor.advance(LOOK_INTERVAL)
        self.assertFalse(set(before) & set(self.contexts(service)))

    def test_both_contexts_or_none(self) -> None:
        """A broken file of authorities does not leave half of what is new in use."""
        authority = write_pair(self.folder, "ca", make_certificate(name="first"))[0]
        service = self.service(TLSSettings(certificate=self.certificate, key=self.key, client_ca=authority))
        before = self.contexts(service)
        authority.write_text("nonsense")
        self.new_pair()
        self.assertRaises(StopIteration, service.reload().send, None)
        self.assertEqual(self.contexts(service), before)

    def test_a_pair_of_our_own(self) -> None:
        service = self.service(TLSSettings())
        before = self.contexts(service)
        (self.folder / "tls-key.pem").unlink()
        self.reactor.advance(LOOK_INTERVAL)
        self.assertFalse(set(before) & set(self.contexts(service)))

    def test_one_that_has_expired_is_told_of(self) -> None:
        """It may be wanted nevertheless: for clients that do not look, it is better than none."""
        expired = write_pair(self.folder, "site", make_certificate(name="site", days=(-9, -1)))
        warning = (
            "warn",
            f"The TLS certificate has expired, clients will not take it: {expired[0]}: CN=site",
        )
        service = self.service()
        self.assert_said(warning)
        write_pair(self.folder, "site", make_certificate(name="site", days=(-9, -1)))
        self.reactor.advance(LOOK_INTERVAL)
        self.assert_said(("info", "TLS certificate read again"), warning)
        self.new_pair()
        self.reactor.advance(LOOK_INTERVAL)
        self.assert_said(("info", "TLS certificate read again"))
        self.assertGreater(service.server.not_after, 0)

    def test_nothing_is_looked_at_after_the_end(self) -> None:
        service = self.service()
        service.stopService()
        self.new_pair()
        self.reactor.advance(LOOK_INTERVAL)
        self.assert_said()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_errors_name_the_setting(self) -> None:
        good, nonsense, missing = self.certificate, self.folder / "nonsense", self.folder / "missing"
        nonsense.write_text("nonsense")
        for settings, path in (
            (TLSSettings(certificate=missing, key=missing), "tls.certificate"),
            (TLSSettings(certificate=nonsense, key=self.key), "tls.certificate"),
            (TLSSettings(certificate=good, key=missing), "tls.key"),
            (TLSSettings(certificate=good, key=nonsense), "tls.key"),
            (TLSSettings(certificate=good, key=self.new_pair("other")[1]), "tls.key"),
            (TLSSettings(certificate=good, key=self.key, client_ca=missing), "tls.client_ca"),
            (TLSSettings(certificate=good, key=self.key, client_ca=nonsense), "tls.client_ca"),
        ):
            error = self.assertRaises(SettingError, self.service, settings)
            self.assertEqual(error.path, path)
            self.assertTrue(str(error).startswith(f"{path}: {self.folder}/"), error)
            self.assertNotIn("\n", str(error))
