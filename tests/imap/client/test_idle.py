"""IDLE: events as they happen, and other commands in between."""

from __future__ import annotations

import gc

from mailproto.client.errors import ConnectionLost, ServerTimeout
from mailproto.imap.limits import IMAPClientLimits
from mailproto.imap.values import Exists, Expunged, FlagsChanged, Missed
from tests.imap.client.dialogue import ClientTestCase

LEARN = """
    wait 1 s
    C: A2 FETCH 1:* (UID)
    S: * 1 FETCH (UID 5)
    S: * 2 FETCH (UID 6)
    S: * 3 FETCH (UID 9)
    S: A2 OK
    wait 1 s
"""


class IdleTests(ClientTestCase):
    def test_every_event_has_its_uid(self) -> None:
        self.selected()
        events = self.client.idle()
        self.converse(
            f"""
            {LEARN}
            C: A3 IDLE
            S: + idling
            S: * 2 EXPUNGE
            S: * 2 FETCH (FLAGS (\\Seen))
            """
        )
        self.assertEqual(self.result(self.begin(events.__anext__())), Expunged(6, 2))
        self.assertEqual(
            self.result(self.begin(events.__anext__())), FlagsChanged(9, 2, frozenset({"\\Seen"}))
        )
        waiting = self.begin(events.__anext__())
        self.assertNoResult(waiting)
        events.close()
        self.converse(
            """
            C: DONE
            S: A3 OK
            """
        )
        self.error(waiting, StopAsyncIteration)
        self.clock.advance(10_000)
        self.assertEqual(self.transport.read(), b"")

    def test_new_messages_become_known(self) -> None:
        self.selected()
        events = self.client.idle()
        self.converse(
            f"""
            {LEARN}
            C: A3 IDLE
            S: + idling
            S: * 4 EXISTS
            C: DONE
            S: A3 OK
            wait 1 s
            C: A4 FETCH 4:* (UID)
            S: * 4 FETCH (UID 12)
            S: A4 OK
            wait 1 s
            C: A5 IDLE
            S: + idling
            S: * 4 EXPUNGE
            """
        )
        self.assertEqual(self.result(self.begin(events.__anext__())), Exists(4))
        self.assertEqual(self.result(self.begin(events.__anext__())), Expunged(12, 4))

    def test_other_commands_in_between(self) -> None:
        self.selected()
        events = self.client.idle()
        self.converse(f"{LEARN}\nC: A3 IDLE\nS: + idling")
        searched, fetched = self.client.search(), self.client.noop()
        self.converse(
            """
            C: DONE
            S: A3 OK
            C: A4 UID SEARCH RETURN (ALL) ALL
            C: A5 NOOP
            S: * ESEARCH (TAG "A4") UID ALL 5
            S: A4 OK
            S: A5 OK
            wait 1 s
            C: A6 IDLE
            S: +
            """
        )
        self.result(searched)
        self.result(fetched)
        del events

    def test_a_command_before_the_server_idles(self) -> None:
        self.selected()
        events = self.client.idle()
        self.converse(f"{LEARN}\nC: A3 IDLE")
        waiting = self.client.noop()
        self.converse(
            """
            S: + idling
            C: DONE
            S: A3 OK
            C: A4 NOOP
            S: A4 OK
            """
        )
        self.result(waiting)
        del events

    def test_it_is_renewed(self) -> None:
        self.selected()
        events = self.client.idle()
        self.converse(
            f"""
            {LEARN}
            C: A3 IDLE
            S: +
            wait 1679 s
            wait 2 s
            C: DONE
            S: A3 OK
            wait 1 s
            C: A4 IDLE
            S: +
            """
        )
        del events
        self.converse("C: DONE")

    def test_a_server_that_is_gone_is_noticed(self) -> None:
        self.selected()
        events = self.client.idle()
        waiting = self.begin(events.__anext__())
        self.converse(
            f"""
            {LEARN}
            C: A3 IDLE
            S: +
            wait 1681 s
            C: DONE
            """
        )
        self.clock.advance(301)
        self.error(waiting, ServerTimeout)

    def test_without_idle(self) -> None:
        for capabilities in ("IMAP4rev1", "IMAP4rev1 IDLE"):
            with self.subTest(capabilities=capabilities):
                self.selected(capabilities)
                events = self.client.idle()
                number = 3
                if "IDLE" in capabilities:
                    number = 4
                    self.converse(f"{LEARN}\nC: A3 IDLE\nS: A3 BAD Not here\nwait 1 s")
                else:
                    self.converse(LEARN)
                self.converse(
                    f"""
                    wait 61 s
                    C: A{number} NOOP
                    S: * 1 EXPUNGE
                    S: A{number} OK
                    wait 1 s
                    wait 61 s
                    C: A{number + 1} NOOP
                    S: A{number + 1} OK
                    """
                )
                self.assertEqual(self.result(self.begin(events.__anext__())), Expunged(5, 1))
                events.close()
                self.clock.advance(1000)
                self.assertEqual(self.transport.read(), b"")

    def test_many_messages_are_searched_for(self) -> None:
        self.selected(exists=2000)
        events = self.client.idle()
        self.converse(
            """
            wait 1 s
            C: A2 UID SEARCH ALL
            S: * SEARCH 1
            S: A2 OK
            C: A3 FETCH 1:* (UID)
            S: A3 OK
            wait 1 s
            C: A4 IDLE
            S: +
            """
        )
        events.close()
        self.converse("C: DONE\nS: A4 OK")

    def test_events_that_nobody_takes(self) -> None:
        self.selected(limits=IMAPClientLimits(events=2))
        events = self.client.idle()
        for count in range(4, 9):
            self.transport.send(b"* %d EXISTS\r\n" % count)
        taken = [self.result(self.begin(events.__anext__())) for _ in range(3)]
        self.assertEqual(taken, [Missed(3), Exists(7), Exists(8)])

    def test_a_loop_that_nobody_else_has(self) -> None:
        """While it waits, the garbage collector leaves it alone; once it is left, IDLE ends."""
        self.selected()
        found: list[object] = []

        async def loop() -> object:
            async for event in self.client.idle():
                return event
            return None

        self.begin(loop()).addBoth(found.append)
        gc.collect()
        self.converse(f"{LEARN}\nC: A3 IDLE\nS: +")
        gc.collect()
        self.transport.send(b"* 3 EXPUNGE\r\n")
        self.assertEqual(found, [Expunged(9, 3)])
        self.converse("C: DONE\nS: A3 OK")

    def test_a_lost_connection(self) -> None:
        self.selected()
        events = self.client.idle()
        waiting = self.begin(events.__anext__())
        self.transport.drop()
        self.error(waiting, ConnectionLost)
        self.error(self.begin(self.client.idle().__anext__()), ConnectionLost)

    def test_without_a_mailbox(self) -> None:
        """Others may change, if NOTIFY was sent; and the server keeps the connection."""
        self.signed_in("IMAP4rev1 IDLE NOTIFY")
        events = self.client.idle()
        waiting = self.begin(events.__anext__())
        self.clock.advance(1)
        self.converse(
            """
            C: A1 IDLE
            S: + idling
            S: * STATUS Sent (MESSAGES 4)
            """
        )
        self.assertEqual(self.result(waiting).name, "Sent")
        selecting = self.client.select("INBOX")
        self.converse(
            """
            C: DONE
            S: A1 OK
            C: A2 SELECT INBOX
            S: * 1 EXISTS
            S: A2 OK
            """
        )
        self.result(selecting)
        self.clock.advance(1)
        self.assertEqual(self.transport.read(), b"A3 FETCH 1:* (UID)\r\n")
        events.close()

    def test_a_server_that_idles_only_in_a_mailbox(self) -> None:
        self.signed_in("IMAP4rev1 IDLE")
        events = self.client.idle()
        self.clock.advance(1)
        self.converse(
            """
            C: A1 IDLE
            S: A1 BAD Select a mailbox before
            """
        )
        self.clock.advance(1)
        self.clock.advance(58)
        self.assertEqual(self.transport.read(), b"")
        self.clock.advance(2)
        self.assertEqual(self.transport.read(), b"A2 NOOP\r\n")
        self.client.select("INBOX")
        self.transport.send(b"A2 OK\r\n* 0 EXISTS\r\nA3 OK\r\n")
        self.clock.advance(1)
        self.assertEqual(self.transport.read(), b"A3 SELECT INBOX\r\nA4 IDLE\r\n")
        del events

    def test_not_before_it_has_signed_in(self) -> None:
        self.connect("S: * OK [CAPABILITY IMAP4rev1 IDLE] Hello")
        events = self.client.idle()
        self.clock.advance(100)
        self.assertEqual(self.transport.read(), b"")
        del events

    def test_uids_in_parts(self) -> None:
        """A server that tells only the last ones at once (RFC 9738)."""
        self.selected("IMAP4rev1 IDLE MESSAGELIMIT=2", exists=3)
        events = self.client.idle()
        self.clock.advance(1)
        self.converse(
            """
            C: A2 FETCH 1:* (UID)
            S: * 3 FETCH (UID 9)
            S: * 2 FETCH (UID 5)
            S: A2 OK [MESSAGELIMIT 2 5] Only these
            C: A3 FETCH 1:1 (UID)
            S: * 1 FETCH (UID 4)
            S: A3 OK Done
            S: * 1 EXPUNGE
            """
        )
        self.assertEqual(self.result(self.begin(events.__anext__())), Expunged(4, 1))
        events.close()

    def test_a_bad_ends_no_idle(self) -> None:
        """The server need not say anything now."""
        self.selected(exists=0)
        events = self.client.idle()
        self.clock.advance(1)
        self.converse(
            """
            C: A2 IDLE
            S: + idling
            S: * BAD What was that?
            """
        )
        self.clock.advance(600)
        self.assertTrue(self.client.is_usable)
        del events
