"""IDLE, and commands that arrive together."""

from __future__ import annotations

from contextvars import ContextVar, copy_context
from typing import Any

from mailproto.imap.server import _columns
from mailproto.imap.server._extensions import idle
from mailproto.model import FlagChange, FlagOperation
from tests.imap.server.dialogue import DialogueTestCase, run


class IdleTests(DialogueTestCase):
    def test_changes_are_told_as_they_come(self) -> None:
        self.fill(3)
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a IDLE
            S: + idling
            """
        )
        self.fill(1)
        self.talk("S: * 4 EXISTS\nS: * 4 RECENT")
        run(self.inbox.store([2], FlagChange(FlagOperation.ADD, frozenset({"\\Seen"}))))
        self.talk("S: * 2 FETCH (UID 2 FLAGS (\\Seen \\Recent))")
        self.inbox.remove([1, 2])
        self.talk("S: * 1 EXPUNGE\nS: * 1 EXPUNGE")
        self.talk(
            """
            C: DONE
            S: a OK IDLE completed
            """
        )
        self.fill(1)
        self.talk(
            """
            C: b NOOP
            S: * 3 EXISTS
            S: * 3 RECENT
            S: b OK NOOP completed
            """
        )

    def test_many_are_told_in_turns(self) -> None:
        self.fill(3)
        clients = [self.sign_in(str(number), select="INBOX") for number in range(20)]
        self.slow_clock(0.001)
        for client in clients:
            client.send(b"a IDLE\r\n")
        while not all(b"idling" in client.received() for client in clients[-1:]):
            self.clock.advance(0)
        for client in clients[:-1]:
            client.received()
        looks: list[int] = []
        changes_since = self.inbox.changes_since

        async def counted(modseq: int) -> Any:
            looks.append(modseq)
            return await changes_since(modseq)

        self.patch_method(self.inbox, "changes_since", lambda inbox, modseq: counted(modseq))
        run(self.inbox.store([2], FlagChange(FlagOperation.ADD, frozenset({"\\Flagged"}))))
        self.assertLess(len(looks), 10)
        told = {client: client.received() for client in clients}
        for _ in range(100):
            self.clock.advance(0)
        for client in clients:
            self.assertIn(b"* 2 FETCH", told[client] + client.received())

    def test_a_new_message_is_told_without_waiting(self) -> None:
        """A coroutine for each of a thousand sessions would take a tenth of a second."""
        self.patch(_columns, "SHARED_FROM", 2)
        self.fill(3)
        clients = [self.sign_in(str(number), select="INBOX") for number in range(10)]
        for client in clients:
            client.send(b"a IDLE\r\n")
            client.received()
        pushes: list[object] = []
        push = idle._Pusher._push

        def counted(pusher: idle._Pusher) -> Any:
            pushes.append(pusher)
            return push(pusher)

        self.patch(idle._Pusher, "_push", counted)
        self.fill(1)
        for recent, client in zip([4, *[0] * 9], clients, strict=True):  # the first one has all from before
            self.assertEqual(client.received(), b"* 4 EXISTS\r\n* %d RECENT\r\n" % recent)
        self.assertEqual(len(pushes), 1, "the one who claims it")
        self.assertEqual(len({id(client.session.view.uids) for client in clients[1:]}), 1)
        run(self.inbox.store([2], FlagChange(FlagOperation.ADD, frozenset({"\\Seen"}))))
        self.fill(1)
        for client in clients:
            self.clock.advance(0)
            self.assertRegex(client.received(), rb"(?s)\* 2 FETCH .*\* 5 EXISTS")

    def test_a_new_message_with_a_new_keyword(self) -> None:
        clients = [self.sign_in(name, select="INBOX") for name in "ab"]
        for client in clients:
            client.send(b"a IDLE\r\n")
            client.received()
        self.fill(1, flags=["$Work"])
        for recent, client in zip((1, 0), clients, strict=True):
            self.assertEqual(
                client.received(),
                b"* FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen $Work)\r\n"
                b"* 1 EXISTS\r\n* %d RECENT\r\n" % recent,
            )

    def test_what_happened_before_comes_first(self) -> None:
        self.fill(2)
        self.sign_in(select="INBOX")
        self.inbox.remove([1])
        self.talk(
            """
            C: a IDLE
            S: * 1 EXPUNGE
            S: + idling
            C: done
            S: a OK IDLE completed
            """
        )

    def test_done_and_the_next_command_in_one_packet(self) -> None:
        """Corner case 40."""
        client = self.sign_in(select="INBOX")
        client.send(b"a IDLE\r\nDONE\r\nb NOOP\r\nc IDLE\r\n")
        self.assertEqual(
            client.received(),
            b"+ idling\r\na OK IDLE completed\r\nb OK NOOP completed\r\n+ idling\r\n",
        )

    def test_only_done_ends_it_well(self) -> None:
        """Corner case 40."""
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a IDLE
            S: + idling
            C: b NOOP
            S: a BAD Expected DONE
            C: c NOOP
            S: c OK NOOP completed
            """
        )
        self.assertIsNone(self.clients[""].session.selected._on_hint)

    def test_a_line_that_is_too_long(self) -> None:
        client = self.sign_in(select="INBOX")
        client.send(b"a IDLE\r\n" + b"x" * 100_000 + b"\r\nb NOOP\r\n")
        self.assertEqual(
            client.received(), b"+ idling\r\na BAD Command line too long\r\nb OK NOOP completed\r\n"
        )

    def test_without_a_mailbox(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a IDLE
            S: + idling
            """
        )
        self.fill(1)
        self.talk(
            """
            C: DONE
            S: a OK IDLE completed
            """
        )

    def test_the_mailbox_is_deleted(self) -> None:
        run(self.account.create("Work"))
        self.sign_in(select="Work")
        self.talk(
            """
            C: a IDLE
            S: + idling
            """
        )
        run(self.account.delete("Work"))
        self.talk("S: * BYE Selected mailbox was deleted\nS closes")
        self.assertFalse(self.clients[""].transport.is_open)

    def test_a_slow_client_is_not_pushed(self) -> None:
        client = self.sign_in(select="INBOX")
        client.send(b"a IDLE\r\n")
        client.received()
        client.session.pauseProducing()
        self.fill(1)
        self.assertIn(b"* 1 EXISTS", client.received())
        self.fill(1)
        self.fill(1)
        self.assertEqual(client.received(), b"")
        client.session.resumeProducing()
        self.assertEqual(client.received(), b"* 3 EXISTS\r\n* 3 RECENT\r\n")

    def test_a_failure_is_logged_and_idling_goes_on(self) -> None:
        client = self.sign_in(select="INBOX")
        client.send(b"a IDLE\r\n")
        client.received()
        original = self.inbox.changes_since

        async def fail(modseq: int) -> None:
            raise ZeroDivisionError

        client.session.selected.mailbox.changes_since = fail
        self.fill(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        client.session.selected.mailbox.changes_since = original
        self.fill(1)
        self.talk(
            """
            S: * 2 EXISTS
            S: * 2 RECENT
            C: DONE
            S: a OK IDLE completed
            """
        )

    def test_half_an_hour(self) -> None:
        client = self.sign_in(select="INBOX")
        client.send(b"a IDLE\r\n")
        client.received()
        for _ in range(31):
            self.clock.advance(60)
        self.assertEqual(client.received(), b"* BYE Idle too long\r\n")

    def test_the_server_stops(self) -> None:
        client = self.sign_in(select="INBOX")
        client.send(b"a IDLE\r\n")
        client.received()
        self.factory.shut_down()
        self.assertEqual(client.received(), b"* BYE [UNAVAILABLE] Server shutting down\r\n")


class PipelineTests(DialogueTestCase):
    def test_commands_in_one_packet_are_carried_out_in_order(self) -> None:
        """Corner case 40."""
        self.fill(2)
        client = self.sign_in(select="INBOX")
        client.send(
            b"a STORE 1 +FLAGS.SILENT (\\Deleted)\r\nb EXPUNGE\r\n"
            b"c FETCH 1 UID\r\nd STORE 1 FLAGS (\\Seen)\r\n"
        )
        self.assertEqual(
            client.received(),
            b"a OK STORE completed\r\n* 1 EXPUNGE\r\nb OK EXPUNGE completed\r\n"
            b"* 1 FETCH (UID 2)\r\nc OK FETCH completed\r\n"
            b"* 1 FETCH (FLAGS (\\Seen \\Recent))\r\nd OK STORE completed\r\n",
        )

    def test_octet_by_octet(self) -> None:
        self.fill(1)
        client = self.sign_in()
        for (
            octet
        ) in b"a SELECT {5}\r\nINBOX\r\nb FETCH 1 (UID)\r\nc SEARCH SUBJECT {6+}\r\nnumber\r\nd LOGOUT\r\n":
            client.send(bytes([octet]))
        received = client.received()
        self.assertTrue(
            received.endswith(
                b"* 1 FETCH (UID 1)\r\nb OK FETCH completed\r\n* SEARCH 1\r\nc OK SEARCH completed\r\n"
                b"* BYE Logging out\r\nd OK LOGOUT completed\r\n"
            ),
            received,
        )


class ContextTests(DialogueTestCase):
    def test_what_is_told_is_looked_up_for_the_client_that_idles(self) -> None:
        """Not for the one whose command made the change."""
        who: ContextVar[str] = ContextVar("who", default="nobody")
        asked: list[str] = []
        client = self.sign_in(select="INBOX")
        changes_since = self.inbox.changes_since

        def note(modseq: int) -> Any:
            asked.append(who.get())
            return changes_since(modseq)

        self.inbox.changes_since = note
        client.session.in_context(who.set, "who idles")
        self.talk("C: a IDLE\nS: + idling")
        asked.clear()
        other = copy_context()
        other.run(who.set, "who delivers")
        other.run(self.fill, 1)
        self.talk("S: * 1 EXISTS\nS: * 1 RECENT")
        self.assertEqual(set(asked), {"who idles"})
