"""What a message needs and a server offers: SIZE, 8BITMIME, SMTPUTF8, CHUNKING, DSN, REQUIRETLS, ..."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import ISSLTransport
from zope.interface import alsoProvides

from mailproto.content import Content
from mailproto.model import Address, Outcome, Recipient
from mailproto.smtp.client._plan import CHUNKING_THRESHOLD
from mailproto.smtp.errors import UNCERTAIN
from tests.smtp.client.dialogue import (
    ALICE,
    BOB,
    PIPELINING,
    SENDER,
    TEXT,
    ClientTestCase,
    LMTPClientTestCase,
    offering,
)

RCPT = "C: RCPT TO:<alice@mx.example>\n"
EIGHT_BIT = "Subject: hello\r\n\r\nGrüße\r\n".encode()
UTF8 = "Subject: Grüße\r\n\r\nHi.\r\n".encode()
BINARY = b"Subject: hello\r\n\r\n\0\r\n.\r\n"


class PlanTests(ClientTestCase):
    """The commands of a message, or why there are none."""

    def assert_says(self, offered: str, mail: str, content: bytes = TEXT, **settings: Any) -> None:
        self.connect(offered)
        self.client.send(SENDER, [ALICE], content, **settings)  # type: ignore[arg-type]
        self.assertEqual(self.read().decode().splitlines()[0], f"MAIL FROM:<{SENDER}>{mail}")

    def assert_refused(
        self, offered: str, code: int, enhanced: str, content: bytes = TEXT, **settings: Any
    ) -> None:
        """An outcome for everybody, without a word to the server; the next message is sent."""
        self.connect(offered)
        sent = self.client.send(SENDER, [ALICE, BOB], content, **settings)  # type: ignore[arg-type]
        self.assertEqual(self.codes(sent), [(code, enhanced)] * 2)
        self.assertEqual(self.read(), b"")
        self.client.send(SENDER, [ALICE], TEXT)
        self.assertTrue(self.read().startswith(b"MAIL FROM:<me@client.example>"))

    def test_size(self) -> None:
        """RFC 1870: told, and not even tried when it is too much."""
        self.assert_says(offering("SIZE 23"), f" SIZE={len(TEXT)}")
        self.assert_says(offering("SIZE"), f" SIZE={len(TEXT)}")
        self.assert_says(offering("SIZE 0"), f" SIZE={len(TEXT)}")
        self.assert_says(offering("SIZE 99"), f" SIZE={len(TEXT)}", parameters={"SIZE": "1"})
        self.assert_refused(offering("SIZE 23"), 552, "5.3.4", TEXT + b"x")

    def test_8bitmime(self) -> None:
        """RFC 6152 3: never just sent."""
        self.assert_says(offering("8BITMIME"), " BODY=8BITMIME", EIGHT_BIT)
        self.assert_says(offering("8BITMIME"), "", TEXT)
        self.assert_says(PIPELINING, "", TEXT, parameters={"BODY": "8BITMIME"})
        self.assert_refused(PIPELINING, 554, "5.6.3", EIGHT_BIT)

    def test_binarymime(self) -> None:
        """RFC 3030 3: the same; and it needs CHUNKING."""
        self.assert_says(offering("CHUNKING", "BINARYMIME"), " BODY=BINARYMIME", BINARY)
        self.assert_refused(offering("CHUNKING", "8BITMIME"), 554, "5.6.3", BINARY)
        self.assert_refused(offering("BINARYMIME", "8BITMIME"), 554, "5.6.3", BINARY)
        declared = {"BODY": "BINARYMIME"}
        self.assert_refused(offering("CHUNKING"), 554, "5.6.3", b"a\nb", parameters=declared)
        self.assert_says(offering("CHUNKING", "BINARYMIME"), " BODY=BINARYMIME", b"a\nb", parameters=declared)
        self.assert_says(PIPELINING, "", TEXT, parameters=declared)
        self.assert_says(PIPELINING, "", b"a\nb")

    def test_smtputf8(self) -> None:
        """RFC 6531 3.4: for addresses and header fields; not for a body."""
        utf8 = offering("SMTPUTF8", "8BITMIME")
        self.assert_says(utf8, " BODY=8BITMIME SMTPUTF8", UTF8)
        self.assert_says(utf8, " BODY=8BITMIME", EIGHT_BIT)
        self.assert_says(utf8, "", TEXT, parameters={"SMTPUTF8": None})
        self.assert_refused(offering("8BITMIME"), 553, "5.6.7", UTF8)

    def test_smtputf8_for_one_recipient(self) -> None:
        """Those who can be sent to without it are."""
        self.connect(PIPELINING)
        sent = self.client.send(SENDER, ["grüße@mx.example", ALICE], TEXT)
        self.converse(
            "C: MAIL FROM:<me@client.example>\n" + RCPT + "C: DATA\nS: 250 OK\nS: 450 4.2.1 No\nS: 503 No"
        )
        self.assertEqual(self.codes(sent), [(553, "5.6.7"), (450, "4.2.1")])
        self.connect(PIPELINING)
        sent = self.client.send("grüße@client.example", [ALICE], TEXT)
        self.assertEqual(self.codes(sent), [(553, "5.6.7")])

    def test_smtputf8_is_what_is_said_to_lack(self) -> None:
        """RFC 6531 3.5: 5.6.7, whatever else the message needs; 5.6.3 speaks of the content alone."""
        for offered, content, for_alice in (
            (PIPELINING, EIGHT_BIT, (554, "5.6.3")),
            (PIPELINING, BINARY, (554, "5.6.3")),
            (PIPELINING, b"x" * 200_000 + EIGHT_BIT, (554, "5.6.3")),
            (PIPELINING, UTF8, (553, "5.6.7")),
            (PIPELINING, UTF8 + EIGHT_BIT, (553, "5.6.7")),
            (offering("SIZE 1"), EIGHT_BIT, (552, "5.3.4")),
            (offering("SIZE 1"), TEXT, (552, "5.3.4")),
        ):
            with self.subTest(offered=offered, content=content[:40]):
                self.connect(offered)
                sent = self.client.send(SENDER, ["grüße@mx.example", ALICE, "ß@bücher.example"], content)
                self.assertEqual(self.read(), b"")
                self.assertEqual(self.codes(sent), [(553, "5.6.7"), for_alice, (553, "5.6.7")])
                sent = self.client.send("grüße@client.example", [ALICE], content)
                self.assertEqual(self.read(), b"")
                self.assertEqual(self.codes(sent), [(553, "5.6.7")])

    def test_the_header_ends_whatever_lines_end_with(self) -> None:
        """Octets of the body need no SMTPUTF8, even if there is no header."""
        body = "Grüße".encode()
        for header in (
            b"A: b\n\n",
            b"A: b\r\r",
            b"A : b\n c\r\n\n",
            b"\r\n",
            b"\n",
            b"\r",
            b"",
            b"A: b\nnone ",
        ):
            self.assert_says(offering("8BITMIME"), " BODY=8BITMIME", header + body)
        for header in (b"A: ", b"A: b\n ", b"A: b\rB: "):
            self.assert_refused(offering("8BITMIME"), 553, "5.6.7", header + body + b"\n\n")

    def test_size_is_of_what_is_sent(self) -> None:
        """With CRLFs, as RFC 1870 6.1 counts."""
        for content, size in ((b"a\n" * 100, 300), (b"a\rb", 6), (b"a\r\n\rb\n", 8), (b"", 0), (b"\n\r", 4)):
            self.assert_says(offering(f"SIZE {size}"), f" SIZE={size}", content)
        self.assert_refused(offering("SIZE 299"), 552, "5.3.4", b"a\n" * 100)
        self.assert_says(offering("SIZE", "CHUNKING", "BINARYMIME"), " SIZE=4 BODY=BINARYMIME", b"a\n\0b")

    def test_international_domains(self) -> None:
        """A-labels need no SMTPUTF8; with a local part that does, the address stays as it is."""
        self.connect(PIPELINING)
        self.client.send("me@bücher.example", ["a@bücher.example"], TEXT)
        self.converse(
            """
            C: MAIL FROM:<me@xn--bcher-kva.example>
            C: RCPT TO:<a@xn--bcher-kva.example>
            C: DATA
            """
        )
        self.connect(offering("SMTPUTF8"))
        self.client.send(SENDER, ["grüße@bücher.example"], TEXT)
        self.converse(
            """
            C: MAIL FROM:<me@client.example> SMTPUTF8
            C: RCPT TO:<grüße@bücher.example>
            C: DATA
            """
        )

    def test_dsn(self) -> None:
        """RFC 3461 5.2: dropped where it is not offered."""
        recipient = Recipient(
            Address("alice", "mx.example"), {"NOTIFY": "SUCCESS,FAILURE", "ORCPT": "rfc822;a+2Bb@mx.example"}
        )
        for offered, mail, rcpt in (
            (PIPELINING, "", ""),
            (
                offering("DSN"),
                " RET=HDRS ENVID=a+2Bb",
                " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+2Bb@mx.example",
            ),
        ):
            self.connect(offered)
            self.client.send(SENDER, [recipient], TEXT, {"RET": "HDRS", "ENVID": "a+2Bb", "AUTH": "<>"})
            self.converse(
                f"C: MAIL FROM:<me@client.example>{mail}\nC: RCPT TO:<alice@mx.example>{rcpt}\nC: DATA"
            )

    def test_requiretls(self) -> None:
        """RFC 8689 4.2.1: offered is not enough, TLS it must be, and with the server itself."""
        required = {"REQUIRETLS": None}
        self.assert_refused(offering("REQUIRETLS"), 550, "5.7.30", parameters=required)
        self.connect(offering("REQUIRETLS"))
        alsoProvides(self.transport, ISSLTransport)  # with whoever it is
        self.assertEqual(self.codes(self.client.send(SENDER, [ALICE], TEXT, required)), [(550, "5.7.30")])

    def test_others(self) -> None:
        """What may be dropped is, what may not is not."""
        self.assert_says(PIPELINING, "", parameters={"MT-PRIORITY": "3", "BY": "120;N"})
        self.assert_says(offering("MT-PRIORITY"), " MT-PRIORITY=3", parameters={"MT-PRIORITY": "3"})
        self.assert_refused(PIPELINING, 555, "5.5.4", parameters={"BY": "120;R"})
        self.assert_says(offering("DELIVERBY"), " BY=120;R", parameters={"BY": "120;R"})
        self.assert_refused(PIPELINING, 555, "5.5.4", parameters={"HOLDFOR": "5"})
        self.assert_says(offering("FUTURERELEASE 9 9"), " HOLDFOR=5", parameters={"HOLDFOR": "5"})
        self.assert_refused(PIPELINING, 555, "5.5.4", parameters={"X-MINE": "5"})
        self.assert_says(offering("X-MINE"), " X-MINE=5", parameters={"X-MINE": "5"})

    def test_one_recipient_who_needs_more(self) -> None:
        self.connect(PIPELINING)
        sent = self.client.send(SENDER, [ALICE, Recipient(Address("b", "mx.example"), {"X-MINE": "1"})], TEXT)
        self.converse(
            "C: MAIL FROM:<me@client.example>\n" + RCPT + "C: DATA\nS: 250 OK\nS: 550 No\nS: 503 No"
        )
        self.assertEqual(self.codes(sent), [(550, "5.0.0"), (555, "5.5.4")])

    def test_a_file_that_is_gone(self) -> None:
        self.connect(PIPELINING)
        sent = self.client.send(SENDER, [ALICE], Content.of_file("/nowhere/at/all", 100))
        self.assertEqual(self.codes(sent), [(451, "4.3.0")])


class ChunkingTests(ClientTestCase):
    """BDAT (RFC 3030): for binary messages and for large ones."""

    MAIL = f"C: MAIL FROM:<me@client.example> BODY=BINARYMIME\n{RCPT}"

    def large(self, *answers: str) -> str:
        """A large message; ``answers`` are those to its chunks."""
        self.connect(offering("CHUNKING"))
        self.transport.capacity = 1 << 30
        self.text = (b"x" * 78 + b"\n") * (CHUNKING_THRESHOLD // 79 + 1)
        self.sent = self.client.send(SENDER, [ALICE], self.text)
        self.converse("C: MAIL FROM:<me@client.example>\n" + RCPT + "S: 250 OK\nS: 250 OK\n...")
        return self.read().decode()

    def chunks(self, octets: str) -> list[tuple[int, bool, str]]:
        """(size, whether it is the last, text) of each BDAT."""
        found = []
        while octets.startswith("BDAT "):
            command, _, octets = octets.partition("\r\n")
            _, size, *last = command.split()
            found.append((int(size), last == ["LAST"], octets[: int(size)]))
            octets = octets[int(size) :]
        self.assertEqual(octets, "")
        return found

    def test_small_and_binary(self) -> None:
        """All of it in one round trip, and nothing in it is changed."""
        self.connect(offering("CHUNKING", "BINARYMIME"))
        sent = self.client.send(SENDER, [ALICE], BINARY)
        self.assertEqual(self.transport.writes, 2)
        self.converse(
            self.MAIL + f"C: BDAT {len(BINARY)} LAST\n"
            "C: Subject: hello\nC:\nC: \0\nC: .\nS: 250 OK\nS: 250 OK\nS: 250 2.0.0 Taken"
        )
        self.assertEqual(self.result(sent), [Outcome(250, "2.0.0", "Taken")])
        self.assertTrue(self.client._session.is_idle)

    def test_small_and_lost(self) -> None:
        """All was sent: it may have been delivered, whatever was answered yet."""
        for answers in ("", "S: 250 OK", "S: 250 OK\nS: 250 OK"):
            self.connect(offering("CHUNKING", "BINARYMIME"))
            sent = self.client.send(SENDER, [ALICE], BINARY)
            self.read()
            self.converse(answers)
            self.transport.drop()
            self.assertEqual(self.result(sent), [UNCERTAIN])

    def test_small_and_refused_and_lost(self) -> None:
        for answers, outcome in (
            ("S: 550 5.7.1 No", (550, "5.7.1")),
            ("S: 250 OK\nS: 550 5.1.1 No", (550, "5.1.1")),
            ("S: 250 OK\nS: 421 4.3.2 Going\nC closes", (421, "4.3.2")),
        ):
            self.connect(offering("CHUNKING", "BINARYMIME"))
            sent = self.client.send(SENDER, [ALICE], BINARY)
            self.read()
            self.converse(answers)
            self.transport.drop()
            self.assertEqual(self.codes(sent), [outcome])

    def test_small_and_nobody(self) -> None:
        self.connect(offering("CHUNKING", "BINARYMIME"))
        sent = self.client.send(SENDER, [ALICE], BINARY)
        self.read()
        self.converse("S: 250 OK\nS: 550 5.1.1 No\nS: 503 5.5.1 Nobody")
        self.assertEqual(self.codes(sent), [(550, "5.1.1")])
        self.client.send(SENDER, [ALICE], BINARY)
        self.assertTrue(self.read().startswith(b"RSET\r\nMAIL"))

    def test_large(self) -> None:
        """Only when somebody is accepted, in chunks that are whole, with CRLF."""
        chunks = self.chunks(self.large())
        self.assertGreater(len(chunks), 3)
        self.assertEqual([last for _, last, _ in chunks], [False] * (len(chunks) - 1) + [True])
        self.assertEqual("".join(text for _, _, text in chunks).encode(), self.text.replace(b"\n", b"\r\n"))
        self.converse("S: 250 OK\n" * (len(chunks) - 1))
        self.assertNoResult(self.sent)
        self.converse("S: 250 2.0.0 Taken")
        self.assertEqual(self.codes(self.sent), [(250, "2.0.0")])
        self.client.send(SENDER, [ALICE], TEXT)
        self.assertTrue(self.read().startswith(b"MAIL"))

    def test_large_and_nobody(self) -> None:
        self.connect(offering("CHUNKING"))
        sent = self.client.send(SENDER, [ALICE], b"x" * CHUNKING_THRESHOLD)
        self.read()
        self.converse("S: 250 OK\nS: 550 5.1.1 No")
        self.assertEqual(self.codes(sent), [(550, "5.1.1")])
        self.assertEqual(self.read(), b"")

    def test_a_chunk_is_refused(self) -> None:
        """What was sent already is answered; the transaction is left by RSET."""
        chunks = self.chunks(self.large())
        self.converse("S: 250 OK\nS: 552 5.3.4 Too much\n" + "S: 503 5.5.1 No\n" * (len(chunks) - 3))
        self.assertNoResult(self.sent)
        self.converse("S: 503 5.5.1 No")
        self.assertEqual(self.codes(self.sent), [(552, "5.3.4")])
        self.client.send(SENDER, [ALICE], TEXT)
        self.assertTrue(self.read().startswith(b"RSET\r\nMAIL"))

    def test_421_behind_a_refused_chunk(self) -> None:
        chunks = self.chunks(self.large())
        self.assertGreater(len(chunks), 3)
        self.converse("S: 250 OK\nS: 552 5.3.4 Too much\nS: 421 4.3.2 Going\nC closes")
        self.assertEqual(self.codes(self.sent), [(552, "5.3.4")])

    def test_no_chunk_follows_one_that_was_refused(self) -> None:
        self.connect(offering("CHUNKING"))
        self.transport.capacity = 1000
        sent = self.client.send(SENDER, [ALICE], b"x" * CHUNKING_THRESHOLD)
        self.read()
        self.converse("S: 250 OK\nS: 250 OK\nS: 452 4.3.1 Disk full\n...")
        self.assertEqual(self.codes(sent), [(452, "4.3.1")])
        self.assertEqual(self.read().count(b"BDAT"), 1)


class LMTPChunkingTests(LMTPClientTestCase):
    def test_an_answer_for_each(self) -> None:
        self.connect(
            "S: 220 mx\nC: LHLO client.example\n"
            "S: 250-mx\nS: 250-BINARYMIME\nS: 250-CHUNKING\nS: 250 PIPELINING"
        )
        sent = self.client.send(SENDER, [ALICE, BOB, ALICE], BINARY)
        self.read()
        self.converse(
            "S: 250 OK\nS: 250 OK\nS: 550 No\nS: 250 OK\nC: BDAT 24 LAST\nC: Subject: hello\nC:\nC: ␀\nC: .\n"
            "S: 250 2.1.5 One\nS: 452 4.2.2 Two"
        )
        self.assertEqual(self.codes(sent), [(250, "2.1.5"), (550, "5.0.0"), (452, "4.2.2")])

    LHLO = (
        "S: 220 mx\nC: LHLO client.example\nS: 250-mx\nS: 250-BINARYMIME\nS: 250-CHUNKING\nS: 250 PIPELINING"
    )

    def test_nobody_is_accepted(self) -> None:
        """No BDAT then: its answers would be none (RFC 2033 4.3), or one of a server that knows no better."""
        self.connect(self.LHLO)
        sent = self.client.send(SENDER, [ALICE, BOB], BINARY)
        self.converse(
            """
            C: MAIL FROM:<me@client.example> BODY=BINARYMIME
            C: RCPT TO:<alice@mx.example>
            C: RCPT TO:<bob@mx.example>
            S: 250 OK
            S: 550 5.1.1 No
            S: 550 5.1.1 No
            """
        )
        self.assertEqual(self.codes(sent), [(550, "5.1.1")] * 2)
        self.assertEqual(self.read(), b"")

    def large(self) -> None:
        """Two chunks and a bit to two recipients, all but the last one sent."""
        self.connect(self.LHLO)
        self.transport.capacity = 1 << 30
        content = (b"x" * 78 + b"\r\n") * (CHUNKING_THRESHOLD // 80 + 1)
        self.sent = self.client.send(SENDER, [ALICE, BOB], content)
        self.read()
        self.converse("S: 250 OK\nS: 250 OK\nS: 250 OK\n...")
        self.chunks = self.read().count(b"BDAT ")
        self.assertGreater(self.chunks, 2)

    def test_the_last_chunk_waits_for_the_others(self) -> None:
        self.large()
        self.converse("S: 250 OK\n" * (self.chunks - 1))
        self.assertEqual(self.read(), b"")
        self.converse("S: 250 OK\n...")
        self.assertRegex(self.read(), rb"\ABDAT [0-9]+ LAST\r\n")
        self.converse("S: 250 2.1.5 One\nS: 452 4.2.2 Two")
        self.assertEqual(self.codes(self.sent), [(250, "2.1.5"), (452, "4.2.2")])

    def test_a_chunk_is_refused(self) -> None:
        """There is no last one, of which nobody knows how many answers it has."""
        self.large()
        self.converse("S: 250 OK\nS: 452 4.3.1 Disk full\n" + "S: 503 5.5.1 No\n" * (self.chunks - 2))
        self.assertEqual(self.codes(self.sent), [(452, "4.3.1")] * 2)
        second = self.client.send(SENDER, [ALICE], TEXT)
        self.assertTrue(self.read().startswith(b"RSET\r\nMAIL"))
        self.converse("S: 250 OK\nS: 250 OK\nS: 550 5.1.1 No\nS: 503 No")
        self.assertEqual(self.codes(second), [(550, "5.1.1")])


class StreamingTests(ClientTestCase):
    def test_no_faster_than_the_server_reads(self) -> None:
        self.connect(PIPELINING)
        self.transport.capacity = 1000
        content = b".\r\n" * 1_000_000
        sent = self.client.send(SENDER, [ALICE], content)
        self.read()
        self.converse("S: 250 OK\nS: 250 OK\nS: 354 Go\n...")
        self.assertLess(self.transport.unread(), 1 << 20)
        self.assertEqual(self.read(), b"..\r\n" * 1_000_000 + b".\r\n")
        self.converse("S: 250 OK")
        self.assertEqual(self.codes(sent), [(250, "2.0.0")])

    def test_answered_before_the_end(self) -> None:
        """That is the answer, and the connection is out of step."""
        for reply, code in (("552 5.3.4 Too much", 552), ("421 4.3.2 Going", 421), ("250 2.0.0 What?", 451)):
            self.connect(PIPELINING)
            self.transport.capacity = 1000
            sent = self.client.send(SENDER, [ALICE], b".\r\n" * 1_000_000)
            self.read()
            self.converse(f"S: 250 OK\nS: 250 OK\nS: 354 Go\nS: {reply}\n...")
            self.assertEqual(self.codes(sent)[0][0], code)
            self.assertTrue(self.transport.was_aborted)

    def test_a_file_that_ends_too_soon(self) -> None:
        """There is no other way to say that the content has not ended."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(b"x" * 400_000)
        self.connect(PIPELINING)
        content = Content.of_file(path, 400_000)
        sent = self.client.send(SENDER, [ALICE], content)
        self.read()
        content.close()
        with open(path, "wb"):
            pass
        self.converse("S: 250 OK\nS: 250 OK\nS: 354 Go\nC closes")
        self.assertEqual(self.codes(sent), [(451, "4.4.2")])
        self.assertTrue(self.transport.was_aborted)
