"""Policies of MTA-STS are fetched, kept, and renewed before they end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.relay._tls import _sts
from mailproto.relay._tls._sts import FETCHES_LIMIT, MEMORY_LIMIT, MTASTS, RETRY_SECONDS
from mailproto.relay._tls._sts_fetch import FetchFailed
from mailproto.relay._tls._sts_policy import STSPolicy, parse_policy
from mailproto.relay._tls._sts_store import KeptPolicy, STSStore
from tests.relay.dns_network import Network
from tests.relay.fake_resolver import FakeResolver

START = 1_800_000_000.0
DAY = 86400


def policy_text(host: str = "mx.example", mode: str = "enforce", max_age: int = 10 * DAY) -> bytes:
    return f"version: STSv1\nmode: {mode}\nmx: {host}\nmax_age: {max_age}\n".encode()


class Host:
    """Has the policies that a test has set; an exception is raised, a Deferred is waited for."""

    def __init__(self) -> None:
        self.says: Any = policy_text()
        self.asked: list[str] = []

    async def fetch(self, domain: str) -> tuple[bytes, STSPolicy]:
        self.asked.append(domain)
        says = self.says
        if isinstance(says, Deferred):
            says = await says
        if isinstance(says, Exception):
            raise says
        return says, parse_policy(says)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Network({})
        self.dns = FakeResolver()
        self.host = Host()
        self.folder = Path(self.mktemp())
        self.restart()

    def restart(self) -> None:
        self.sts = MTASTS(self.reactor, self.dns, self.folder, now=lambda: START + self.reactor.seconds())
        self.sts._host = self.host  # type: ignore[assignment]

    def announce(self, id: str = "1", domain: str = "example.org") -> None:
        self.dns.say(f"_mta-sts.{domain}", TXT=[f"v=STSv1; id={id};".encode()])

    def patterns(self, domain: str = "example.org") -> tuple[str, ...] | None:
        policy = self.successResultOf(ensureDeferred(self.sts.policy(domain)))
        return None if policy is None else policy.patterns


class FetchingTests(Case):
    def test_no_announcement_no_policy(self) -> None:
        self.assertIsNone(self.patterns())
        self.dns.break_down("_mta-sts.example.org", "TXT")
        self.assertIsNone(self.patterns())
        self.assertEqual(self.host.asked, [])
        self.assertFalse(self.folder.exists())

    def test_fetched_once(self) -> None:
        self.announce()
        for _ in range(3):
            self.assertEqual(self.patterns(), ("mx.example",))
        self.assertEqual(self.host.asked, ["example.org"])

    def test_another_id(self) -> None:
        self.announce("1")
        self.patterns()
        self.host.says = policy_text("new.example")
        self.announce("2")
        self.assertEqual(self.patterns(), ("new.example",))
        self.assertEqual(len(self.host.asked), 2)

    def test_all_wait_for_one_attempt(self) -> None:
        self.announce()
        self.host.says = coming = Deferred()
        waiting = [ensureDeferred(self.sts.policy("example.org")) for _ in range(3)]
        coming.callback(policy_text())
        for each in waiting:
            self.assertIsNotNone(self.successResultOf(each))
        self.assertEqual(len(self.host.asked), 1)

    def test_attempts_have_a_limit(self) -> None:
        self.host.says = Deferred()
        for number in range(FETCHES_LIMIT):
            self.announce(domain=f"{number}.example")
            self.assertNoResult(ensureDeferred(self.sts.policy(f"{number}.example")))
        self.announce()
        self.assertIsNone(self.patterns())
        self.assertEqual(len(self.host.asked), FETCHES_LIMIT)

    def test_a_failure_is_remembered_for_a_while(self) -> None:
        self.announce()
        self.host.says = FetchFailed("no")
        for _ in range(3):
            self.assertIsNone(self.patterns())
        self.reactor.advance(RETRY_SECONDS - 1)
        self.assertIsNone(self.patterns())
        self.assertEqual(len(self.host.asked), 1)
        self.host.says = policy_text()
        self.reactor.advance(1)
        self.assertEqual(self.patterns(), ("mx.example",))

    def test_an_error_of_ours_is_in_the_log(self) -> None:
        self.announce()
        self.host.says = ZeroDivisionError()
        self.assertIsNone(self.patterns())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class KeepingTests(Case):
    def test_it_counts_until_its_end_whatever_becomes_of_the_rest(self) -> None:
        """RFC 8461 10.2: who can only hide the announcement gains nothing."""
        self.announce()
        self.patterns()
        self.host.says = FetchFailed("no")
        self.dns.break_down("_mta-sts.example.org", "TXT")
        self.reactor.advance(10 * DAY - 1)
        self.assertEqual(self.patterns(), ("mx.example",))
        self.reactor.advance(1)
        self.assertIsNone(self.patterns())

    def test_a_new_one_that_cannot_be_had(self) -> None:
        self.announce()
        self.patterns()
        self.announce("2")
        self.host.says = FetchFailed("no")
        self.assertEqual(self.patterns(), ("mx.example",))

    def test_renewed_when_half_of_its_time_has_passed(self) -> None:
        self.announce()
        self.patterns()
        self.reactor.advance(5 * DAY)
        self.patterns()
        self.assertEqual(len(self.host.asked), 1)
        self.host.says = coming = Deferred()
        self.reactor.advance(1)
        self.assertEqual(self.patterns(), ("mx.example",))  # nobody waits
        coming.callback(policy_text("new.example"))
        self.assertEqual(len(self.host.asked), 2)
        self.host.says = FetchFailed("no")
        self.reactor.advance(9 * DAY)
        self.assertEqual(self.patterns(), ("new.example",))

    def test_a_restart(self) -> None:
        self.announce()
        self.patterns()
        self.restart()
        self.assertEqual(self.patterns(), ("mx.example",))
        self.assertEqual(len(self.host.asked), 1)

    def test_a_damaged_file(self) -> None:
        self.announce()
        self.patterns()
        [file] = self.folder.iterdir()
        whole = file.read_bytes()
        for damaged in (
            b"",
            whole[:-5],
            b"[]",
            b'"x"',
            whole.replace(b"example.org", b"example.com"),
            b"\xff",
        ):
            file.write_bytes(damaged)
            self.host.asked.clear()
            self.restart()
            self.assertEqual(self.patterns(), ("mx.example",), damaged)
            self.assertEqual(len(self.host.asked), 1, damaged)

    def test_a_folder_that_cannot_be_used(self) -> None:
        self.folder.write_text("no folder")
        self.announce()
        self.assertEqual(self.patterns(), ("mx.example",))
        self.assertEqual(self.patterns(), ("mx.example",))
        self.assertEqual(len(self.host.asked), 1)

    def test_memory_has_a_limit(self) -> None:
        self.assertLessEqual(MEMORY_LIMIT, 1000)
        self.patch(_sts, "MEMORY_LIMIT", 20)
        for number in range(25):
            self.announce(domain=f"{number}.example")
            self.patterns(f"{number}.example")
        self.assertEqual(len(self.sts._known), 20)
        self.assertEqual(self.patterns("0.example"), ("mx.example",))  # from its file
        self.assertEqual(len(self.host.asked), 25)


class StoreTests(SynchronousTestCase):
    def test_the_oldest_are_removed(self) -> None:
        folder = Path(self.mktemp())
        store = STSStore(folder, limit=20)
        kept = KeptPolicy("1", START, parse_policy(policy_text()))
        for number in range(20):
            names = store.save(f"{number}.example", kept, policy_text())
            os.utime(folder / store.name(f"{number}.example"), (number, number))
        self.assertEqual(len(names), 20)
        self.assertEqual(store.save("5.example", kept, policy_text()), names)  # no new one
        names = store.save("new.example", kept, policy_text())
        self.assertEqual(names, set(os.listdir(folder)))
        self.assertEqual(len(names), 19)
        self.assertIsNone(store.load("1.example"))
        self.assertEqual(store.load("2.example"), kept)

    def test_any_domain(self) -> None:
        store = STSStore(self.mktemp())
        kept = KeptPolicy("1", START, parse_policy(policy_text()))
        for domain in (".".join(["a" * 60] * 4), "con.example", "a_b.example"):
            store.save(domain, kept, policy_text())
            self.assertEqual(store.load(domain), kept)

    def test_the_longest_policy_is_read_again(self) -> None:
        store = STSStore(self.mktemp())
        text = policy_text() + b"x: " + b"\x01" * 65000 + b"\n"
        kept = KeptPolicy("1", START, parse_policy(text))
        store.save("example.org", kept, text)
        self.assertEqual(store.load("example.org"), kept)
