"""`watch`: each new message once, through lost connections, new numbers and new starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred

from mailproto.auth import Password
from mailproto.client.errors import AuthenticationRefused, ClientError, CommandRefused, ConnectFailed
from mailproto.content import Content
from mailproto.errors import StoreUnusable
from mailproto.fetching import Watch, watch
from mailproto.fetching._watch import AT_ONCE
from mailproto.fetching._watch_state import WatchState, print_of
from mailproto.imap import IMAPClient
from mailproto.model import FlagChange, FlagOperation, NewMessage
from mailproto.testing import connected
from tests.imap.server.dialogue import DialogueTestCase, run

BOX = "Lists"


def mail(number: int, more: str = "") -> bytes:
    return f"Message-ID: <{number}@x>\r\nSubject: {number}\r\n{more}\r\nHi.\r\n".encode()


class WatchCase(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.file = Path(self.mktemp()).absolute()
        run(self.account.create(BOX))
        self.links: list[Any] = []
        self.problems: list[tuple[ClientError, float]] = []
        self.error: ClientError | None = None
        self.password = "secret"
        self.mailbox = BOX
        self.addCleanup(self.settle)

    async def opened(self) -> IMAPClient:
        if self.error is not None:
            raise self.error
        client = IMAPClient(self.clock)
        self.links.append(connected(self.factory, client, clock=self.clock))
        try:
            await client.authenticate(Password("alice", self.password))
        except ClientError:
            client.abort()
            raise
        return client

    def start(self, *, existing: bool = False) -> Watch:
        state = WatchState(self.file, "imap://alice@host/Lists")
        watching = Watch(
            self.clock,
            self.opened,
            self.mailbox,
            state,
            existing=existing,
            problem=lambda error, pause: self.problems.append((error, pause)),
        )
        self.addCleanup(lambda: run(watching.aclose()))
        return watching

    def settle(self, seconds: float = 0.0) -> None:
        for step in (0.0, 0.06, seconds):
            self.clock.advance(step)
            for link in self.links:
                link.pump()

    def add(self, *messages: bytes) -> None:
        box: Any = run(self.account.open(BOX))
        run(box.append([NewMessage(octets) for octets in messages]))

    def ask(self, watching: Watch) -> Deferred[Any]:
        """What comes next; not all of it may be there."""
        asked = Deferred.fromCoroutine(watching.__anext__())
        self.addCleanup(asked.addErrback, lambda _: None)  # it may wait until the end
        self.settle()
        return asked

    def subject(self, asked: Deferred[Any]) -> str:
        self.settle()
        return str(self.successResultOf(asked).content.message()["Subject"])

    def next(self, watching: Watch) -> str:
        return self.subject(self.ask(watching))

    def nothing(self, watching: Watch) -> None:
        """There is nothing new; the program ends while it waits."""
        asked = self.ask(watching)
        self.assertNoResult(asked)
        asked.addErrback(lambda _: None)
        asked.cancel()
        self.end(watching)

    def end(self, watching: Watch) -> None:
        run(watching.aclose())
        self.settle()


class WatchTests(WatchCase):
    def test_messages_as_they_come(self) -> None:
        self.add(mail(1))
        watching = self.start()
        asked = self.ask(watching)
        self.assertNoResult(asked)
        self.add(mail(2), mail(3))
        self.assertEqual(self.subject(asked), "2")
        self.assertEqual(self.next(watching), "3")
        asked = self.ask(watching)
        self.add(mail(4))
        self.assertEqual(self.subject(asked), "4")
        self.assertEqual(len(self.links), 1)

    def test_what_is_there_already_if_that_is_wanted(self) -> None:
        self.add(*map(mail, range(AT_ONCE * 2 + 1)))
        watching = self.start(existing=True)
        subjects = [self.next(watching) for _ in range(AT_ONCE * 2 + 1)]
        self.assertEqual(subjects, [str(number) for number in range(AT_ONCE * 2 + 1)])
        self.nothing(watching)

    def test_what_comes_while_the_program_does_not_run(self) -> None:
        self.nothing(self.start())
        self.add(mail(1))
        watching = self.start()
        self.assertEqual(self.next(watching), "1")
        self.nothing(watching)
        self.nothing(self.start(existing=True))

    def test_a_message_whose_loop_was_not_finished_is_given_again(self) -> None:
        self.nothing(self.start())
        self.add(mail(1), mail(2))
        for _ in range(3):
            watching = self.start()
            self.assertEqual(self.next(watching), "1")
            self.end(watching)
        watching = self.start()
        self.assertEqual([self.next(watching), self.next(watching)], ["1", "2"])

    def test_one_that_is_gone_takes_none_before_it_along(self) -> None:
        """After a new start, too: those before it were fetched with it, but the loop had not begun them."""
        self.nothing(self.start())
        self.add(mail(1), mail(2), mail(3))
        box: Any = run(self.account.open(BOX))
        search = IMAPClient.search

        async def late(client: IMAPClient, criteria: Any) -> Any:
            found = await search(client, criteria)
            run(box.store([3], FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"}))))
            run(box.expunge([3]))
            return found

        watching = self.start()
        with patch.object(IMAPClient, "search", late):
            self.assertEqual(self.next(watching), "1")
        self.end(watching)
        watching = self.start()
        self.assertEqual([self.next(watching) for _ in range(2)], ["1", "2"])
        self.nothing(watching)

    def test_messages_are_not_marked(self) -> None:
        self.add(mail(1))
        self.next(self.start(existing=True))
        self.assertEqual(run(run(self.account.open(BOX)).status()).unseen, 1)

    def test_a_message_that_is_gone_before_it_is_fetched(self) -> None:
        self.nothing(self.start())
        self.add(mail(1), mail(2))
        box: Any = run(self.account.open(BOX))
        watching = self.start()
        fetch = watching._fetch

        async def late(client: Any, uids: Any) -> None:
            from mailproto.model import FlagChange, FlagOperation

            run(box.store([1], FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"}))))
            run(box.expunge())
            await fetch(client, uids)

        watching._fetch = late  # type: ignore[method-assign]
        self.assertEqual(self.next(watching), "2")


class LostTests(WatchCase):
    def test_a_lost_connection(self) -> None:
        watching = self.start()
        asked = self.ask(watching)
        for number in range(3):
            self.links[-1].server_transport.drop()
            self.links[-1].client_transport.drop()
            self.add(mail(number))
            self.assertNoResult(asked)
            self.settle(1.3)
            self.assertEqual(self.subject(asked), str(number))
            asked = self.ask(watching)
        self.assertEqual(len(self.links), 4)

    def test_pauses_that_become_longer(self) -> None:
        self.error = ConnectFailed("no")
        watching = self.start(existing=True)
        asked = self.ask(watching)
        for _ in range(12):
            self.settle(400)
        pauses = [pause for _, pause in self.problems]
        self.assertEqual(len(pauses), 13)
        for number, pause in enumerate(pauses):
            least = min(2**number, 300)
            self.assertTrue(0.8 * least <= pause <= 1.2 * least, pauses)
        self.error = None
        self.add(mail(1))
        self.settle(400)
        self.assertEqual(self.subject(asked), "1")

    def test_a_loop_that_ends_while_it_waits(self) -> None:
        self.error = ConnectFailed("no")
        watching = self.start()
        asked = self.ask(watching)
        asked.addErrback(lambda _: None)
        asked.cancel()
        run(watching.aclose())  # no call of the clock is left: see hang_up

    def test_closing_ends_a_loop_that_waits(self) -> None:
        for self.error in (None, ConnectFailed("no")):
            watching = self.start()
            looping = Deferred.fromCoroutine(self.all_of(watching))
            self.settle()
            self.assertNoResult(looping)
            run(watching.aclose())
            self.settle()
            self.assertEqual(self.successResultOf(looping), [])
            self.assertEqual(run(self.all_of(watching)), [])

    async def all_of(self, watching: Watch) -> list[Any]:
        return [message async for message in watching]

    def test_what_cannot_become_better(self) -> None:
        self.password = "wrong"
        asked = self.ask(self.start())
        self.settle(10)
        self.failureResultOf(asked, AuthenticationRefused)
        self.password, self.mailbox, self.file = "secret", "None", Path(self.mktemp()).absolute()
        self.failureResultOf(self.ask(self.start()), CommandRefused)

    def test_one_program_for_a_state(self) -> None:
        self.ask(self.start()).addErrback(lambda _: None)
        self.failureResultOf(self.ask(self.start()), StoreUnusable)


class RenumberedTests(WatchCase):
    def make_anew(self, *messages: bytes) -> None:
        """The mailbox has another UIDVALIDITY, and perhaps other UIDs."""
        run(self.account.delete(BOX))
        run(self.account.create(BOX))
        self.add(*messages)

    def test_old_messages_are_known(self) -> None:
        self.add(mail(1), mail(2))
        watching = self.start()
        self.assertNoResult(self.ask(watching).addErrback(lambda _: None))
        self.end(watching)
        self.add(mail(3))
        watching = self.start()
        self.assertEqual(self.next(watching), "3")
        self.nothing(watching)
        self.make_anew(mail(9), mail(3), mail(2), mail(1), mail(8))
        watching = self.start()
        self.assertEqual(self.next(watching), "9")
        self.end(watching)
        watching = self.start()
        self.assertEqual([self.next(watching), self.next(watching)], ["9", "8"])
        self.nothing(watching)
        self.make_anew(mail(8), mail(7))
        watching = self.start()
        self.assertEqual(self.next(watching), "7")
        self.nothing(watching)

    def test_a_server_that_tells_no_uidvalidity(self) -> None:
        """SmarterMail has been seen to say that it is 0."""

        def start() -> Watch:
            watching = self.start()
            begin = watching._begin

            async def untold(client: Any, selected: Any) -> None:
                await begin(client, replace(selected, uid_validity=0))

            watching._begin = untold  # type: ignore[method-assign]
            return watching

        self.add(mail(1), mail(2))
        self.nothing(start())
        self.make_anew(mail(3), mail(2))
        watching = start()
        self.assertEqual(self.next(watching), "3")
        self.nothing(watching)
        self.nothing(start())

    def test_the_form_of_a_header_does_not_matter(self) -> None:
        one = Content(b"Subject: a\r\n b\r\nMessage-ID: <1@x>\r\n\r\n")
        other = Content(b"MESSAGE-ID:<1@x>\nSubject:  a b\n\n")
        self.assertEqual(print_of(one), print_of(other))
        self.assertNotEqual(print_of(one), print_of(Content(b"Subject: a\r\n\r\n")))
        self.assertIsNone(print_of(Content(b"\r\n")))
        self.assertIsNone(print_of(None))

    def test_messages_that_say_nothing_are_rather_given_twice(self) -> None:
        self.add(b"\r\nHi.\r\n")
        self.nothing(self.start())
        self.make_anew(b"\r\nHi.\r\n")
        self.successResultOf(self.ask(self.start()))


class ArgumentTests(WatchCase):
    def test_pop3(self) -> None:
        credentials = Password("alice", "secret")
        with self.assertRaisesRegex(ValueError, "a POP3 server cannot be watched"):
            watch(self.clock, "pop3://alice@host", credentials, "x")  # type: ignore[arg-type]
        with self.assertRaisesRegex(ValueError, "imaps is TLS"):
            watch(self.clock, "imaps://alice@host", credentials, "x", plain=True)  # type: ignore[arg-type]
