"""The table of POP3's corner cases: where each of its lines is tested, and tests of those without another."""

from __future__ import annotations

from importlib import import_module

from twisted.internet.ssl import CertificateOptions
from twisted.trial.unittest import SynchronousTestCase

from tests.pop3.server.session import ALICE, SessionTestCase

TABLE: dict[int, tuple[str, ...]] = {
    1: (
        "authorization.DialogueTests.test_capa",
        "authorization.PrivacyTests.test_stls_makes_passwords_welcome",
        "transaction.DialogueTests.test_capa_is_the_same_as_before_login",
        "policy.AccountTests.test_the_policy_of_an_account_is_known_after_login",
    ),
    2: (
        "transaction.DialogueTests.test_uidl",
        "transaction.UniqueIdTests.test_it_is_short_printable_and_never_another_ones",
    ),
    3: ("transaction.DialogueTests.test_deleted_messages_are_skipped_and_numbers_do_not_shift",),
    4: ("corner_cases.CornerTests.test_4_a_deleted_message",),
    5: ("corner_cases.CornerTests.test_5_numbers_that_are_none",),
    6: (
        "corner_cases.CornerTests.test_6_dots",
        "wire.wire.DotStuffingTests.test_dots_at_the_beginning_of_lines",
        "wire.wire.DotStuffingTests.test_a_client_reads_the_message_with_crlf",
    ),
    7: ("corner_cases.CornerTests.test_7_sizes_are_those_before_stuffing",),
    8: (
        "transaction.OddMessageTests.test_no_final_line_end",
        "transaction.OddMessageTests.test_lf_alone",
        "wire.wire.DotStuffingTests.test_lf_becomes_crlf_and_crlf_stays",
    ),
    9: ("transaction.DialogueTests.test_top", "corner_cases.CornerTests.test_9_top"),
    10: (
        "transaction.SnapshotTests.test_two_sessions_see_the_mailbox_as_it_was_at_login",
        "authorization.LoginTests.test_a_backend_may_lock_a_second_session_out",
    ),
    11: (
        "transaction.RemovalTests.test_drop_timeout_and_shutdown_remove_nothing",
        "policy.ExpireTests.test_without_quit_nothing_is_removed",
        "authorization.TimeTests.test_ten_minutes_are_allowed_by_default",
    ),
    12: (
        "transaction.RemovalTests.test_quit_is_answered_after_the_commit",
        "transaction.RemovalTests.test_a_commit_that_fails_in_part",
    ),
    13: (
        "authorization.DialogueTests.test_pass_takes_the_rest_of_the_line",
        "authorization.DialogueTests.test_pass_out_of_order",
    ),
    14: (
        "authorization.PrivacyTests.test_plaintext_behind_stls_is_an_attack",
        "authorization.PrivacyTests.test_what_was_said_before_stls_is_forgotten",
        "corner_cases.CornerTests.test_14_stls_only_before_login",
    ),
    15: (
        "authorization.DialogueTests.test_auth_plain_with_an_initial_response",
        "authorization.DialogueTests.test_auth_that_fails",
        "corner_cases.CornerTests.test_15_an_empty_initial_response",
        "corner_cases.CornerTests.test_15_auth_alone_lists_the_mechanisms",
        "sasl.MechanismTests.test_a_checker_that_cannot_tell",
        "response_codes.CodeTests.test_wrong_credentials",
        "utf8.OrderTests.test_only_before_login",
    ),
}
"""The tests of each line, as ``module.Class.method`` below ``tests.pop3.server.test_``."""


class TableTests(SynchronousTestCase):
    def test_every_line_has_its_tests(self) -> None:
        self.assertEqual(list(TABLE), list(range(1, 16)))
        for line, names in TABLE.items():
            self.assertTrue(names, line)
            for name in names:
                *folder, module, tests, method = name.split(".")
                path = ".".join(["tests.pop3", *(folder or ["server"]), f"test_{module}"])
                case = getattr(import_module(path), tests)
                self.assertTrue(callable(getattr(case, method, None)), f"{line}: {name}")


class CornerTests(SessionTestCase):
    def session(self, *messages: bytes) -> str:
        for message in messages:
            self.inbox.add(message)
        return ALICE + "\n"

    def test_4_a_deleted_message(self) -> None:
        ask = "".join(
            f"C: {command}\nS: -ERR Message 1 is deleted\n"
            for command in ("RETR 1", "TOP 1 0", "LIST 1", "UIDL 1", "DELE 1")
        )
        self.play(f"{self.session(b'a', b'b')}C: DELE 1\nS: +OK...\n{ask}C: STAT\nS: +OK 1 1")

    def test_5_numbers_that_are_none(self) -> None:
        script = self.session(b"a")
        for word in ("0", "-1", "99", "abc", "1.0", "+1", "9" * 100, "1 1 1", "\N{SUPERSCRIPT TWO}"):
            for command in ("RETR", "DELE", "LIST", "UIDL", "TOP"):
                script += f"C: {command} {word}{' 0' if command == 'TOP' else ''}\nS: -ERR...\n"
        for command in ("RETR", "DELE", "TOP", "TOP 1", "TOP 1 -1", "TOP 1 x", "STAT 1", "NOOP 1", "RSET 1"):
            script += f"C: {command}\nS: -ERR...\nC: NOOP\nS: +OK\n"
        self.play(script)

    def test_6_dots(self) -> None:
        transport = self.play(self.session(b".a\r\n..\r\n.\r\nb.\r\n"))
        transport.send(b"RETR 1\r\n")
        self.assertEqual(transport.read(), b"+OK 15 octets\r\n..a\r\n...\r\n..\r\nb.\r\n.\r\n")

    def test_7_sizes_are_those_before_stuffing(self) -> None:
        script = self.session(b".a\r\n")
        self.play(f"{script}C: LIST 1\nS: +OK 1 4\nC: STAT\nS: +OK 1 4")

    def test_9_top(self) -> None:
        transport = self.play(self.session(b"A: b\r\n\r\n1\r\n2\r\n"))
        for lines, body in ((0, b""), (1, b"1\r\n"), (2, b"1\r\n2\r\n"), (999_999, b"1\r\n2\r\n")):
            transport.send(b"TOP 1 %d\r\n" % lines)
            self.assertEqual(
                transport.read(), b"+OK Top of message follows\r\nA: b\r\n\r\n" + body + b".\r\n"
            )

    def test_14_stls_only_before_login(self) -> None:
        self.factory = self.make_factory(tls=CertificateOptions())
        self.play(f"{ALICE}\nC: STLS\nS: -ERR Unknown command, or not after login")

    def test_15_an_empty_initial_response(self) -> None:
        self.play("C: AUTH PLAIN =\nS: -ERR Malformed authentication response...\nC: NOOP\nS: -ERR...")

    def test_15_auth_alone_lists_the_mechanisms(self) -> None:
        """Older than RFC 2449; Thunderbird and others ask so."""
        self.play(
            "C: AUTH\nS: +OK Mechanisms\nS: CRAM-MD5\nS: PLAIN\nS: LOGIN\nS: .\nC: AUTH X Y Z\nS: -ERR..."
        )
