"""QRESYNC (RFC 7162 3.2): VANISHED, and what a client that was away is told when it comes back."""

from __future__ import annotations

from itertools import chain, pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.server._extensions.qresync import _known_up_to
from mailproto.imap.server._ranges import common, runs, without
from mailproto.model import FlagChange, FlagOperation
from tests.imap.server.dialogue import DialogueTestCase, run


class Case(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(8)
        run(self.inbox.claim_recent())

    def modseq(self) -> int:
        return run(self.inbox.status()).modseq

    def see(self, *uids: int, flag: str = "\\Seen") -> int:
        run(self.inbox.store(list(uids), FlagChange(FlagOperation.ADD, frozenset({flag}))))
        return self.modseq()

    def enable(self, name: str = "", select: str = "INBOX") -> None:
        self.sign_in(name)
        client = self.clients[name]
        client.send(b"e ENABLE QRESYNC\r\n")
        self.assertEqual(client.received(), b"* ENABLED QRESYNC\r\ne OK ENABLE completed\r\n")
        if select:
            client.send(b"s SELECT INBOX\r\n")
            self.assertIn(b"* OK [HIGHESTMODSEQ %d] Highest\r\n" % self.modseq(), client.received())


class EnableTests(Case):
    def test_condstore_is_told_if_it_is_named(self) -> None:
        """Whatever their order is: clients look for it, although QRESYNC enables it."""
        for names in ("QRESYNC CONDSTORE", "CONDSTORE QRESYNC CONDSTORE QRESYNC X-NONE"):
            client = self.sign_in(names)
            client.send(f"e ENABLE {names}\r\nf ENABLE CONDSTORE\r\n".encode())
            told = " ".join(dict.fromkeys(names.split(" ")[:2]))
            self.assertEqual(
                client.received().decode(),
                f"* ENABLED {told}\r\ne OK ENABLE completed\r\n* ENABLED\r\nf OK ENABLE completed\r\n",
            )

    def test_a_client_that_knows_nothing_yet(self) -> None:
        """Some say so by modseq 0, although it should be 1."""
        self.enable(select="")
        validity, uids = self.inbox.uid_validity, run(self.inbox.status()).messages
        client = self.clients[""]
        client.send(b"s SELECT INBOX (CONDSTORE QRESYNC (%d 0))\r\n" % validity)
        answer = client.received()
        self.assertEqual(answer.count(b" FETCH (UID "), uids, answer)
        self.assertNotIn(b"VANISHED", answer)
        self.assertIn(b"s OK [READ-WRITE]", answer)


class VanishedTests(Case):
    """RFC 7162 3.2.10.2; corner case 38."""

    def test_expunge(self) -> None:
        self.enable()
        self.see(2, 3, 5, 8, flag="\\Deleted")
        highest = self.modseq() + 1
        self.talk(
            f"""
            C: a EXPUNGE
            S: * VANISHED 2:3,5,8
            S: a OK [HIGHESTMODSEQ {highest}] EXPUNGE completed
            C: b UID EXPUNGE 1:*
            S: b OK UID EXPUNGE completed
            C: c FETCH 2 (UID MODSEQ)
            S: * 2 FETCH (UID 4 MODSEQ (...))
            S: c OK FETCH completed
            """
        )

    def test_uid_expunge(self) -> None:
        self.enable()
        self.see(2, 3, flag="\\Deleted")
        self.talk(
            f"""
            C: a UID EXPUNGE 3
            S: * 2 FETCH (UID 2 FLAGS (\\Deleted) MODSEQ (...))
            S: * VANISHED 3
            S: a OK [HIGHESTMODSEQ {self.modseq() + 1}] UID EXPUNGE completed
            """
        )

    def test_move(self) -> None:
        """RFC 6851 4.4."""
        run(self.account.create("Work"))
        self.enable()
        self.talk(
            """
            C: a MOVE 2:3 Work
            S: * OK [COPYUID ...] Moved
            S: * VANISHED 2:3
            S: a OK [HIGHESTMODSEQ <<now>>] MOVE completed
            C: b STATUS INBOX (HIGHESTMODSEQ)
            S: * STATUS INBOX (HIGHESTMODSEQ <<now>>)
            S: b OK STATUS completed
            """
        )

    def test_close(self) -> None:
        """RFC 7162 3.2.8: no HIGHESTMODSEQ."""
        self.enable()
        self.see(1, flag="\\Deleted")
        self.talk("C: a CLOSE\nS: a OK CLOSE completed")

    def test_of_another_session_when_it_may_be_told(self) -> None:
        self.enable()
        before = self.modseq()
        self.inbox.remove([2, 3])
        self.talk(
            f"""
            C: a FETCH 1 (FLAGS)
            S: * 1 FETCH (FLAGS ())
            S: * OK [HIGHESTMODSEQ {before}] Highest
            S: a OK FETCH completed
            C: b STORE 1 +FLAGS.SILENT (\\Seen)
            S: * 1 FETCH (UID 1 MODSEQ ({before + 2}))
            S: * OK [HIGHESTMODSEQ {before}] Highest
            S: b OK STORE completed
            C: c UID SEARCH ALL
            S: * VANISHED 2:3
            S: * OK [HIGHESTMODSEQ {before + 2}] Highest
            S: * SEARCH 1 4 5 6 7 8
            S: c OK UID SEARCH completed
            """
        )

    def test_only_of_what_the_client_counts(self) -> None:
        """A message that came and went is never told."""
        self.enable()
        self.fill(1)
        self.inbox.remove([9])
        self.talk("C: a NOOP\nS: a OK NOOP completed")

    def test_while_idle(self) -> None:
        self.enable()
        self.talk("C: a IDLE\nS: + idling")
        self.inbox.remove([1, 2])
        self.talk("S: * VANISHED 1:2\nC: DONE\nS: a OK IDLE completed")

    def test_select_another(self) -> None:
        """RFC 7162 3.2.11."""
        self.enable()
        self.talk("C: a SELECT INBOX\nS: * OK [CLOSED] ...\nS*: * ...\nS: a OK ...")

    def test_a_search_by_numbers_tells_no_expunges(self) -> None:
        """RFC 7162 3.2.10.2: the numbers would mean other messages."""
        self.enable()
        before = self.modseq()
        self.inbox.remove([2])
        self.talk(
            f"""
            C: a UID SEARCH 3:4
            S: * SEARCH 3 4
            S: * OK [HIGHESTMODSEQ {before}] Highest
            S: a OK UID SEARCH completed
            C: b UID SEARCH NOT (OR 3 UID 8)
            S: * SEARCH 1 4 5 6 7
            S: * OK [HIGHESTMODSEQ {before}] Highest
            S: b OK UID SEARCH completed
            C: c UID SEARCH UID 3:4
            S: * VANISHED 2
            S: * OK [HIGHESTMODSEQ {before + 1}] Highest
            S: * SEARCH 3 4
            S: c OK UID SEARCH completed
            """
        )


class ResynchronizeTests(Case):
    def setUp(self) -> None:
        super().setUp()
        self.away = self.modseq()
        self.see(1)
        self.inbox.remove([3, 4, 7])
        self.flagged = self.see(6, flag="\\Flagged")
        self.fill(1)
        run(self.inbox.claim_recent())
        self.validity = self.inbox.uid_validity

    def select(self, known: str, told: str, command: str = "SELECT") -> None:
        self.enable(select="")
        self.talk(
            f"""
            C: a {command} INBOX (QRESYNC ({known}))
            S: * FLAGS ...
            S: * OK [PERMANENTFLAGS ...
            S: * 6 EXISTS
            S: * 0 RECENT
            S: * OK [UNSEEN ...
            S: * OK [UIDVALIDITY {self.validity}] UIDs are valid
            S: * OK [UIDNEXT 10] Predicted next UID
            S: * OK [HIGHESTMODSEQ {self.modseq()}] Highest
            S: * OK [MAILBOXID ...
            {told}
            S: a OK [READ-...] {command} completed
            """
        )

    def test_everything(self) -> None:
        self.select(
            f"{self.validity} {self.away}",
            f"""S: * VANISHED (EARLIER) 3:4,7
            S: * 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ ({self.away + 1}))
            S: * 4 FETCH (UID 6 FLAGS (\\Flagged) MODSEQ ({self.flagged}))
            S: * 6 FETCH (UID 9 FLAGS () MODSEQ ({self.flagged + 1}))""",
        )

    def test_known_uids(self) -> None:
        self.select(
            f"{self.validity} {self.away} 2:3,6:8",
            f"""S: * VANISHED (EARLIER) 3,7
            S: * 4 FETCH (UID 6 FLAGS (\\Flagged) MODSEQ ({self.flagged}))""",
            "EXAMINE",
        )

    def test_numbers_that_match(self) -> None:
        """RFC 7162 3.2.5.2: the client knows all expunges up to there."""
        self.select(
            f"{self.validity} {self.away} 1:8 (2,4,6 2,6,8)",
            f"""S: * VANISHED (EARLIER) 7
            S: * 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ ({self.away + 1}))
            S: * 4 FETCH (UID 6 FLAGS (\\Flagged) MODSEQ ({self.flagged}))""",
        )

    def test_nothing_has_changed(self) -> None:
        self.select(f"{self.validity} {self.modseq()}", "")

    def test_another_uid_validity(self) -> None:
        self.select(f"{self.validity + 1} {self.away} 1:9", "")

    def test_a_modseq_before_the_tombstones(self) -> None:
        """RFC 7162 3.2.6: as if the mailbox remembered nothing."""
        self.inbox._state._forgotten = self.modseq()
        self.select(
            f"{self.validity} {self.away} 1:8 (1:3 1,2,5)",
            """S: * VANISHED (EARLIER) 7
            S: * 1 FETCH ...
            S: * 4 FETCH ...""",
        )

    def test_bad(self) -> None:
        self.enable()
        known = f"{self.validity} {self.away}"
        for wrong in (
            "QRESYNC",
            "QRESYNC ()",
            f"QRESYNC ({self.validity})",
            f"QRESYNC ({known} 1:*)",
            f"QRESYNC ({known} $)",
            f"QRESYNC ({known} 1:8 (1:3 1:2))",
            f"QRESYNC ({known} 1:8 (1:3 1:4))",
            f"QRESYNC ({known} 1:8 (2,1 1,2))",
            f"QRESYNC ({known} 1:8 (1:3 *:4))",
            f"QRESYNC ({known} 1:8 (1:3))",
            f"QRESYNC ({known} 1:8 (1 1) 1)",
            f"QRESYNC ({known} (1 1) 1:8)",
        ):
            self.talk(f"C: a SELECT INBOX ({wrong})\nS: a BAD ...")
        self.talk("C: b FETCH 1 (UID)\nS: * 1 FETCH (UID 1)\nS: b OK FETCH completed")

    def test_not_enabled(self) -> None:
        """RFC 7162 3.2.5: BAD, and the mailbox that was selected stays so."""
        self.sign_in(select="INBOX")
        self.talk(
            f"""
            C: a SELECT INBOX (QRESYNC ({self.validity} {self.away}))
            S: a BAD QRESYNC is not enabled
            C: b UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)
            S*: ...
            S: b BAD QRESYNC is not enabled
            C: c FETCH 1 (UID)
            S: * 1 FETCH (UID 1)
            S: c OK FETCH completed
            """
        )

    def test_fetch_vanished(self) -> None:
        """RFC 7162 3.2.6."""
        self.enable()
        self.talk(
            f"""
            C: a UID FETCH 3:6 (FLAGS) (CHANGEDSINCE {self.away} VANISHED)
            S: * VANISHED (EARLIER) 3:4
            S: * 4 FETCH (UID 6 FLAGS (\\Flagged) MODSEQ ({self.flagged}))
            S: a OK UID FETCH completed
            C: b UID FETCH 7:* (UID) (VANISHED CHANGEDSINCE {self.flagged})
            S: * 6 FETCH (UID 9 MODSEQ ({self.flagged + 1}))
            S: b OK UID FETCH completed
            C: c FETCH 1:* (UID) (CHANGEDSINCE {self.away} VANISHED)
            S: c BAD VANISHED is for UID FETCH with CHANGEDSINCE
            C: d UID FETCH 1:* (UID) (VANISHED)
            S: d BAD VANISHED is for UID FETCH with CHANGEDSINCE
            """
        )

    def test_fetch_vanished_among_saved_results(self) -> None:
        """What is expunged is no saved result any more (RFC 5182 2.1)."""
        self.enable()
        self.talk(
            f"""
            C: a SEARCH RETURN (SAVE) UID 6:8
            S: a OK SEARCH completed
            C: b UID FETCH $ (UID) (CHANGEDSINCE {self.away} VANISHED)
            S: * 4 FETCH (UID 6 MODSEQ ({self.flagged}))
            S: b OK UID FETCH completed
            """
        )

    def test_the_last_messages_have_vanished(self) -> None:
        self.inbox.remove([8, 9])
        self.enable()
        self.talk(
            f"""
            C: a UID FETCH 7:* (UID) (CHANGEDSINCE {self.away} VANISHED)
            S: * VANISHED (EARLIER) 7:9
            S: * 4 FETCH (UID 6 MODSEQ ({self.flagged}))
            S: a OK UID FETCH completed
            """
        )


UIDS = st.sets(st.integers(1, 60)).map(sorted)


def runs_of(numbers: list[int]) -> list[tuple[int, int]]:
    return list(chain(*runs(numbers)))


def spread(ranges: list[tuple[int, int]]) -> list[int]:
    return [number for first, last in ranges for number in range(first, last + 1)]


QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class RangesTests(SynchronousTestCase):
    @QUICK
    @given(UIDS)
    def test_runs(self, numbers: list[int]) -> None:
        found = runs_of(numbers)
        self.assertEqual(spread(found), numbers)
        self.assertTrue(all(a[1] + 1 < b[0] for a, b in pairwise(found)), found)

    def test_many_runs(self) -> None:
        """They come some at a time."""
        numbers = [*range(1, 5000, 2), *range(5000, 9000), 9002]
        pieces = list(runs(numbers))
        self.assertEqual(spread(list(chain(*pieces))), numbers)
        self.assertLessEqual(max(map(len, pieces)), 1000)

    @QUICK
    @given(UIDS, UIDS)
    def test_common(self, left: list[int], right: list[int]) -> None:
        found = list(common(runs_of(left), runs_of(right)))
        self.assertEqual(spread(found), sorted({*left} & {*right}))

    @QUICK
    @given(UIDS, UIDS)
    def test_without(self, left: list[int], right: list[int]) -> None:
        self.assertEqual(spread(list(without(runs_of(left), right))), sorted({*left} - {*right}))

    def test_a_long_run_is_quick(self) -> None:
        looked: list[int | slice] = []

        class Counted:
            def __len__(self) -> int:
                return 1 << 31

            def __getitem__(self, at: int | slice) -> int | range:
                looked.append(at)
                return range(7, (1 << 31) + 7)[at]

        self.assertEqual(list(runs(Counted())), [[(7, (1 << 31) + 6)]])  # type: ignore[arg-type]
        self.assertLess(len(looked), 100)

    @QUICK
    @given(UIDS, UIDS)
    def test_numbers_that_match(self, before: list[int], after: list[int]) -> None:
        """As RFC 7162 3.2.5.2 says it, pair by pair."""
        pairs = [(at + 1, uid) for at, uid in enumerate(before)]
        now = sorted({*before} & {*after})
        expected = max((uid for number, uid in pairs if now[number - 1 : number] == [uid]), default=0)
        ranges = [(range(number, number + 1), range(uid, uid + 1)) for number, uid in pairs]
        self.assertEqual(_known_up_to(now, ranges), expected)
        whole = []
        number = 1
        for first, last in runs_of(before):
            size = last - first + 1
            whole.append((range(number, number + size), range(first, last + 1)))
            number += size
        self.assertEqual(_known_up_to(now, whole), expected)
