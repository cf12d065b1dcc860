"""The next reply is prepared while the client takes the one before: over real sockets, as turns need them."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp

from mailproto import _twisted_internals
from mailproto.connection._staying import Stay
from mailproto.model import POP3Policy
from mailproto.pop3.wire import DotStuffing
from mailproto.testing import LOOPBACK
from tests.pop3.server.session import SessionTestCase
from tests.stepped_reactor import SteppedReactor, heard, tcp_pair


class PreparedTests(SessionTestCase):
    """Alice has messages whose texts are their numbers."""

    def setUp(self) -> None:
        self.addCleanup(_twisted_internals.take_shortcuts, _twisted_internals.take_shortcuts(True))
        super().setUp()
        self.reactor = self.clock = SteppedReactor()
        self.factory = self.make_factory()
        for number in range(1, 11):
            self.inbox.add(b"%d\r\n" % number)
        self.made: list[bytes] = []  # the first lines of the messages that were made bodies of replies
        whole = DotStuffing.whole

        def watched(message: bytes) -> bytes:
            self.made.append(message.partition(b"\r\n")[0])
            return whole(message)

        self.patch(DotStuffing, "whole", watched)

    def tearDown(self) -> None:
        self.reactor.advance(1000)
        self.assertEqual(self.reactor.readers, [])

    def session(self, *, first: bytes = b"") -> socket.socket:
        client, server = tcp_pair()
        self.addCleanup(client.close)
        server.setblocking(False)
        protocol: Any = self.factory.buildProtocol(None)
        protocol.makeConnection(
            tcp.Server(server, protocol, (LOOPBACK, 1), None, 0, self.reactor)  # type: ignore[arg-type]
        )
        self.say(client, first + b"USER alice\r\nPASS secret word\r\n")
        self.addCleanup(protocol.abort)
        return client

    def say(self, client: socket.socket, line: bytes) -> bytes:
        """What is answered in one turn of the reactor."""
        client.send(line)
        self.reactor.turn()
        self.reactor.advance(0)
        return heard(client)

    def retrieve(self, client: socket.socket, *numbers: int) -> None:
        """Retrieve messages, in one go."""
        replies = [b"+OK %d octets\r\n%d\r\n.\r\n" % (len(str(number)) + 2, number) for number in numbers]
        commands = [b"RETR %d\r\n" % number for number in numbers]
        self.assertEqual(self.say(client, b"".join(commands)), b"".join(replies))

    def made_lately(self) -> list[int]:
        made, self.made[:] = [int(text) for text in self.made], []
        return made

    def test_the_next_reply_is_made_before_it_is_asked_for(self) -> None:
        client = self.session()
        made = []
        for number in range(1, 11):
            self.retrieve(client, number)
            made.append(self.made_lately())
        self.assertEqual(made, [[1], [2, 3], [4], [5], [6], [7], [8], [9], [10], []])

    def test_one_of_many_that_were_asked_for_in_one_go(self) -> None:
        client = self.session()
        self.retrieve(client, 1, 2, 3, 4)
        self.assertEqual(self.made_lately(), [1, 2, 3, 4, 5])
        self.retrieve(client, 5, 6, 7)
        self.assertEqual(self.made_lately(), [6, 7, 8])

    def test_who_does_not_go_on_gets_what_is_asked_for(self) -> None:
        client = self.session()
        for number in (1, 2, 5, 3, 3, 4, 5, 10):
            self.retrieve(client, number)

    def test_one_that_is_deleted_now(self) -> None:
        client = self.session()
        self.retrieve(client, 1, 2)
        self.assertEqual(self.made_lately(), [1, 2, 3])
        self.assertEqual(
            self.say(client, b"DELE 3\r\nRETR 3\r\n"),
            b"+OK Message 3 deleted\r\n-ERR Message 3 is deleted\r\n",
        )
        self.assertEqual(self.say(client, b"RSET\r\n")[:3], b"+OK")
        self.retrieve(client, 3)

    def test_one_that_is_large_is_left_as_it_is(self) -> None:
        self.inbox.add(b"large\r\n" * 20_000)
        client = self.session()
        self.retrieve(client, 9, 10)
        self.assertEqual(self.made_lately(), [9, 10])
        self.assertEqual(self.say(client, b"RETR 11\r\n")[-17:], b"large\r\nlarge\r\n.\r\n")

    def test_headers_in_utf_8(self) -> None:
        self.inbox.add("Subject: grün\r\n\r\ntext\r\n".encode())
        client = self.session()
        self.retrieve(client, 9, 10)
        self.assertEqual(self.made_lately(), [9, 10])
        self.assertIn(b"=?utf-8?", self.say(client, b"RETR 11\r\n"))
        client = self.session(first=b"UTF8\r\n")
        self.retrieve(client, 9, 10)
        self.assertEqual(self.made[2:], ["Subject: grün".encode()])
        self.assertIn("grün".encode(), self.say(client, b"RETR 11\r\n"))

    def looks(self, *lines: bytes) -> list[int]:
        """How often the turn looks for more after each of these commands."""
        looks: list[int] = []
        self.patch(Stay, "look", lambda *arguments: looks.append(1))
        client = self.session()
        found = []
        for line in lines:
            looks.clear()
            self.assertEqual(self.say(client, line + b"\r\n")[:3], b"+OK")
            found.append(len(looks))
        return found

    def test_who_retrieves_and_deletes_in_order_is_looked_for(self) -> None:
        looks = self.looks(b"RETR 1", b"DELE 1", b"RETR 2", b"DELE 2", b"NOOP", b"RETR 3", b"DELE 3")
        self.assertEqual(looks, [0, 0, 1, 1, 0, 1, 1])

    def test_who_picks_messages_is_not(self) -> None:
        looks = self.looks(b"RETR 1", b"RETR 2", b"RETR 2", b"DELE 1", b"RETR 9", b"RETR 5")
        self.assertEqual(looks, [0, 1, 0, 0, 0, 0])

    def test_it_was_not_retrieved(self) -> None:
        """EXPIRE 0 removes only what was."""
        self.factory = self.make_factory(policy=POP3Policy(expire=0))
        client = self.session()
        self.retrieve(client, 1, 2)
        self.assertEqual(self.made_lately(), [1, 2, 3])
        self.assertEqual(self.say(client, b"QUIT\r\n"), b"+OK Bye, 2 messages removed\r\n")

    def test_a_client_that_leaves(self) -> None:
        client = self.session()
        self.retrieve(client, 1, 2)
        client.send(b"RETR 3\r\n")
        client.close()
        self.reactor.turn()
        self.reactor.turn()
        self.assertEqual(self.realm.signed_in, 0)
