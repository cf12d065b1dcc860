"""`Dialogue`: what it takes, what it refuses, and how it shows what went wrong."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols.basic import LineReceiver
from twisted.trial.unittest import SynchronousTestCase

from mailproto.testing import ELSEWHERE, FEEDS, Dialogue, DialogueError, Feed, play_each_way


class Parrot(LineReceiver):
    """Greets, and says what it is told, but for some words."""

    def connectionMade(self) -> None:
        self.sendLine(b"hello " + self.factory.greeting)

    def lineReceived(self, line: bytes) -> None:
        self.factory.lines.append(line)
        match line.split(b" "):
            case [b"quit"]:
                self.sendLine(b"bye")
                self.transport.loseConnection()
            case [b"tls"]:
                self.sendLine(b"go ahead")
                self.transport.startTLS(None)  # type: ignore[attr-defined]
            case [b"later", seconds]:
                self.factory.clock.callLater(float(seconds), self.sendLine, b"now")
            case [b"twice", *words]:
                self.sendLine(b" ".join(words))
                self.sendLine(b" ".join(words))
            case [b"all", *words]:
                for other in self.factory.all:
                    other.sendLine(b" ".join(words))
            case [b"bare", *words]:
                self.transport.write(b" ".join(words))
            case _:
                self.sendLine(line)


class ParrotFactory(Factory):
    protocol = Parrot
    greeting = b"you"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lines: list[bytes] = []
        self.all: list[Parrot] = []

    def buildProtocol(self, addr: Any) -> Any:
        self.address = addr
        protocol: Any = super().buildProtocol(addr)
        self.all.append(protocol)
        return protocol


class ParrotTestCase(SynchronousTestCase):
    def make(self, **settings: Any) -> Dialogue:
        clock = Clock()
        self.factory = ParrotFactory(clock)
        return Dialogue(self.factory, clock=clock, **settings)

    def refused(self, text: str, feed: Feed = "turns", **values: Any) -> str:
        """The message of the error that a dialogue ends with."""
        error = self.assertRaises(DialogueError, self.make(feed=feed).play, text, **values)
        return str(error)


class DialogueTests(ParrotTestCase):
    def test_every_line_is_expected_in_every_way(self) -> None:
        play_each_way(
            self.make,
            """
            S: hello you
            C: a
            C: b
            S: a
            S: b

            # A comment
            C: quit
            S: bye
            S closes
            """,
        )

    def test_what_is_missing_is_too_much_or_is_different_fails_in_every_way(self) -> None:
        for text in (
            "C: a\nS: a",
            "S: hello you\nC: a",
            "S: hello you\nC: a\nS: b",
            "S: hello you\nC: a\nS: a\nS: a",
            "S: hello you\nC: twice a\nS: a",
            "S: hello you\nS: more",
            "S: hello\nC: a\nS: a",
            "S: ello you",
            "S: hello you\nC: quit\nS: bye",
            "S: hello you\nC: a\nS: a\nS closes",
            "S: hello you\nC: quit\nS closes",
            "S: hello you\nC: later 5\nwait 4 s\nS: now",
            "S: hello you\nC: later 5\nwait 5 s",
            "S: hello you\nC: later 5\nwait 5 s\nC: a\nS: now\nS: a",
            "S: hello you\nC: bare x\nS: x",
            "S: hello you\nC: x\nS~: x",
            "S: hello you\nC starts TLS",
            "S: hello you\nC2: x\nS2: x",
            "S: hello you\nC2: all x\nS2: hello you\nS2: x",
            "S: hello you\nC2: all x\nS: x\nS2: x",
            "S: hello you\nC: twice a\nS*: b\nS: a",
            "S: hello you\nC: a b\nS: <<x>> <<x>>",
        ):
            for feed in FEEDS:
                with self.subTest(text=text, feed=feed):
                    self.refused(text, feed)

    def test_part_of_a_line_any_lines_and_octets(self) -> None:
        self.make().play("S: hello ...\nC: twice x y z\nS: x ... z\nS: ...\nC: bare no end\nS~: no ...")
        for text in (
            "S*: a...\nS: a c",
            "S*: ...\nS: a c",
            "S*: ...",
            "S: a b\nS*: a...",
            "S: a b\nS: a c\nS*: b",
        ):
            with self.subTest(text=text):
                self.make().play(f"S: hello you\nC: a b\nC: a c\n{text}")

    def test_a_line_is_no_pattern(self) -> None:
        self.make().play("S: hello you\nC: [a-z]+ (x) \\d .* ^$\nS: [a-z]+ (x) \\d .* ^$")
        self.assertIn("+ S: .x", self.refused("S: hello you\nC: .x\nS: yx"))

    def test_pictures_space_at_the_end_and_octets_that_are_no_utf_8(self) -> None:
        dialogue = self.make()
        dialogue.play("S: hello you\nC: ␀␉␡␠x é \udcff \nS: ␀␉␡ x é \udcff␠\nC:\nS:\nC:  \nS:  ")
        self.assertEqual(self.factory.lines, [b"\0\t\x7f x \xc3\xa9 \xff ", b"", b" "])
        self.make().play("S: hello you\nC: a␍␊b\nS: a\nS: b")
        self.refused("S: hello you\nC: a \nS: a")

    def test_octets_without_an_end(self) -> None:
        for feed in FEEDS:
            self.make(feed=feed).play("S: hello you\nC~: a\nC~: b\nC: c\nS: abc")

    def test_names_have_values_that_are_given_or_heard(self) -> None:
        dialogue = play_each_way(
            self.make,
            "S: hello <<who>>\nC: twice <<who>> is <<what>>\nS: <<who>> is <<what>>\nS: you is <<again>>\n"
            "C: <<again>>\nS: b␀d ...",
            what=b"b\0d \xff",
        )
        self.assertEqual(dialogue.values, {"who": b"you", "what": b"b\0d \xff", "again": b"b\0d \xff"})
        self.make().play("S: hello you\nC: <<text>>\nS: a\nS: b", text="a\r\nb")
        self.assertIn("- S: <<who>>", self.refused("S: hello <<who>>\nC: me\nS: <<who>>"))
        self.assertRaises(ValueError, self.make().play, "S: hello you\nC: <<what>>")

    def test_addresses_are_no_names(self) -> None:
        self.make().play("S: hello you\nC: <a@b> <<a@b>> << >> <<>>\nS: <a@b> <<a@b>> << >> <<>>")

    def test_time_passes_and_the_test_does_something(self) -> None:
        done: list[str] = []
        dialogue = self.make(actions={"note": lambda: done.append("noted")})
        dialogue.play(
            "S: hello you\nC: later 2.5\nwait 2.4 s\nwait 0.1 s\nS: now\ndo note\nC: later 0\nS: now"
        )
        self.assertEqual(done, ["noted"])

    def test_tls_is_a_border(self) -> None:
        for feed in FEEDS:
            dialogue = self.make(feed=feed)
            dialogue.play("S: hello you\nC: tls\nS: go ahead\nC starts TLS\nC: a\nS: a")
            self.assertTrue(ISSLTransport.providedBy(dialogue.connections[""]))
        self.make(tls=True).play("S: hello you\nC starts TLS")

    def test_connections_have_names(self) -> None:
        for feed in FEEDS:
            dialogue = self.make(feed=feed)
            dialogue.play(
                """
                S: hello you
                Sx: hello you
                Cx: all a
                S: a
                Sx: a
                C: all b
                C2: all c
                Cx closes
                S: b
                Sx: b
                S2: hello you
                S: c
                S2: c
                Sx: c
                """
                if feed != "spare"
                else "S: hello you\nSx: hello you\nCx: x\nSx: x\nCx closes\nC: a\nS: a"
            )
            self.assertEqual(dialogue.connections["x"].is_open, False)

    def test_it_goes_on_in_parts_and_may_leave_something_to_be_read(self) -> None:
        dialogue = self.make()
        dialogue.play("S: hello you\nC: a\n...")
        self.assertEqual(dialogue.connections[""].read(), b"a\r\n")
        dialogue.play("C: b\n...")
        self.assertRaises(DialogueError, dialogue.play, "C: c\nS: c")
        self.assertRaises(ValueError, dialogue.play, "...\nC: c\nS: c")

    def test_peers(self) -> None:
        dialogue = self.make(peer=ELSEWHERE)
        self.assertEqual(dialogue.connect().getPeer().host, ELSEWHERE)
        self.assertEqual(self.factory.address.host, ELSEWHERE)
        self.assertEqual(dialogue.connect(peer="192.0.2.77", tls=True).getPeer().host, "192.0.2.77")

    def test_a_factory_may_refuse(self) -> None:
        dialogue = self.make()
        self.patch(self.factory, "buildProtocol", lambda _: None)
        self.assertRaises(DialogueError, dialogue.play, "S: hello you")

    def test_the_other_side_is_a_client(self) -> None:
        class Client(LineReceiver):
            def lineReceived(self, line: bytes) -> None:
                self.sendLine(line.upper())
                if line == b"bye":
                    self.transport.loseConnection()

        for feed in FEEDS[:2]:
            dialogue = Dialogue(Factory.forProtocol(Client), role="server", feed=feed)
            dialogue.play("S: a\nS: b\nC: A\nC: B\nS: bye\nC: BYE\nC closes")
            dialogue = Dialogue(Factory.forProtocol(Client), role="server", feed=feed)
            self.assertRaises(DialogueError, dialogue.play, "S: a\nC: a")

    def test_what_is_no_dialogue(self) -> None:
        for text in (
            "X: a",
            "C a",
            "S:a",
            "wait",
            "wait x s",
            "wait 3",
            "do",
            "C* a",
            "S closed",
            "C*: a",
            "S: <<a>>\n..x",
        ):
            with self.subTest(text=text):
                self.assertRaises(ValueError, self.make().play, text)
        self.assertRaises(KeyError, self.make().play, "S: hello you\ndo nothing")
        self.assertRaises(ValueError, Dialogue, Factory.forProtocol(Protocol), feed="sideways")

    def test_octets_come_as_the_feed_says(self) -> None:
        class Pieces(Protocol):
            def dataReceived(self, data: bytes) -> None:
                pieces.append(data)
                if data.endswith(b"\n"):
                    self.transport.write(b"ok\r\n")

        text = "C: ab\nS*: ok\nC: c\nS*: ok"
        for feed, expected in (
            ("turns", [b"ab\r\n", b"c\r\n"]),
            ("octets", [b"a", b"b", b"\r", b"\n", b"c", b"\r", b"\n"]),
            ("spare", [b"ab\r\nc", b"\r\n"]),
            ("together", [b"ab\r\nc\r\n"]),
        ):
            pieces: list[bytes] = []
            Dialogue(Factory.forProtocol(Pieces), feed=feed).play(text)  # type: ignore[arg-type]
            self.assertEqual(pieces, expected)


class DifferenceTests(ParrotTestCase):
    """A failure is a part of the dialogue, with what differs marked."""

    def test_the_lines_that_differ_are_marked(self) -> None:
        message = self.refused("S: hello you\nC: a\nC: b\nC: c\nS: a\nS: x ...\nS: y\nS: c")
        self.assertEqual(
            message,
            "the server said something else: expected (-) and heard (+) (fed 'turns')\n"
            "    S: hello you\n    C: a\n    C: b\n    C: c\n    S: a\n"
            "  - S: x ...\n  - S: y\n  + S: b\n    S: c",
        )

    def test_any_lines_and_octets_that_cannot_be_seen(self) -> None:
        message = self.refused("S: hello you\nC: a 1\nC: a 2\nC: ␀\nC: bare x\nS*: a ...\nS: b")
        self.assertEqual(
            message.splitlines()[-6:],
            ["    S: a 1", "    S: a 2", "    S*: a ...", "  - S: b", "  + S: ␀", "  + S~: x"],
        )

    def test_closing(self) -> None:
        self.assertEqual(
            self.refused("S: hello you\nC: quit\nS: bye").splitlines()[-4:],
            ["    S: hello you", "    C: quit", "    S: bye", "  + S closes"],
        )
        self.assertEqual(self.refused("S: hello you\nC: a\nS: a\nS closes").splitlines()[-1], "  - S closes")
        self.assertIn("cannot be said", self.refused("S: hello you\nC: quit\nS: bye\nS closes\nC: a"))

    def test_much_is_shortened(self) -> None:
        factory = ParrotFactory(Clock())
        dialogue = Dialogue(factory, clock=factory.clock)
        dialogue.play("S: hello you")
        text = "".join(f"C: {number} {'x' * 1000}\n" for number in range(1000))
        message = str(self.assertRaises(DialogueError, dialogue.play, text))
        self.assertLess(len(message), 30_000)
        self.assertIn("more lines)", message)
