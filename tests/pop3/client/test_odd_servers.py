"""What real servers send, against the RFCs: taken where it is clear, refused where it is dangerous."""

from __future__ import annotations

from mailproto.client.errors import CommandRefused, ProtocolViolation
from mailproto.pop3.wire import POP3ReplyLimits
from tests.pop3.client.dialogue import PIPELINING, PLAIN, ClientTestCase


class ListTests(ClientTestCase):
    def listed(self, command: str, lines: str, **settings: object) -> object:
        client = self.connect(PLAIN, **settings)
        result = client.list() if command == "LIST" else client.uidl()
        self.transport.read()
        self.transport.send(b"+OK\r\n" + lines.replace("\n", "\r\n").encode("latin-1") + b".\r\n")
        return self.result(result) if client.is_usable else self.error(result, ProtocolViolation)

    def test_more_fields_and_blanks(self) -> None:
        self.assertEqual(self.listed("LIST", "1 120 extra\n 2  200\n3\t7\n\n"), {1: 120, 2: 200, 3: 7})
        self.assertEqual(self.listed("UIDL", "1 a b\n 2  c\n3\td \n"), {1: "a", 2: "c", 3: "d"})

    def test_numbers_that_are_left_out(self) -> None:
        self.assertEqual(self.listed("LIST", "2 1\n7 1\n"), {2: 1, 7: 1})

    def test_ids_that_are_missing_or_doubled_or_odd(self) -> None:
        self.assertEqual(
            self.listed("UIDL", "1 same\n2 same\n3\n4 \n5 \xe4\xf6\n"), {1: "same", 2: "same", 5: "\xe4\xf6"}
        )
        self.assertEqual(self.listed("UIDL", f"1 {'x' * 255}\n"), {1: "x" * 255})

    def test_sizes_that_lie(self) -> None:
        self.assertEqual(self.listed("LIST", "1 0\n2 999999999999\n"), {1: 0, 2: 999_999_999_999})

    def test_lines_that_mean_nothing(self) -> None:
        for command, line in (
            ("LIST", "x 1"),
            ("LIST", "1"),
            ("LIST", "0 5"),
            ("LIST", "-1 5"),
            ("LIST", "1 -5"),
            ("LIST", "\xb2 5"),
            ("LIST", "99999999999 5"),
            ("UIDL", "id"),
            ("UIDL", "0 id"),
            ("UIDL", f"1 {'x' * 256}"),
        ):
            with self.subTest(command=command, line=line):
                self.assertIn(command, str(self.listed(command, line + "\n")))

    def test_a_number_that_is_doubled(self) -> None:
        for command in ("LIST", "UIDL"):
            self.assertIn("twice", str(self.listed(command, "1 5\n1 6\n")))

    def test_lists_without_end(self) -> None:
        limits = POP3ReplyLimits(list_lines=3, list_line=20)
        self.assertEqual(self.listed("LIST", "1 1\n2 2\n3 3\n", limits=limits), {1: 1, 2: 2, 3: 3})
        for lines in ("1 1\n2 2\n3 3\n4 4\n", "1 " + "1" * 20 + "\n", "1 1 " + "x" * 20):
            self.assertIsInstance(self.listed("LIST", lines, limits=limits), ProtocolViolation)

    def test_an_empty_mailbox(self) -> None:
        self.assertEqual(self.listed("LIST", ""), {})


class AnswerTests(ClientTestCase):
    def test_stat(self) -> None:
        for text, counts in (("2 320", (2, 320)), (" 0 0 octets", (0, 0))):
            result = self.connect(PLAIN).stat()
            self.transport.send(f"+OK {text}\r\n".encode())
            self.assertEqual(self.result(result), counts)
        for text in ("", "2", "many", "1 x"):
            result = self.connect(PLAIN).stat()
            self.transport.send(f"+OK {text}\r\n".encode())
            self.error(result, ProtocolViolation)

    def test_an_answer_to_nothing(self) -> None:
        client = self.connect(PLAIN)
        self.transport.send(b"+OK did you ask?\r\n")
        self.assertFalse(client.is_usable)

    def test_an_answer_before_the_question(self) -> None:
        client = self.connect(PLAIN)
        self.transport.send(b"+O")
        result = client.dele(1)
        self.transport.send(b"K\r\n")
        self.error(result, ProtocolViolation)

    def test_two_answers(self) -> None:
        client = self.connect(PIPELINING)
        first = client.noop()
        self.transport.send(b"+OK\r\n+OK\r\n")
        self.assertIsNone(self.result(first))
        self.error(client.noop(), ProtocolViolation)

    def test_a_challenge_out_of_place(self) -> None:
        result = self.connect(PLAIN).noop()
        self.transport.send(b"+ abc\r\n")
        self.error(result, ProtocolViolation)

    def test_a_message_cannot_forge_answers(self) -> None:
        """A server passes on a message's own line ends, and stuffs only dots after CRLF."""
        client = self.connect(PIPELINING)
        retr, after = client.retr(1), client.uidl(1)
        self.transport.send(b"+OK\r\nHi\n.\n+OK 1 forged\n\n.\r\n+OK 1 forged\r\n.\r\n+OK 1 true\r\n")
        self.assertEqual(self.result(retr), b"Hi\n.\n+OK 1 forged\n\n.\r\n+OK 1 forged\r\n")
        self.assertEqual(self.result(after), {1: "true"})

    def test_no_text(self) -> None:
        client = self.connect(PLAIN)
        result = client.retr(1)
        self.transport.send(b"-ERR\r\n")
        self.assertEqual(str(self.error(result, CommandRefused)), "-ERR")
