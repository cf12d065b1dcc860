"""CONDSTORE (RFC 7162 3.1): modseqs in FETCH, STORE, SEARCH, STATUS and SELECT, and what enables them."""

from __future__ import annotations

from typing import Any

from mailproto.errors import Unavailable
from mailproto.imap.server._view import MailboxView
from mailproto.model import FlagChange, FlagOperation
from tests.imap.server.dialogue import DialogueTestCase, run


def add(flag: str) -> FlagChange:
    return FlagChange(FlagOperation.ADD, frozenset({flag}))


class Case(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(3)
        run(self.inbox.claim_recent())

    def modseq(self) -> int:
        return run(self.inbox.status()).modseq

    def modseqs(self) -> list[int]:
        return list(run(self.inbox.changes_since(0)).changed.modseqs)

    def see(self, *uids: int, flag: str = "\\Seen") -> int:
        """Another session sets a flag; returns the new modseq."""
        run(self.inbox.store(list(uids), add(flag)))
        return self.modseq()


class EnablingTests(Case):
    """RFC 7162 3.1: each of these enables CONDSTORE, and tells HIGHESTMODSEQ at once (and only once)."""

    def assert_enables(self, command: str, answer: str = "S*: ...") -> None:
        self.sign_in(select="INBOX")
        highest = self.modseq()
        self.talk(
            f"""
            C: a {command}
            S: * OK [HIGHESTMODSEQ {highest}] Highest
            {answer}
            S: a OK ...
            """
        )
        changed = self.see(2)
        self.talk(
            f"""
            C: b NOOP
            S: * 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ ({changed}))
            S: b OK NOOP completed
            """
        )

    def test_fetch_modseq(self) -> None:
        first = self.modseqs()[0]
        self.assert_enables("FETCH 1 (MODSEQ)", f"S: * 1 FETCH (MODSEQ ({first}))")

    def test_fetch_changedsince(self) -> None:
        modseqs = self.modseqs()
        self.assert_enables(
            f"FETCH 1:* (UID) (CHANGEDSINCE {modseqs[1]})", f"S: * 3 FETCH (UID 3 MODSEQ ({modseqs[2]}))"
        )

    def test_store_unchangedsince(self) -> None:
        self.assert_enables("STORE 1 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)")

    def test_search_modseq(self) -> None:
        last = self.modseqs()[2]
        self.assert_enables(f"SEARCH MODSEQ {last}", f"S: * SEARCH 3 (MODSEQ {last})")

    def test_status(self) -> None:
        self.assert_enables(
            "STATUS INBOX (HIGHESTMODSEQ)", f"S: * STATUS INBOX (HIGHESTMODSEQ {self.modseq()})"
        )

    def test_list_status(self) -> None:
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a LIST "" INBOX RETURN (STATUS (HIGHESTMODSEQ))
            S: * LIST ...
            S: * OK [HIGHESTMODSEQ <<highest>>] Highest
            S: * STATUS INBOX (HIGHESTMODSEQ <<highest>>)
            S: a OK LIST completed
            """
        )

    def test_enable(self) -> None:
        self.assert_enables("ENABLE CONDSTORE", "S: * ENABLED CONDSTORE")

    def test_before_a_mailbox_is_selected(self) -> None:
        for how in ("ENABLE CONDSTORE", "STATUS INBOX (HIGHESTMODSEQ)"):
            self.sign_in(how)
            highest = self.modseq()
            client = self.clients[how]
            client.send(b"a %b\r\nb SELECT INBOX\r\n" % how.encode())
            self.assertIn(b"* OK [HIGHESTMODSEQ %d] Highest\r\n" % highest, client.received())

    def test_select(self) -> None:
        self.sign_in()
        highest = self.modseq()
        self.talk(
            f"""
            C: a SELECT INBOX (CONDSTORE)
            S: * FLAGS ...
            S: * OK [PERMANENTFLAGS ...
            S: * 3 EXISTS
            S: * 0 RECENT
            S: * OK [UNSEEN 1] First unseen
            S: * OK [UIDVALIDITY ...
            S: * OK [UIDNEXT 4] Predicted next UID
            S: * OK [HIGHESTMODSEQ {highest}] Highest
            S: * OK [MAILBOXID ...
            S: a OK [READ-WRITE] SELECT completed
            C: b FETCH 1 (MODSEQ)
            S: * 1 FETCH (MODSEQ ({self.modseqs()[0]}))
            S: b OK FETCH completed
            C: c EXAMINE INBOX (CONDSTORE)
            S: * OK [CLOSED] ...
            S*: ...
            S: * OK [HIGHESTMODSEQ {highest}] Highest
            S: * OK [MAILBOXID ...
            S: c OK [READ-ONLY] EXAMINE completed
            """
        )

    def test_a_client_that_does_not_want_it(self) -> None:
        """Nothing has modseqs, and the view keeps none."""
        client = self.sign_in(select="INBOX")
        self.see(2)
        self.talk(
            """
            C: b NOOP
            S: * 2 FETCH (UID 2 FLAGS (\\Seen))
            S: b OK NOOP completed
            """
        )
        self.assertIsNone(client.session.view.modseqs)


class FetchTests(Case):
    def test_what_was_removed_in_another_session(self) -> None:
        """The modseqs of the others stay theirs."""
        self.sign_in(select="INBOX")
        self.inbox.remove([2])
        first, third = self.modseqs()
        self.talk(
            f"""
            C: a UID FETCH 1:* (MODSEQ)
            S*: ...
            S: * 1 FETCH (UID 1 MODSEQ ({first}))
            S: * 2 FETCH (UID 3 MODSEQ ({third}))
            S: a OK UID FETCH completed
            """
        )

    def test_new_messages(self) -> None:
        self.sign_in(select="INBOX")
        self.talk("C: a ENABLE CONDSTORE\nS*: * ...\nS: a OK ...")
        self.fill(1)
        run(self.inbox.claim_recent())
        self.talk(
            f"""
            C: b NOOP
            S: * 4 EXISTS
            S: * 0 RECENT
            S: b OK NOOP completed
            C: c FETCH 4 (MODSEQ)
            S: * 4 FETCH (MODSEQ ({self.modseqs()[3]}))
            S: c OK FETCH completed
            """
        )

    def test_seen_is_told_with_uid_and_modseq(self) -> None:
        """RFC 7162 3.2.4; corner case 6."""
        self.sign_in(select="INBOX")
        before = self.modseq()
        self.talk(
            f"""
            C: a FETCH 1:3 (FLAGS) (CHANGEDSINCE {before})
            S: * OK [HIGHESTMODSEQ {before}] Highest
            S: a OK FETCH completed
            C: b FETCH 1 (BODY[TEXT])
            S: * 1 FETCH (BODY[TEXT] {{11}}
            S: Hello Bob
            S:  FLAGS (\\Seen) UID 1 MODSEQ (<<seen>>))
            S: b OK FETCH completed
            C: c FETCH 1:3 (FLAGS) (CHANGEDSINCE {before})
            S: * 1 FETCH (FLAGS (\\Seen) MODSEQ (<<seen>>))
            S: c OK FETCH completed
            """
        )

    def test_bad(self) -> None:
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a FETCH 1 (FLAGS) (CHANGEDSINCE 0)
            S: a BAD A modseq is at least 1
            C: b FETCH 1 (FLAGS) (CHANGEDSINCE)
            S: b BAD ...
            C: c FETCH 1 (FLAGS) (CHANGEDSINCE 9223372036854775808)
            S: c BAD ...
            C: d FETCH 1 (FLAGS) (CHANGEDSINCE 9223372036854775807)
            S: * OK [HIGHESTMODSEQ ...
            S: d OK FETCH completed
            """
        )


class StoreTests(Case):
    def setUp(self) -> None:
        super().setUp()
        self.sign_in(select="INBOX")
        self.talk("C: e ENABLE CONDSTORE\nS*: * ...\nS: e OK ...")

    def test_unchanged_since(self) -> None:
        """Corner case 37: failures are in [MODIFIED], and the rest succeeds."""
        before = self.modseq()
        changed = self.see(2, flag="\\Deleted")
        self.talk(
            f"""
            C: a STORE 1:3 (UNCHANGEDSINCE {before}) +FLAGS.SILENT (\\Deleted)
            S: * 1 FETCH (UID 1 MODSEQ ({changed + 1}))
            S: * 3 FETCH (UID 3 MODSEQ ({changed + 1}))
            S: * 2 FETCH (UID 2 FLAGS (\\Deleted) MODSEQ ({changed}))
            S: a OK [MODIFIED 2] Conditional STORE failed
            C: b UID STORE 2 (UNCHANGEDSINCE {changed}) +FLAGS ($Work)
            S: * FLAGS ...
            S: * 2 FETCH (UID 2 FLAGS (\\Deleted $Work) MODSEQ ({changed + 2}))
            S: b OK UID STORE completed
            C: c UID STORE 1:3 (UNCHANGEDSINCE {changed}) -FLAGS (\\Deleted)
            S: c OK [MODIFIED 1:3] Conditional STORE failed
            """
        )

    def test_another_flag_has_changed(self) -> None:
        """RFC 7162 3.1.12: the client cares for the flag that it sets, and not for others."""
        before = self.modseq()
        changed = self.see(2, flag="\\Deleted")
        self.talk(
            f"""
            C: a106 STORE 1:3 (UNCHANGEDSINCE {before}) +FLAGS.SILENT ($Processed)
            S: * FLAGS ...
            S: * 1 FETCH (UID 1 MODSEQ ({changed + 1}))
            S: * 3 FETCH (UID 3 MODSEQ ({changed + 1}))
            S: * 2 FETCH (UID 2 MODSEQ ({changed + 2}))
            S: * 2 FETCH (UID 2 FLAGS (\\Deleted $Processed) MODSEQ ({changed + 2}))
            S: a106 OK STORE completed
            """
        )
        flagged = self.see(1, 2, flag="\\Flagged")
        self.talk(
            f"""
            C: b STORE 2 (UNCHANGEDSINCE {changed + 2}) -FLAGS (\\Deleted $processed \\Seen)
            S: * 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ ({flagged + 1}))
            S: * 1 FETCH (UID 1 FLAGS (\\Flagged $Processed) MODSEQ ({flagged}))
            S: * 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ ({flagged + 1}))
            S: b OK STORE completed
            """
        )

    def test_another_flag_has_changed_but_all_are_set(self) -> None:
        """RFC 7162 3.1.12: FLAGS without + or - is about all flags."""
        before = self.modseq()
        changed = self.see(2, flag="\\Deleted")
        self.talk(
            f"""
            C: a STORE 2 (UNCHANGEDSINCE {before}) FLAGS (\\Seen)
            S: * 2 FETCH (UID 2 FLAGS (\\Deleted) MODSEQ ({changed}))
            S: a OK [MODIFIED 2] Conditional STORE failed
            """
        )

    def test_what_had_changed_before_the_session(self) -> None:
        """How the flags were at the client's modseq is not known: they may have been another's."""
        before = self.modseq()
        self.see(2, flag="\\Deleted")
        self.talk(
            f"""
            C: a SELECT INBOX
            S*: * ...
            S: a OK [READ-WRITE] SELECT completed
            C: b STORE 2 (UNCHANGEDSINCE {before}) +FLAGS (\\Deleted)
            S: b OK [MODIFIED 2] Conditional STORE failed
            """
        )

    def test_a_flag_that_changes_again_and_again(self) -> None:
        """Others set another flag each time between the look and the change: at last it is refused."""
        before = self.modseq()
        self.see(2)
        store, flags = type(self.inbox).store, iter(("$1", "$2", "$3", "$4"))
        tried: list[int] = []

        async def store_after_another(mailbox: Any, uids: Any, change: Any, unchanged: Any) -> Any:
            tried.append(unchanged)
            await store(mailbox, [2], add(next(flags)))
            return await store(mailbox, uids, change, unchanged)

        self.patch_method(self.inbox, "store", store_after_another)
        self.talk(
            f"""
            C: a STORE 2 (UNCHANGEDSINCE {before}) +FLAGS (\\Flagged)
            S: * FLAGS ...
            S: * FLAGS ...
            S: * 2 FETCH (UID 2 FLAGS (\\Seen $1 $2 $3 $4) MODSEQ ...
            S: a OK [MODIFIED 2] Conditional STORE failed
            """
        )
        self.assertEqual((len(tried), tried[0]), (4, before))

    def test_the_second_attempt_fails(self) -> None:
        """What was stored before is told all the same."""
        before = self.modseq()
        changed = self.see(2)
        store = type(self.inbox).store

        async def store_once(mailbox: Any, uids: Any, change: Any, unchanged: Any) -> Any:
            if unchanged != before:
                raise Unavailable
            return await store(mailbox, uids, change, unchanged)

        self.patch_method(self.inbox, "store", store_once)
        self.talk(
            f"""
            C: a STORE 1:2 (UNCHANGEDSINCE {before}) +FLAGS (\\Flagged)
            S: * 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ ({changed + 1}))
            S: * 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ ({changed}))
            S: a OK [MODIFIED 2] Conditional STORE failed
            """
        )

    def test_a_message_that_goes_meanwhile(self) -> None:
        before = self.modseq()
        changed = self.see(2)
        look = MailboxView.look

        async def look_after_it_is_gone(view: MailboxView) -> None:
            self.inbox.remove([2])
            await look(view)

        self.patch(MailboxView, "look", look_after_it_is_gone)
        self.talk(
            f"""
            C: a UID STORE 1:2 (UNCHANGEDSINCE {before}) +FLAGS (\\Flagged)
            S: * 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ ({changed + 1}))
            S*: * ...
            S: a OK UID STORE completed
            """
        )

    def test_0_always_fails(self) -> None:
        self.talk(
            """
            C: a STORE 2 (UNCHANGEDSINCE 0) +FLAGS.SILENT ($MDNSent)
            S: a OK [MODIFIED 2] Conditional STORE failed
            """
        )

    def test_silent_tells_the_modseq(self) -> None:
        """RFC 7162 3.1.4.2, example 14."""
        self.talk(
            f"""
            C: a STORE 1,3 +FLAGS.SILENT (\\Deleted)
            S: * 1 FETCH (UID 1 MODSEQ ({self.modseq() + 1}))
            S: * 3 FETCH (UID 3 MODSEQ ({self.modseq() + 1}))
            S: a OK STORE completed
            """
        )

    def test_a_flag_that_is_there_changes_no_modseq(self) -> None:
        """RFC 7162 3.1.11."""
        seen = self.see(1)
        self.talk(
            f"""
            C: a STORE 1 +FLAGS.SILENT (\\Seen)
            S: * 1 FETCH (UID 1 MODSEQ ({seen}))
            S: a OK STORE completed
            """
        )

    def test_a_set_that_names_a_message_twice(self) -> None:
        """RFC 7162 3.1.3: it does not fail the second time."""
        now = self.modseq()
        self.talk(
            f"""
            C: a STORE 3,2:3 (UNCHANGEDSINCE {now}) +FLAGS.SILENT (\\Deleted)
            S: * 2 FETCH (UID 2 MODSEQ ({now + 1}))
            S: * 3 FETCH (UID 3 MODSEQ ({now + 1}))
            S: a OK STORE completed
            """
        )

    def test_changes_of_others_come_before_the_ok(self) -> None:
        """A client takes itself to know all changes up to the greatest modseq that it was told."""
        seen = self.see(2)
        self.talk(
            f"""
            C: a STORE 1 +FLAGS (\\Flagged)
            S: * 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ ({seen + 1}))
            S: * 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ ({seen}))
            S: a OK STORE completed
            """
        )

    def test_a_flag_that_was_set_and_removed(self) -> None:
        """The flags are the same, but the modseq is not."""
        self.see(2)
        run(self.inbox.store([2], FlagChange(FlagOperation.REMOVE, frozenset({"\\Seen"}))))
        self.talk(
            f"""
            C: a NOOP
            S: * 2 FETCH (UID 2 FLAGS () MODSEQ ({self.modseq()}))
            S: a OK NOOP completed
            """
        )

    def test_some_messages_are_gone(self) -> None:
        """RFC 7162 3.1.3, example 11: NO with [MODIFIED]; what the client does not know of keeps it low."""
        before = self.modseq()
        changed = self.see(2, flag="\\Deleted")
        self.inbox.remove([3])
        self.talk(
            f"""
            C: a STORE 1:3 (UNCHANGEDSINCE {before}) +FLAGS (\\Deleted)
            S: * 1 FETCH (UID 1 FLAGS (\\Deleted) MODSEQ ({changed + 2}))
            S: * 2 FETCH (UID 2 FLAGS (\\Deleted) MODSEQ ({changed}))
            S: * OK [HIGHESTMODSEQ {before}] Highest
            S: a NO [MODIFIED 2] Conditional STORE failed
            C: b NOOP
            S: * 3 EXPUNGE
            S: * OK [HIGHESTMODSEQ {changed + 2}] Highest
            S: b OK NOOP completed
            """
        )

    def test_expunge(self) -> None:
        """RFC 7162 3.2.7: the response code is there for those who have not enabled QRESYNC, too."""
        self.see(1, 3, flag="\\Deleted")
        highest = self.modseq() + 1
        self.talk(
            f"""
            C: a EXPUNGE
            S: * 1 EXPUNGE
            S: * 2 EXPUNGE
            S: a OK [HIGHESTMODSEQ {highest}] EXPUNGE completed
            C: b EXPUNGE
            S: b OK EXPUNGE completed
            C: c FETCH 1 (MODSEQ)
            S: * 1 FETCH (MODSEQ ({self.modseqs()[1]}))
            S: c OK FETCH completed
            """
        )


class SearchTests(Case):
    def setUp(self) -> None:
        super().setUp()
        self.sign_in(select="INBOX")
        self.talk("C: e ENABLE CONDSTORE\nS*: * ...\nS: e OK ...")

    def test_search(self) -> None:
        one, two, three = self.modseqs()
        self.talk(
            f"""
            C: a SEARCH MODSEQ {two}
            S: * SEARCH 2 3 (MODSEQ {three})
            S: a OK SEARCH completed
            C: b UID SEARCH 1:2 MODSEQ "/flags/\\\\Seen" all 1
            S: * SEARCH 1 2 (MODSEQ {two})
            S: b OK UID SEARCH completed
            C: c SEARCH MODSEQ "/flags/$MDNSent" priv {three + 1}
            S: * SEARCH
            S: c OK SEARCH completed
            C: d SEARCH OR NOT MODSEQ {two} LARGER 50000
            S: * SEARCH 1 (MODSEQ {one})
            S: d OK SEARCH completed
            C: f SEARCH MODSEQ 0
            S: * SEARCH 1 2 3 (MODSEQ {three})
            S: f OK SEARCH completed
            C: g SEARCH MODSEQ
            S: g BAD ...
            C: h SEARCH MODSEQ "/flags/x" all
            S: h BAD ...
            """
        )

    def test_extended(self) -> None:
        """RFC 4731 3.2: of the message that is returned, if it is only one or two."""
        self.see(1)
        one, two, three = self.modseqs()
        self.talk(
            f"""
            C: a SEARCH RETURN (MIN) MODSEQ 1
            S: * 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ ({one}))
            S: * ESEARCH (TAG "a") MIN 1 MODSEQ {one}
            S: a OK SEARCH completed
            C: b SEARCH RETURN (MAX) MODSEQ 1
            S: * ESEARCH (TAG "b") MAX 3 MODSEQ {three}
            S: b OK SEARCH completed
            C: c SEARCH RETURN (MIN MAX) 2:3 MODSEQ 1
            S: * ESEARCH (TAG "c") MIN 2 MAX 3 MODSEQ {three}
            S: c OK SEARCH completed
            C: d UID SEARCH RETURN (MAX COUNT) MODSEQ {two}
            S: * ESEARCH (TAG "d") UID MAX 3 COUNT 3 MODSEQ {one}
            S: d OK UID SEARCH completed
            C: f SEARCH RETURN () MODSEQ {one + 1}
            S: * ESEARCH (TAG "f")
            S: f OK SEARCH completed
            """
        )
