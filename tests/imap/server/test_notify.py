"""NOTIFY (RFC 5465)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from mailproto.backends._access_control import AccessControl
from mailproto.imap.server import _account_known, _notifying_foreign
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

    def test_what_the_client_has_put_there_itself(self) -> None:
        """RFC 5465 5.2: no FETCH for that, but for what comes at the same time."""
        self.fill(1)
        client = self.notify(b"SET (selected (MessageNew (UID) MessageExpunge))")
        exists = b"* %d EXISTS\r\n* %d RECENT\r\n"
        for number, command in ((2, b"COPY 1 INBOX"), (3, b"APPEND INBOX {1+}\r\nx")):
            self.assertIn(exists % (number, number) + b"a OK ", self.say(client, b"a " + command)[-200:])
        self.assertEqual(self.heard(client), b"")
        said = self.say(client, b"a UID COPY 1:2 INBOX\r\nb NOOP")
        self.assertNotIn(b"FETCH", said)
        append = type(self.inbox).append

        async def append_after_another(mailbox: Any, new: Any) -> Any:
            self.fill(1)
            return await append(mailbox, new)

        self.patch_method(self.inbox, "append", append_after_another)
        said = self.say(client, b"a APPEND INBOX {1+}\r\nx")
        self.assertIn(b"* 7 EXISTS\r\n", said)
        self.assertTrue(said.endswith(b"APPEND completed\r\n* 6 FETCH (UID 6)\r\n"), said)

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

    def test_modseqs_while_expunges_are_delayed(self) -> None:
        """The client may hang up now, and must not take itself to know of the expunge (RFC 7162 3.2)."""
        self.fill(2)
        client = self.notify(b"SET (selected-delayed %b)" % ALL)
        self.assertIn(b"a OK ", self.say(client, b"a ENABLE QRESYNC"))
        known = run(self.inbox.status()).modseq
        self.inbox.remove([1])
        run(self.inbox.store([2], FLAGGED))
        now = run(self.inbox.status()).modseq
        self.assertIn(
            b"* 2 FETCH (UID 2 FLAGS (\\Flagged \\Recent) MODSEQ (%d))\r\n"
            b"* OK [HIGHESTMODSEQ %d] Highest\r\n" % (now, known),
            self.heard(client),
        )
        self.assertIn(
            b"* VANISHED 1\r\n* OK [HIGHESTMODSEQ %d] Highest\r\nb OK " % now, self.say(client, b"b NOOP")
        )

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

    def test_many_sessions_look_at_the_list_once(self) -> None:
        wanted = b"n NOTIFY SET (personal (MailboxName SubscriptionChange MessageNew MessageExpunge))\r\n"
        clients = [self.sign_in(str(number)) for number in range(20)]
        for client in clients:
            client.send(wanted)
            self.assertIn(b"n OK", self.heard(client))
        lists, list_ = [0], type(self.account).list

        def counted(account: Any) -> Any:
            lists[0] += 1
            return list_(account)

        self.patch_method(self.account, "list", counted)
        run(self.account.create("Work"))
        self.assertEqual(
            [self.heard(client) for client in clients], [b'* LIST (\\HasNoChildren) "/" Work\r\n'] * 20
        )
        self.assertEqual(lists, [1])
        self.sent.add(message(), (), 0)
        self.assertEqual([self.heard(client) for client in clients], [self.status(self.sent, 1)] * 20)
        client = self.sign_in("late")
        self.assertEqual(self.say(client, wanted.strip()), b"n OK NOTIFY completed\r\n")
        self.assertEqual(lists, [1])
        run(self.account.rename("Work", "Job"))
        renamed = b'* LIST (\\HasNoChildren) "/" Job ("OLDNAME" (Work))\r\n'
        self.assertEqual([self.heard(client) for client in [*clients, client]], [renamed] * 21)

    def test_a_session_ends_while_others_wait_for_its_look(self) -> None:
        clients = [self.sign_in(str(number)) for number in range(3)]
        gate: Deferred[None] = Deferred()
        changes = type(self.account).mailbox_changes

        async def slow(account: Any, modseq: int) -> Any:
            if not gate.called:
                await gate
            return await changes(account, modseq)

        self.patch_method(self.account, "mailbox_changes", slow)
        for client in clients:
            client.send(b"n NOTIFY SET (personal (MessageNew MessageExpunge))\r\n")
        clients[0].transport.drop()
        clients[1].transport.drop()
        gate.callback(None)
        self.assertIn(b"n OK", self.heard(clients[2]))

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
        self.patch(_account_known, "MAILBOXES", 6)
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


class ForeignTests(NotifyTestCase):
    """Mailboxes of other users, and shared ones (RFC 5465 3.1, 5.9)."""

    def setUp(self) -> None:
        super().setUp()
        run(self.store.directory.add("bob", ""))
        self.bob: Any = run(self.store.account("bob"))
        self.box: Any = run(self.bob.open("Sent"))
        run(self.bob.set_acl("Sent", "alice", "lr"))

    def told(self, items: str) -> bytes:
        return f"* STATUS user/bob/Sent ({items} UIDVALIDITY {self.box.uid_validity})\r\n".encode()

    def test_messages(self) -> None:
        for wanted in (b"(mailboxes user/bob/Sent %b)" % ALL, b"(subtree user/bob %b)" % ALL):
            client = self.notify(b"SET " + wanted)
            self.box.add(message(), (), 0)
            count = run(self.box.status()).messages
            self.assertEqual(self.heard(client), self.told(f"MESSAGES {count} UIDNEXT {count + 1}"))
            run(self.box.store([1], FLAGGED))
            run(self.box.store([1], FlagChange(FlagOperation.REMOVE, FLAGGED.flags)))
            said = self.heard(client)
            self.assertTrue(said.startswith(b"* STATUS user/bob/Sent (UIDVALIDITY "), said)
            self.assertEqual(self.say(client, b"a NOTIFY NONE"), b"a OK NOTIFY completed\r\n")
            self.box.add(message(), (), 0)
            self.assertEqual(self.heard(client), b"")

    def test_shared_mailboxes_that_are_subscribed(self) -> None:
        run(self.store.directory.add("shared", ""))
        office: Any = run(self.store.account("shared"))
        run(office.create("News"))
        run(office.set_acl("News", "anyone", "lr"))
        run(self.account.subscribe("shared/News"))
        client = self.notify(b"SET (subscribed %b)" % NEW)
        news: Any = run(office.open("News"))
        news.add(message(), (), 0)
        self.assertIn(b"* STATUS shared/News (MESSAGES 1 ", self.heard(client))
        self.box.add(message(), (), 0)  # it is not subscribed
        self.assertEqual(self.heard(client), b"")

    def test_another_name(self) -> None:
        """Nothing is told of a name that is no longer there."""
        run(self.bob.create("Mine"))
        run(self.bob.set_acl("Mine", "alice", "lr"))
        client = self.notify(b"SET (mailboxes user/bob/Mine %b)" % NEW)
        mine: Any = run(self.bob.open("Mine"))
        run(self.bob.rename("Mine", "Other"))
        self.assertEqual(self.heard(client), b'* LIST (\\NonExistent) "/" user/bob/Mine\r\n')
        mine.add(message(), (), 0)
        self.assertEqual(self.heard(client), b"")

    def test_another_mailbox_gets_the_name(self) -> None:
        """Its UIDVALIDITY tells that it is another one."""
        run(self.bob.create("Mine"))
        run(self.bob.set_acl("Mine", "anyone", "lr"))
        client = self.notify(b"SET (mailboxes user/bob/Mine %b)" % NEW)
        mine: Any = run(self.bob.open("Mine"))
        run(self.bob.rename("Mine", "Other"))
        run(self.bob.create("Mine"))
        run(self.bob.set_acl("Mine", "alice", "lr"))
        new: Any = run(self.bob.open("Mine"))
        status = b"* STATUS user/bob/Mine (MESSAGES %%d UIDNEXT %%d UIDVALIDITY %d)\r\n" % new.uid_validity
        self.assertEqual(self.heard(client), status % (0, 1))
        mine.add(message(), (), 0)
        self.assertEqual(self.heard(client), b"")
        new.add(message(), (), 0)
        self.assertEqual(self.heard(client), status % (1, 2))

    def test_a_rename_is_told_with_the_old_name(self) -> None:
        run(self.bob.create("Mine"))
        run(self.bob.set_acl("Mine", "alice", "lr"))
        client = self.notify(b"SET (subtree user/bob (MailboxName MessageNew MessageExpunge))")
        run(self.bob.rename("Mine", "Other"))
        self.assertEqual(
            self.heard(client),
            b'* LIST (\\HasNoChildren) "/" user/bob/Other ("OLDNAME" (user/bob/Mine))\r\n',
        )
        other: Any = run(self.bob.open("Other"))
        other.add(message(), (), 0)
        self.assertIn(b"* STATUS user/bob/Other (MESSAGES 1 ", self.heard(client))

    def test_what_anyone_is_given_and_loses(self) -> None:
        """Also what begins with the rights of the mailbox above it, and what goes."""
        client = self.notify(b"SET (subtree user/bob (MailboxName MessageNew MessageExpunge))")
        run(self.bob.set_acl("Drafts", "anyone", "lr"))
        self.assertIn(b'* LIST (\\HasNoChildren) "/" user/bob/Drafts\r\n', self.heard(client))
        run(self.bob.create("Drafts/New"))
        self.assertIn(b'* LIST (\\HasNoChildren) "/" user/bob/Drafts/New\r\n', self.heard(client))
        run(self.bob.delete("Drafts/New"))
        self.assertIn(
            b'* LIST (\\NonExistent \\HasNoChildren) "/" user/bob/Drafts/New\r\n', self.heard(client)
        )
        run(self.bob.set_acl("Drafts", "-alice", "l"))
        self.assertIn(b'* LIST (\\NonExistent \\HasNoChildren) "/" user/bob/Drafts\r\n', self.heard(client))
        run(self.bob.set_acl("Drafts", "-alice", ""))
        self.assertIn(b'* LIST (\\HasNoChildren) "/" user/bob/Drafts\r\n', self.heard(client))
        run(self.bob.set_acl("Drafts", "anyone", ""))
        self.assertIn(b'* LIST (\\NonExistent \\HasNoChildren) "/" user/bob/Drafts\r\n', self.heard(client))

    def test_a_name_that_goes_is_told_once(self) -> None:
        """Also if there are others below it."""
        client = self.notify(b"SET (subtree user/bob (MailboxName MessageNew MessageExpunge))")
        run(self.bob.create("Team/Plans"))
        for name in ("Team", "Team/Plans"):
            run(self.bob.set_acl(name, "anyone", "lr"))
        self.heard(client)
        run(self.bob.set_acl("Team", "anyone", ""))
        self.assertEqual(
            self.heard(client), b'* LIST (\\Noselect \\HasChildren) "/" user/bob/Team\r\n', "there is Plans"
        )
        run(self.bob.delete("Team/Plans"))
        said = self.heard(client)
        for gone in (b"Team", b"Team/Plans"):
            line = b'* LIST (\\NonExistent \\HasNoChildren) "/" user/bob/%b\r\n' % gone
            self.assertEqual(said.count(line), 1, said)
        self.assertEqual(said.count(b"\r\n"), 2, said)

    def test_a_session_that_is_told_of_no_list_keeps_none(self) -> None:
        """What it knew would be old for a later one."""
        self.notify(b"SET (selected %b)" % NEW)
        wanted = b"SET (subtree user/bob (MailboxName))"
        first = self.notify(wanted)
        first.transport.drop()
        run(self.bob.set_acl("Drafts", "anyone", "lr"))
        second = self.notify(wanted)
        run(self.bob.set_acl("Drafts", "anyone", ""))
        self.assertIn(b'* LIST (\\NonExistent \\HasNoChildren) "/" user/bob/Drafts\r\n', self.heard(second))

    def test_a_name_is_not_told_again_because_another_one_is_below_it(self) -> None:
        client = self.notify(b"SET (subtree (user shared) (MailboxName))")
        run(self.store.directory.add("shared", ""))
        office: Any = run(self.store.account("shared"))
        line = b'* LIST (%b) "/" shared%b\r\n'
        told = line % (b"\\HasNoChildren", b"/Drafts")
        for name, said in (
            ("Drafts", line % (b"\\Noselect \\HasChildren", b"") + told),
            ("Sent", told.replace(b"Drafts", b"Sent")),
        ):
            run(office.set_acl(name, "anyone", "lr"))
            self.assertEqual(self.heard(client), said)
        gone = b"\\NonExistent \\HasNoChildren"
        run(office.delete("Drafts"))
        self.assertEqual(self.heard(client), line % (gone, b"/Drafts"))
        run(office.delete("Sent"))
        self.assertEqual(self.heard(client), line % (gone, b"") + line % (gone, b"/Sent"))

    def test_the_account_goes(self) -> None:
        client = self.notify(b"SET (subtree user/bob (MailboxName))")
        run(self.store.directory.delete("bob"))
        self.assertIn(b'* LIST (\\NonExistent \\HasNoChildren) "/" user/bob/Sent\r\n', self.heard(client))

    def test_ones_own_with_such_names_are_told_once(self) -> None:
        """An earlier version let accounts have mailboxes with such names."""
        run(super(AccessControl, self.account).create("shared/own"))
        own: Any = run(self.account.open("shared/own"))
        own.add(message(), (), 0)
        status = b"* STATUS shared%b (MESSAGES %d UIDNEXT %d UIDVALIDITY %d)\r\n"
        above: Any = run(self.account.open("shared"))
        client = self.notify(
            b"SET STATUS (subtree shared %b)" % NEW,
            answer=status % (b"", 0, 1, above.uid_validity) + status % (b"/own", 1, 2, own.uid_validity),
        )
        own.add(message(), (), 0)
        self.assertEqual(self.heard(client), status % (b"/own", 2, 3, own.uid_validity))

    def test_they_are_not_personal(self) -> None:
        wanted = b"MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange"
        client = self.notify(b"SET (personal (%b)) (inboxes (%b))" % (wanted, wanted))
        self.box.add(message(), (), 0)
        run(self.account.subscribe("user/bob/Sent"))
        self.assertEqual(self.heard(client), b"")

    def test_the_status_at_the_beginning(self) -> None:
        self.box.add(message(), (), 0)
        status = self.told("MESSAGES 1 UIDNEXT 2")
        self.notify(b"SET STATUS (mailboxes user/bob/Sent %b)" % NEW, answer=status)

    def test_what_may_not_be_read(self) -> None:
        """3.1: it is told if it can be seen, or else ignored."""
        run(self.bob.set_acl("Sent", "alice", "l"))
        wanted = b"SET (mailboxes (user/bob/Sent user/bob/INBOX user/nobody/x) %b)" % NEW
        client = self.notify(wanted, answer=b'* LIST (\\NoAccess) "/" user/bob/Sent\r\n')
        self.box.add(message(), (), 0)
        self.assertEqual(self.heard(client), b"")

    def test_a_right_is_taken_away(self) -> None:
        """5.9."""
        client = self.notify(b"SET (mailboxes user/bob/Sent %b)" % NEW)
        run(self.bob.set_acl("Sent", "alice", "l"))
        self.box.add(message(), (), 0)
        self.assertEqual(self.heard(client), b'* LIST (\\NoAccess) "/" user/bob/Sent\r\n')
        self.box.add(message(), (), 0)
        self.assertEqual(self.heard(client), b"")

    def test_a_right_is_given_back(self) -> None:
        """5.9: it is told, and messages are again."""
        run(self.bob.set_acl("Sent", "alice", "l"))
        client = self.notify(
            b"SET (mailboxes user/bob/Sent %b)" % NEW, answer=b'* LIST (\\NoAccess) "/" user/bob/Sent\r\n'
        )
        run(self.bob.set_acl("Drafts", "alice", "l"))
        self.assertEqual(self.heard(client), b"")
        run(self.bob.set_acl("Sent", "alice", "lr"))
        self.assertEqual(self.heard(client), b'* LIST () "/" user/bob/Sent\r\n')
        self.box.add(message(), (), 0)
        self.assertEqual(self.heard(client), self.told("MESSAGES 1 UIDNEXT 2"))

    def test_what_can_be_seen_is_created(self) -> None:
        """5.4: to get the right to see a mailbox is its creation, and to lose it its deletion."""
        client = self.notify(b"SET (subtree user/bob (MailboxName MessageNew MessageExpunge))")
        run(self.bob.set_acl("Drafts", "alice", "lr"))
        self.assertIn(b'* LIST (\\HasNoChildren) "/" user/bob/Drafts\r\n', self.heard(client))
        drafts: Any = run(self.bob.open("Drafts"))
        drafts.add(message(), (), 0)
        self.assertIn(b"* STATUS user/bob/Drafts (MESSAGES 1 ", self.heard(client))
        run(self.bob.set_acl("Drafts", "alice", ""))
        self.assertIn(b'* LIST (\\NonExistent \\HasNoChildren) "/" user/bob/Drafts\r\n', self.heard(client))
        drafts.add(message(), (), 0)
        self.assertNotIn(b"STATUS", self.heard(client))

    def test_the_mailbox_goes(self) -> None:
        client = self.notify(b"SET (mailboxes user/bob/Sent %b)" % NEW)
        run(self.bob.delete("Sent"))
        self.assertEqual(self.heard(client), b'* LIST (\\NonExistent) "/" user/bob/Sent\r\n')

    def test_too_many(self) -> None:
        self.patch(_notifying_foreign, "FOREIGN", 1)
        run(self.bob.set_acl("Drafts", "alice", "lr"))
        client = self.sign_in()
        self.assertEqual(
            self.say(client, b"a NOTIFY SET (subtree user/bob %b)" % NEW),
            b"a NO [NOTIFICATIONOVERFLOW] More than 1 mailboxes of others\r\n",
        )
        self.assertFalse(client.session.notices)
        self.box.add(message(), (), 0)
        self.assertEqual(self.heard(client), b"")
