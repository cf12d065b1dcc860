"""The table of IMAP's corner cases: where each of its lines is tested, and tests of those without another."""

from __future__ import annotations

from importlib import import_module

from twisted.trial.unittest import SynchronousTestCase

from mailproto.model import FlagChange, FlagOperation
from tests.imap.server.dialogue import DialogueTestCase, run

TABLE: dict[int, tuple[str, ...]] = {
    1: (
        "select.TwoSessionsTests.test_expunges_are_held_back_from_fetch_store_and_search",
        "select.TwoSessionsTests.test_nothing_is_said_while_no_command_is_in_progress",
    ),
    2: ("select.TwoSessionsTests.test_expunges_are_held_back_from_fetch_store_and_search",),
    3: ("select.ExpungeTests.test_numbers_shift_at_once",),
    4: (
        "select.TwoSessionsTests.test_exists_does_not_shrink_without_expunge",
        "view.ConsistencyTests.test_a_client_that_believes_what_it_is_told",
    ),
    5: (
        "select.TwoSessionsTests.test_a_message_that_vanishes_while_it_is_fetched",
        "fetch.LargeContentTests.test_a_file_that_is_gone_because_the_message_is",
    ),
    6: (
        "fetch.SeenTests.test_reading_a_body_sets_seen_and_says_so",
        "fetch.SeenTests.test_examine_changes_nothing",
        "condstore.FetchTests.test_seen_is_told_with_uid_and_modseq",
    ),
    7: (
        "fetch.AttributeTests.test_messages_named_in_many_ways",
        "store.StoreTests.test_uid_store_answers_with_uids",
    ),
    8: ("fetch.AttributeTests.test_messages_named_in_many_ways",),
    9: (
        "fetch.AttributeTests.test_messages_named_in_many_ways",
        "fetch.AttributeTests.test_an_empty_mailbox",
        "store.StoreTests.test_uid_store_answers_with_uids",
        "corner_cases.CornerTests.test_9_star_in_an_empty_mailbox",
    ),
    10: ("fetch.SectionTests.test_partial_fetches",),
    11: ("fetch.SectionTests.test_parts_of_a_message_without_parts",),
    12: ("fetch.SectionTests.test_parts_of_a_message_with_parts",),
    13: ("fetch.SectionTests.test_header_fields",),
    14: ("fetch.SectionTests.test_structures_that_are_broken",),
    15: ("fetch.SectionTests.test_structures_that_are_broken",),
    16: ("fetch.SectionTests.test_an_envelope_with_little_in_it",),
    17: ("fetch.SectionTests.test_the_whole_message_is_as_long_as_its_size",),
    18: (
        "search.ResultTests.test_nothing_found_is_said",
        "imap4rev2.MessagesTests.test_search",
    ),
    19: ("search.ResultTests.test_charsets",),
    20: ("search.KeyTests.test_dates_ignore_time_and_zone",),
    21: ("search.KeyTests.test_text_is_decoded_and_has_no_case",),
    22: (
        "searchres.SavingTests.test_expunged_messages_leave_it_and_new_ones_do_not_come",
        "searchres.SavingTests.test_the_examples_of_the_rfc",
    ),
    23: (
        "session.LoginTests.test_login_with_literals",
        "search.ResultTests.test_charsets",
        "corner_cases.CornerTests.test_23_literals_wherever_an_astring_may_stand",
    ),
    24: (
        "append.AppendTests.test_a_mailbox_that_is_not_there_is_refused_before_the_octets_come",
        "append.AppendTests.test_a_message_too_large_is_refused_before_the_octets_come",
        "wire.framing.LargeLiteralTests.test_a_synchronising_one_is_not_asked_for_and_not_read",
        "wire.framing.LargeLiteralTests.test_another_is_thrown_away_in_bounded_memory",
        "wire.framing.LargeLiteralTests.test_past_the_bound_it_is_fatal",
    ),
    25: (
        "multiappend.LiteralMinusTests.test_long_literals_must_be_asked_for",
        "multiappend.LiteralMinusTests.test_strings_too",
    ),
    26: (
        "corner_cases.CornerTests.test_26_quoted_strings",
        "wire.framing.LineTests.test_nul_and_a_bare_cr_are_refused",
    ),
    27: (
        "wire.mutf7.ModifiedUTF7Tests.test_pairs",
        "wire.mutf7.ModifiedUTF7Tests.test_other_spellings_are_refused",
        "mailboxes.ListTests.test_names_beyond_ascii",
    ),
    28: ("mailboxes.ListTests.test_patterns", "corner_cases.CornerTests.test_28_inbox_in_any_case"),
    29: (
        "mailboxes.ListTests.test_patterns",
        "mailboxes.ListTests.test_an_empty_pattern_asks_for_the_delimiter",
        "mailboxes.ListTests.test_names_that_hold_only_inferiors",
    ),
    30: (
        "mailboxes.ManageTests.test_rename_moves_inferiors",
        "mailboxes.ManageTests.test_rename_of_inbox_moves_its_messages",
    ),
    31: (
        "mailboxes.ManageTests.test_a_name_used_again_has_a_larger_uidvalidity",
        "mailboxes.ManageTests.test_create_delete_and_what_is_refused",
        "corner_cases.CornerTests.test_31_a_name_that_is_renamed_over",
    ),
    32: ("corner_cases.CornerTests.test_32_uids_never_return",),  # after a crash: tests.durability
    33: (
        "select.SelectTests.test_recent_is_for_one_session_and_examine_leaves_it",
        "recent.RecentTests.test_four_sessions_while_two_append",
    ),
    34: (
        "select.SelectTests.test_a_failed_select_leaves_nothing_selected",
        "qresync.VanishedTests.test_select_another",
    ),
    35: (
        "select.SelectTests.test_close_expunges_without_a_word",
        "corner_cases.CornerTests.test_35_close_after_examine",
    ),
    36: (
        "append.CopyTests.test_copy_keeps_flags_and_dates",
        "append.CopyTests.test_move_tells_of_the_copies_before_the_expunges",
        "append.CopyTests.test_a_target_that_cannot_be_written",
    ),
    37: (
        "condstore.StoreTests.test_unchanged_since",
        "condstore.StoreTests.test_0_always_fails",
        "condstore.StoreTests.test_silent_tells_the_modseq",
    ),
    38: (
        "qresync.VanishedTests.test_expunge",
        "qresync.ResynchronizeTests.test_everything",
        "qresync.VanishedTests.test_of_another_session_when_it_may_be_told",
    ),
    39: (
        "tls.StartTLSTests.test_plaintext_behind_it_closes_the_connection",
        "session.LoginTests.test_authenticate_that_is_cancelled_or_malformed_or_unknown",
    ),
    40: (
        "idle.IdleTests.test_done_and_the_next_command_in_one_packet",
        "idle.IdleTests.test_only_done_ends_it_well",
        "idle.PipelineTests.test_commands_in_one_packet_are_carried_out_in_order",
        "corner_cases.CornerTests.test_40_commands_that_would_mean_something_else",
    ),
}
"""The tests of each line, as ``module.Class.method`` below ``tests.imap.server.test_``."""


class TableTests(SynchronousTestCase):
    def test_every_line_has_its_tests(self) -> None:
        self.assertEqual(list(TABLE), list(range(1, 41)))
        for line, names in TABLE.items():
            self.assertTrue(names, line)
            for name in names:
                *folder, module, tests, method = name.split(".")
                path = ".".join(["tests.imap", *(folder or ["server"]), f"test_{module}"])
                case = getattr(import_module(path), tests)
                self.assertTrue(callable(getattr(case, method, None)), f"{line}: {name}")


class CornerTests(DialogueTestCase):
    def test_9_star_in_an_empty_mailbox(self) -> None:
        self.sign_in(select="INBOX")
        for command in ("FETCH * (FLAGS)", "STORE * +FLAGS (\\Seen)", "COPY 1 Sent", "MOVE * Sent"):
            self.talk(f"C: a {command}\nS: a BAD No such message")
        for command in ("UID FETCH * (FLAGS)", "UID STORE 1:* +FLAGS (\\Seen)", "UID COPY 9 Sent"):
            self.talk(f"C: a {command}\nS: a OK ...")

    def test_23_literals_wherever_an_astring_may_stand(self) -> None:
        self.fill(1)
        self.sign_in()
        self.talk(
            """
            C: a CREATE {4+}
            C: Work
            S: a OK ...
            C: b LIST {0+}
            C:  {2}
            S: + OK
            C: W%
            S: * LIST (\\HasNoChildren) "/" Work
            S: b OK LIST completed
            C: c STATUS {5+}
            C: INBOX (MESSAGES)
            S: * STATUS INBOX (MESSAGES 1)
            S: c OK STATUS completed
            C: d RENAME {4+}
            C: Work {5+}
            C: Other
            S: d OK RENAME completed
            C: e SUBSCRIBE {5+}
            C: Other
            S: e OK SUBSCRIBE completed
            C: f EXAMINE {5}
            S: + OK
            C: inbox
            S*: * ...
            S: f OK [READ-ONLY] EXAMINE completed
            C: g FETCH 1 (BODY.PEEK[HEADER.FIELDS ({7+}
            C: subject)])
            S: * 1 FETCH (BODY[HEADER.FIELDS (subject)] {...
            S*: ...
            S: g OK FETCH completed
            C: h COPY 1 {5+}
            C: Other
            S: h OK [COPYUID ...] COPY completed
            C: i SEARCH HEADER {7+}
            C: subject {0+}
            C:
            S: * SEARCH 1
            S: i OK SEARCH completed
            C: j ID ({4+}
            C: name {0+}
            C: )
            S: * ID ...
            S: j OK ID completed
            """
        )

    def test_26_quoted_strings(self) -> None:
        """Only the quote and the backslash are escaped."""
        self.sign_in()
        self.talk(
            r"""
            C: a CREATE "a\\b\"c"
            S: a OK ...
            C: b LIST "" "a*"
            S: * LIST (\HasNoChildren) "/" "a\\b\"c"
            S: b OK LIST completed
            C: c CREATE "a\b"
            S: c BAD ...
            C: d CREATE "a
            S: d BAD ...
            C: e CREATE a"b
            S: e BAD ...
            """
        )

    def test_28_inbox_in_any_case(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a STATUS iNbOx (MESSAGES)
            S: * STATUS INBOX (MESSAGES 0)
            S: a OK STATUS completed
            C: b CREATE inbox/Sub
            S: b OK ...
            C: c LIST "" "INBOX*"
            S: * LIST (\\HasChildren) "/" INBOX
            S: * LIST (\\HasNoChildren) "/" INBOX/Sub
            S: c OK LIST completed
            C: d CREATE Inbox
            S: d NO [ALREADYEXISTS] ...
            C: e CREATE INBOXES
            S: e OK ...
            C: f STATUS inboxes (MESSAGES)
            S: f NO [NONEXISTENT] ...
            """
        )

    def test_31_a_name_that_is_renamed_over(self) -> None:
        """Its mailbox has a larger UIDVALIDITY than the one that had the name before."""
        run(self.account.create("A"))
        run(self.account.create("B"))
        old = run(self.account.open("B")).uid_validity
        run(self.account.delete("B"))
        self.sign_in()
        self.talk("C: a RENAME A B\nS: a OK RENAME completed")
        self.assertGreater(run(self.account.open("B")).uid_validity, old)

    def test_32_uids_never_return(self) -> None:
        self.fill(3)
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a STORE 2:3 +FLAGS.SILENT (\\Deleted)
            S: a OK STORE completed
            C: b EXPUNGE
            S: * 2 EXPUNGE
            S: * 2 EXPUNGE
            S: b OK EXPUNGE completed
            C: c APPEND INBOX {1+}
            C: x
            S: * 2 EXISTS
            S: * 2 RECENT
            S: c OK [APPENDUID ... 4] APPEND completed
            C: d MOVE 2 Sent
            S: * OK [COPYUID ...] Moved
            S: * 2 EXPUNGE
            S: d OK MOVE completed
            C: e COPY 1 INBOX
            S: * 2 EXISTS
            S: * 2 RECENT
            S: e OK [COPYUID ... 1 5] COPY completed
            """
        )

    def test_35_close_after_examine(self) -> None:
        self.fill(2)
        run(self.inbox.store([1], FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"}))))
        self.sign_in()
        self.talk(
            """
            C: a EXAMINE INBOX
            S*: * ...
            S: a OK [READ-ONLY] EXAMINE completed
            C: b CLOSE
            S: b OK CLOSE completed
            C: c STATUS INBOX (MESSAGES DELETED)
            S: * STATUS INBOX (MESSAGES 2 DELETED 1)
            S: c OK STATUS completed
            """
        )

    def test_40_commands_that_would_mean_something_else(self) -> None:
        """Numbers that follow an EXPUNGE in the same packet are those after it (RFC 9051 5.5)."""
        self.fill(3)
        run(self.inbox.store([1], FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"}))))
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a EXPUNGE
            C: b FETCH 1 (UID)
            C: c UID FETCH 3 (UID)
            S: * 1 EXPUNGE
            S: a OK EXPUNGE completed
            S: * 1 FETCH (UID 2)
            S: b OK FETCH completed
            S: * 2 FETCH (UID 3)
            S: c OK UID FETCH completed
            """
        )
