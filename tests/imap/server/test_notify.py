"""NOTIFY (RFC 5465)."""

from __future__ import annotations

from typing import Any

from mailproto.imap.server import _notifying
from mailproto.model import FlagChange, FlagOperation
from tests.imap.server.dialogue import Client, DialogueTestCase, message, run

FLAGGED = FlagChange(FlagOperation.ADD, frozenset({"\\Flagged"}))
NEW = b"(MessageNew MessageExpunge)"
ALL = b"(MessageNew MessageExpunge FlagChange)"


class NotifyTestCase(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.drafts: Any = run(self.account.open("Drafts"))
        self.sent: Any = run(self.account.open("Sent"))

    def notify(self, wanted: bytes, select: str = "INBOX", answer: bytes = b"") -> Client:
        client = self.sign_in(select=select)
        self.assertEqual(self.say(client, b"n NOTIFY " + wanted), answer + b"n OK NOTIFY completed\r\n")
        return client

    def say(self, client: Client, command: bytes) -> bytes:
        client.send(command + b"\r\n")
        return self.heard(client)

    def heard(self, client: Client) -> bytes:
        for _ in range(20):
            self.clock.advance(0)
        return client.received()


class GrammarTests(NotifyTestCase):
    def test_what_is_wrong(self) -> None:
        client = self.sign_in()
        for command in (
            b"",
            b" SOME",
            b" SET",
            b" SET STATUS",
            b" SET ()",
            b" SET (personal)",
            b" SET (personal ())",
            b" SET (nobody (MessageNew MessageExpunge))",
            b" SET (personal (MessageNew))",
            b" SET (personal (FlagChange))",
            b" SET (personal (MessageNew FlagChange))",
            b" SET (selected (MailboxName))",
            b" SET (selected NONE) (selected-delayed NONE)",
            b" SET (personal (MessageNew (UID) MessageExpunge))",
            b" SET (selected (MessageNew (NOTHING) MessageExpunge))",
            b" SET (mailboxes (MessageNew MessageExpunge)",
            b" NONE x",
        ):
            self.assertIn(b"a BAD ", self.say(client, b"a NOTIFY" + command), command)

    def test_events_that_are_not_supported(self) -> None:
        client = self.sign_in()
        for events in (b"(MessageNew MessageExpunge AnnotationChange)", b"(Strange)"):
            self.assertEqual(
                self.say(client, b"a NOTIFY SET (personal %b)" % events),
                b"a NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange"
                b" MailboxMetadataChange ServerMetadataChange)] Some of the events are not supported\r\n",
            )

    def test_all_forms(self) -> None:
        client = self.sign_in()
        for wanted in (
            b"NONE",
            b"SET (selected NONE)",
            b"SET (SELECTED-delayed (messagenew (uid body.peek[header.fields (from)]) messageexpunge))",
            b"SET (personal %b) (inboxes (MailboxName)) (subscribed NONE)" % ALL,
            b'SET (subtree (INBOX "a b") %b) (mailboxes Sent (ServerMetadataChange))' % ALL,
            b"SET (selected MessageNew (uid) MessageExpunge) (subtree Lists MessageNew MessageExpunge)",
        ):
            self.assertEqual(self.say(client, b"a NOTIFY " + wanted), b"a OK NOTIFY completed\r\n", wanted)


class SelectedTests(NotifyTestCase):
    def test_changes_come_without_a_command(self) -> None:
        self.fill(2)
        client = self.notify(b"SET (selected %b)" % ALL)
        self.fill(1)
        self.assertEqual(self.heard(client), b"* 3 EXISTS\r\n* 3 RECENT\r\n")
        run(self.inbox.store([2], FLAGGED))
        self.assertEqual(self.heard(client), b"* 2 FETCH (UID 2 FLAGS (\\Flagged \\Recent))\r\n")
        self.inbox.remove([1])
        self.assertEqual(self.heard(client), b"* 1 EXPUNGE\r\n")
        self.assertEqual(self.say(client, b"a NOTIFY NONE"), b"a OK NOTIFY completed\r\n")
        self.fill(1)
        self.assertEqual(self.heard(client), b"")
        self.assertIn(b"* 3 EXISTS", self.say(client, b"b NOOP"))

    def test_what_is_told_of_new_messages(self) -> None:
        self.fill(1)
        client = self.notify(b"SET (selected (MessageNew (UID BODY.PEEK[TEXT]) MessageExpunge))")
        self.fill(2)
        self.assertEqual(
            self.heard(client),
            b"* 2 EXISTS\r\n* 2 RECENT\r\n* 2 FETCH (UID 2 BODY[TEXT] {11}\r\nHello Bob\r\n)\r\n"
            b"* 3 EXISTS\r\n* 3 RECENT\r\n* 3 FETCH (UID 3 BODY[TEXT] {11}\r\nHello Bob\r\n)\r\n",
        )
        run(self.inbox.store([2], FLAGGED))
        self.assertEqual(self.heard(client), b"")  # nobody asked for flags
        self.assertIn(b"* 1 EXISTS\r\n", self.say(client, b"s SELECT Sent") + b"* 1 EXISTS\r\n")
        self.sent.add(message(), (), 0)
        self.assertIn(b"* 1 FETCH (UID 1 BODY[TEXT] {11}", self.heard(client))

    def test_expunges_that_are_delayed(self) -> None:
        self.fill(3)
        client = self.notify(b"SET (selected-delayed %b)" % ALL)
        self.inbox.remove([1])
        self.fill(1)
        self.assertEqual(self.heard(client), b"* 4 EXISTS\r\n* 4 RECENT\r\n")
        self.assertEqual(self.say(client, b"a NOOP"), b"* 1 EXPUNGE\r\na OK NOOP completed\r\n")
        self.inbox.remove([2])
        self.assertEqual(self.heard(client), b"")
        self.assertEqual(self.say(client, b"b IDLE"), b"+ idling\r\n* 1 EXPUNGE\r\n")
        self.inbox.remove([3])
        self.assertEqual(self.heard(client), b"* 1 EXPUNGE\r\n")
        self.assertEqual(self.say(client, b"DONE"), b"b OK IDLE completed\r\n")
        self.inbox.remove([4])
        self.assertEqual(self.heard(client), b"")

    def test_idle_tells_the_same(self) -> None:
        client = self.notify(b"SET (mailboxes Sent %b)" % ALL)
        self.assertEqual(self.say(client, b"a IDLE"), b"+ idling\r\n")
        self.fill(1)
        self.assertEqual(self.heard(client), b"")
        self.sent.add(message(), (), 0)
        self.assertIn(b"* STATUS Sent (MESSAGES 1 UIDNEXT 2 ", self.heard(client))
        self.assertIn(b"a OK IDLE completed\r\n", self.say(client, b"DONE"))

    def test_nothing_comes_in_the_midst_of_an_answer(self) -> None:
        self.fill(600)
        client = self.notify(b"SET (selected %b)" % ALL)
        client.session.pauseProducing()
        client.send(b"a FETCH 1:* UID\r\n")
        self.inbox.remove([1])
        run(self.inbox.store([600], FLAGGED))
        client.session.resumeProducing()
        said = self.heard(client)
        begun, _, rest = said.partition(b"a OK FETCH completed\r\n")
        self.assertNotIn(b"* 1 EXPUNGE", begun)
        self.assertTrue(rest.endswith(b"* 1 EXPUNGE\r\n"), rest[-100:])

    def test_the_mailbox_is_deleted(self) -> None:
        run(self.account.create("Work"))
        client = self.notify(b"SET (selected %b)" % ALL, "Work")
        run(self.account.delete("Work"))
        self.assertEqual(self.heard(client), b"* BYE Selected mailbox was deleted\r\n")


class OtherTests(NotifyTestCase):
    def status(self, mailbox: Any, messages: int, more: bytes = b"") -> bytes:
        status = run(mailbox.status())
        return b"* STATUS %b (MESSAGES %d UIDNEXT %d UIDVALIDITY %d%b)\r\n" % (
            mailbox.name.encode(),
            messages,
            status.uid_next,
            status.uid_validity,
            more,
        )

    def test_the_status_at_the_beginning(self) -> None:
        self.sent.add(message(), (), 0)
        status = self.status(self.sent, 1)
        self.notify(b"SET STATUS (mailboxes Sent (MessageNew MessageExpunge))", answer=status)
        modseq = b" HIGHESTMODSEQ %d" % run(self.sent.status()).modseq
        status = self.status(self.sent, 1, modseq)
        self.notify(b"SET STATUS (mailboxes (Sent Nowhere) %b)" % ALL, answer=status)
        self.notify(b"SET STATUS (mailboxes Sent %b)" % ALL, "Sent")
        self.notify(b"SET (mailboxes Sent %b)" % ALL)
        self.notify(b"SET STATUS (mailboxes Sent (MailboxName))")

    def test_messages(self) -> None:
        client = self.notify(b"SET (personal (MessageNew MessageExpunge)) (mailboxes Sent %b)" % ALL)
        self.drafts.add(message(), (), 0)
        self.assertEqual(self.heard(client), self.status(self.drafts, 1))
        run(self.drafts.store([1], FLAGGED))
        self.assertEqual(self.heard(client), b"")
        self.drafts.remove([1])
        self.assertEqual(self.heard(client), self.status(self.drafts, 0))
        self.sent.add(message(), (), 0)
        self.assertEqual(self.heard(client), self.status(self.sent, 1))
        run(self.sent.store([1], FLAGGED))
        validity = self.sent.uid_validity
        self.assertEqual(self.heard(client), b"* STATUS Sent (UIDVALIDITY %d UNSEEN 1)\r\n" % validity)
        self.fill(1)
        self.assertEqual(self.heard(client), b"")  # the selected one is not meant
        self.say(client, b"u UNSELECT")
        self.fill(1)
        self.assertEqual(self.heard(client), self.status(self.inbox, 2))

    def test_with_condstore(self) -> None:
        client = self.sign_in()
        self.say(client, b"e ENABLE CONDSTORE")
        self.say(client, b"n NOTIFY SET (personal %b)" % ALL)
        self.sent.add(message(), (), 0)
        modseq = b" HIGHESTMODSEQ %d" % run(self.sent.status()).modseq
        self.assertEqual(self.heard(client), self.status(self.sent, 1, modseq))
        run(self.sent.store([1], FLAGGED))
        self.assertIn(b" UNSEEN 1 HIGHESTMODSEQ ", self.heard(client))

    def test_subtrees_and_subscriptions(self) -> None:
        for name in ("a", "a/b", "ab", "c"):
            run(self.account.create(name))
        run(self.account.subscribe("c"))
        client = self.notify(b"SET (subtree a %b) (subscribed %b)" % (NEW, NEW))
        for name, told in (("a", True), ("a/b", True), ("ab", False), ("c", True)):
            mailbox: Any = run(self.account.open(name))
            mailbox.add(message(), (), 0)
            self.assertEqual(self.heard(client), self.status(mailbox, 1) if told else b"", name)
        run(self.account.subscribe("ab"))
        run(self.account.unsubscribe("c"))
        self.heard(client)
        for name, told in (("ab", True), ("c", False)):
            mailbox = run(self.account.open(name))
            mailbox.add(message(), (), 0)
            said = self.heard(client)
            self.assertEqual(said.startswith(b"* STATUS " + name.encode()), told, (name, said))

    def test_names(self) -> None:
        client = self.notify(b"SET (personal (MailboxName SubscriptionChange))")
        run(self.account.create("Work"))
        self.assertEqual(self.heard(client), b'* LIST (\\HasNoChildren) "/" Work\r\n')
        run(self.account.create("Work/Plans"))
        self.assertEqual(
            self.heard(client),
            b'* LIST (\\HasChildren) "/" Work\r\n* LIST (\\HasNoChildren) "/" Work/Plans\r\n',
        )
        run(self.account.subscribe("Work"))
        self.assertEqual(self.heard(client), b'* LIST (\\HasChildren \\Subscribed) "/" Work\r\n')
        run(self.account.unsubscribe("Work"))
        self.assertEqual(self.heard(client), b'* LIST (\\HasChildren) "/" Work\r\n')
        run(self.account.rename("Work", "Job"))
        self.assertEqual(self.heard(client), b'* LIST (\\HasChildren) "/" Job ("OLDNAME" (Work))\r\n')
        run(self.account.delete("Job/Plans"))
        self.assertEqual(
            self.heard(client),
            b'* LIST (\\HasNoChildren) "/" Job\r\n* LIST (\\NonExistent \\HasNoChildren) "/" Job/Plans\r\n',
        )
        self.sent.add(message(), (), 0)
        self.assertEqual(self.heard(client), b"")

    def test_annotations(self) -> None:
        client = self.notify(b"SET (mailboxes INBOX (MailboxMetadataChange ServerMetadataChange))")
        run(self.account.annotate("INBOX", {"/shared/comment": b"x"}))
        self.assertEqual(self.heard(client), b'* METADATA INBOX "/shared/comment"\r\n'.replace(b'"', b'"'))
        run(self.account.annotate("", {"/private/a": b"x"}))
        self.assertEqual(self.heard(client), b'* METADATA "" "/private/a"\r\n')
        run(self.account.annotate("Sent", {"/shared/comment": b"x"}))
        self.assertEqual(self.heard(client), b"")

    def test_changes_come_together_for_a_slow_client(self) -> None:
        client = self.notify(b"SET (personal %b)" % ALL)
        client.session.pauseProducing()
        for _ in range(50):
            self.sent.add(message(), (), 0)
        self.clock.advance(0)
        client.session.resumeProducing()
        self.assertEqual(self.heard(client), self.status(self.sent, 50))

    def test_too_many_mailboxes(self) -> None:
        self.patch(_notifying, "MAILBOXES", 6)
        client = self.notify(b"SET (personal %b)" % ALL)
        run(self.account.create("More"))
        more: Any = run(self.account.open("More"))
        more.add(message(), (), 0)
        self.assertEqual(self.heard(client), b"* OK [NOTIFICATIONOVERFLOW] Too many mailboxes\r\n")
        self.sent.add(message(), (), 0)
        self.assertEqual(self.heard(client), b"")
        self.assertEqual(
            self.say(client, b"a NOTIFY SET (personal %b)" % ALL),
            b"a NO [NOTIFICATIONOVERFLOW] More than 6 mailboxes\r\n",
        )

    def test_the_watch_ends(self) -> None:
        client = self.notify(b"SET (personal %b)" % ALL)
        self.say(client, b"a NOTIFY SET (personal %b)" % ALL)
        self.say(client, b"a UNAUTHENTICATE")
        self.sent.add(message(), (), 0)
        self.assertEqual(self.heard(client), b"")
        client = self.notify(b"SET (personal %b)" % ALL)
        client.transport.drop()
        self.sent.add(message(), (), 0)
        self.assertEqual(self.factory.connections, set())
