"""Two mailboxes are kept in step."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.mirroring import MirrorError, RemoteMailbox, mirror
from mailproto.mirroring._flags import flags_text, merged_flags, read_flags
from mailproto.mirroring._remote_side import RemoteSide
from mailproto.mirroring._state import MirrorState
from mailproto.model import Part
from tests.imap.server.dialogue import run
from tests.mirroring.sides import MirrorTestCase, contents


class OneWayTests(MirrorTestCase):
    def test_messages_flags_and_removals_come_over(self) -> None:
        first = self.put(self.inbox, "one", "\\Seen", "$Kept")
        second = self.put(self.inbox, "two")
        report = self.mirror()
        self.assertEqual((report.copied, report.flagged, report.removed, report.failures), (2, 0, 0, []))
        remote, local = self.seen_there()
        self.assertEqual(remote, local)

        self.flag(self.inbox, second, "\\Flagged")
        self.flag(self.inbox, first, "\\Seen", remove=True)
        self.put(self.inbox, "three")
        report = self.mirror()
        self.assertEqual((report.copied, report.flagged, report.removed), (1, 2, 0))
        remote, local = self.seen_there()
        self.assertEqual(remote, local)

        self.delete(self.inbox, first)
        self.assertEqual(self.mirror().removed, 1)
        remote, local = self.seen_there()
        self.assertEqual(remote, local)
        self.assertEqual(len(local), 2)
        self.assertEqual(self.mirror().changes, 0)

    def test_what_the_target_has_of_its_own_stays(self) -> None:
        self.put(self.local, "own", "\\Flagged")
        uid = self.put(self.inbox, "one")
        self.mirror()
        self.flag(self.local, 2, "\\Answered")
        self.flag(self.inbox, uid, "\\Seen")
        self.mirror()
        flags = {octets[9:12]: flags for octets, flags in contents(self.local)}
        self.assertEqual(flags, {b"own": ("\\Flagged",), b"one": ("\\Answered", "\\Seen")})
        self.assertEqual(len(contents(self.inbox)), 1)

    def test_dates_and_large_messages(self) -> None:
        self.put(self.inbox, "x" * 300_000)
        self.mirror()
        self.assertEqual(*self.seen_there())
        [info] = run(self.local.read([1], Part.INTERNAL_DATE))
        self.assertEqual(info.internal_date, 1_000_000_000)

    def test_from_a_store_to_a_server(self) -> None:
        for text in ("one", "two", "two"):
            self.put(self.local, text, "\\Seen")
        report = self.mirror(between=(self.local, self.remote))
        self.assertEqual((report.copied, report.failures), (3, []))
        self.assertEqual(*self.seen_there())
        self.delete(self.local, 2)
        self.mirror(between=(self.local, self.remote))
        self.assertEqual(*self.seen_there())

    def test_between_two_servers(self) -> None:
        run(self.account.create("Copy"))
        for text in ("one", "two"):
            self.put(self.inbox, text, "\\Seen")
        other = self.sign_in()
        there = RemoteMailbox(other.client, "Copy")
        done = Deferred.fromCoroutine(mirror(self.remote, there, self.state, clock=self.clock))
        for _ in range(50):
            self.link.pump()
            other.pump()
        self.assertEqual(self.successResultOf(done).copied, 2)
        self.assertEqual(contents(run(self.account.open("Copy"))), contents(self.inbox))

    def test_a_dry_run_changes_nothing(self) -> None:
        self.put(self.inbox, "one")
        self.assertEqual(self.mirror(dry_run=True).copied, 1)
        self.assertEqual(contents(self.local), [])
        self.assertFalse(self.state.exists())
        self.mirror()
        self.flag(self.inbox, 1, "\\Seen")
        self.put(self.inbox, "two")
        report = self.mirror(dry_run=True)
        self.assertEqual((report.copied, report.flagged), (1, 1))
        self.assertEqual(len(contents(self.local)), 1)
        report = self.mirror()
        self.assertEqual((report.copied, report.flagged), (1, 1))

    def test_a_state_that_is_lost_doubles_nothing(self) -> None:
        for text in ("one", "two", "two", "three"):
            self.put(self.inbox, text)
        self.mirror()
        self.state.unlink()
        report = self.mirror()
        self.assertEqual((report.copied, report.matched), (0, 4))
        self.assertEqual(*self.seen_there())

    def test_many_equal_messages_are_matched_one_to_one(self) -> None:
        """More than are looked at together, and not as many on one side as on the other."""
        for mailbox, count in ((self.inbox, 620), (self.local, 610)):
            for number in range(count):
                self.put(mailbox, "equal" if number < 600 else f"other {number}")
        self.put(self.local, "equal")
        report = self.mirror()
        self.assertEqual((report.matched, report.copied), (610, 10))
        self.assertEqual(len(contents(self.local)), 621)

    def test_another_uid_validity(self) -> None:
        for text in ("one", "two"):
            self.put(self.inbox, text)
        self.mirror()
        self.delete(self.inbox, 1)
        self.put(self.inbox, "three")
        self.inbox.uid_validity = 77
        report = self.mirror()
        self.assertEqual((report.copied, report.matched, report.removed), (1, 1, 0))
        self.assertEqual(len(contents(self.local)), 3)

    def test_a_state_in_use_or_of_something_else(self) -> None:
        state = MirrorState(self.state)
        self.assertRaisesRegex(MirrorError, "is in use", self.mirror)
        state.close()
        self.mirror()
        self.state.write_bytes(b"something else " * 1000)
        self.assertRaisesRegex(MirrorError, "cannot be used", self.mirror)


class WithoutQresyncTests(OneWayTests):
    without = ("QRESYNC",)


class WithoutModseqsTests(OneWayTests):
    without = ("QRESYNC", "CONDSTORE", "MULTIAPPEND", "IMAP4REV2")


class WithoutUidplusTests(OneWayTests):
    without = ("UIDPLUS", "IMAP4REV2", "MOVE", "MULTIAPPEND")


class BothWaysTests(MirrorTestCase):
    def test_both_sides_change(self) -> None:
        self.put(self.inbox, "one", "\\Seen")
        self.put(self.local, "two", "\\Flagged")
        report = self.mirror(both=True)
        self.assertEqual((report.copied, report.copied_back), (1, 1))
        self.assertEqual(*self.seen_there())
        self.assertEqual(len(contents(self.local)), 2)

        self.flag(self.inbox, 1, "\\Answered")
        self.flag(self.local, 2, "\\Seen", remove=True)
        self.delete(self.local, 1)
        report = self.mirror(both=True)
        self.assertEqual((report.flagged, report.removed), (1, 1))
        self.assertEqual(*self.seen_there())
        [(octets, flags)] = contents(self.local)
        self.assertEqual((octets[9:12], flags), (b"one", ("\\Answered",)))
        self.assertEqual(self.mirror(both=True).changes, 0)

    def test_a_flag_that_one_side_does_not_keep(self) -> None:
        permanent = frozenset({"\\Seen", "\\Deleted"})
        self.patch(type(self.local), "permanent_flags", property(lambda _: permanent))
        self.put(self.inbox, "one", "\\Seen", "$Kept")
        self.mirror(both=True)
        self.flag(self.local, 1, "\\Seen", remove=True)
        self.mirror(both=True)
        self.assertEqual([flags for _, flags in contents(self.inbox)], [("$Kept",)])


class BothWaysWithoutModseqsTests(BothWaysTests):
    without = ("QRESYNC", "CONDSTORE", "MULTIAPPEND", "IMAP4REV2")


class FaultTests(MirrorTestCase):
    def test_a_message_that_is_not_given_is_tried_again(self) -> None:
        for text in ("one", "two"):
            self.put(self.inbox, text)
        read = RemoteSide.read

        async def without_the_first(side: RemoteSide, uids: Any) -> Any:
            async for message in read(side, uids):
                if message.uid != 1:
                    yield message

        with patch.object(RemoteSide, "read", without_the_first):
            report = self.mirror()
        self.assertEqual(list(map(str, report.failures)), ["INBOX, UID 1: the server does not give it"])
        self.assertEqual(report.copied, 1)
        report = self.mirror()
        self.assertEqual((report.copied, report.failures), (1, []))
        self.assertEqual(*self.seen_there())

    def test_a_message_that_is_refused_is_tried_again_and_the_others_are_copied(self) -> None:
        for text in ("one", "x" * 2_000_000, "three"):
            self.put(self.local, text)
        report = self.mirror(between=(self.local, self.remote))
        [failure] = report.failures
        self.assertEqual((failure.mailbox, failure.uid, report.copied), ("INBOX", 2, 2))
        report = self.mirror(between=(self.local, self.remote))
        self.assertEqual((report.copied, report.failures), (0, [failure]))
        self.delete(self.local, 2)
        self.assertEqual(self.mirror(between=(self.local, self.remote)).failures, [])
        self.assertEqual(*self.seen_there())

    def test_a_list_that_is_not_whole_removes_nothing(self) -> None:
        self.link.client._session.capabilities -= {"QRESYNC", "CONDSTORE"}
        for text in ("one", "two"):
            self.put(self.inbox, text)
        self.mirror()
        rows = RemoteSide._rows

        async def without_the_first(side: RemoteSide, fetched: Any) -> Any:
            async for page in rows(side, fetched):
                yield page[1:]

        with patch.object(RemoteSide, "_rows", without_the_first):
            self.assertRaisesRegex(MirrorError, "has listed 1 of 2 messages", self.mirror)
        self.assertEqual(len(contents(self.local)), 2)

    def test_a_mailbox_that_cannot_be_changed(self) -> None:
        self.put(self.inbox, "one")
        self.patch(type(self.local), "writable", property(lambda _: False))
        self.assertRaisesRegex(MirrorError, "INBOX cannot be changed", self.mirror)

    def test_arguments(self) -> None:
        self.assertRaisesRegex(
            TypeError, "source must be a RemoteMailbox", self.mirror, between=("a", self.local)
        )
        self.assertRaisesRegex(TypeError, "both must be", self.mirror, both=1)


class FlagTests(SynchronousTestCase):
    def test_merged(self) -> None:
        def merged(agreed: str, one: str, other: str) -> str:
            return flags_text(merged_flags(*map(read_flags, (agreed, one, other))))

        self.assertEqual(merged("", "\\Seen", "\\Flagged"), "\\Flagged \\Seen")
        self.assertEqual(merged("\\Seen a", "\\Seen", "a B"), "B")
        self.assertEqual(merged("Kept", "kept", "KEPT"), "Kept")
        self.assertEqual(merged("\\Seen", "", ""), "")
