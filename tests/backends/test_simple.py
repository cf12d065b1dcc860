"""An application's own mailboxes: what it writes is little, what clients get is all."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailproto.backends import MemoryStore, SimpleAccount, SimpleMailbox, SingleStore, _simple_state
from mailproto.errors import InvalidMailboxName, MailError, NoSuchMailbox, ReadOnly
from mailproto.interfaces import IAccount, IMailbox, IRecent, IStore
from mailproto.interfaces.add_ons import ISaveDates
from mailproto.model import AppendedMessage, FlagChange, FlagOperation, NewMessage, Part, Placement

MESSAGES = [b"Subject: One\r\n\r\n1\r\n", b"Subject: Two\r\n\r\n2\r\n"]


class ListMailbox(SimpleMailbox):
    """A Python list, as the README has it."""

    writable = False

    def __init__(self, messages):
        super().__init__()
        for message in messages:
            self.add(message)


class SimpleMailboxTests(SynchronousTestCase):
    """`SimpleMailbox` as a base."""

    def setUp(self):
        self.mailbox = ListMailbox(MESSAGES)

    def result(self, coroutine):
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def error(self, coroutine):
        return self.failureResultOf(Deferred.fromCoroutine(coroutine), MailError).type

    def test_old_tombstones_are_forgotten(self):
        self.patch(_simple_state, "_TOMBSTONES", 1)
        for _ in range(8):
            self.mailbox.add(b"x")
        since = self.result(self.mailbox.status()).modseq
        for uid in (2, 4, 6, 9):
            self.mailbox.remove([uid])
        changes = self.result(self.mailbox.changes_since(since))
        self.assertEqual(list(changes.vanished), [2, 4, 6, 9])
        self.assertEqual(len(self.mailbox._state._vanished), 2)
        self.mailbox.remove([3, 5, 7, 10])
        last = self.result(self.mailbox.changes_since(changes.modseq))
        self.assertEqual(list(last.vanished), [2, 3, 4, 5, 6, 7, 9, 10])  # more than was asked for

    def test_it_is_a_mailbox(self):
        verifyObject(IMailbox, self.mailbox)
        verifyObject(IRecent, self.mailbox)

    def test_a_list_is_read_as_a_mailbox(self):
        found = self.result(self.mailbox.read([1, 2, 3], Part.CONTENT | Part.ENVELOPE))
        self.assertEqual([(info.uid, info.content) for info in found], list(enumerate(MESSAGES, 1)))
        self.assertIn(b'"One"', found[0].envelope)
        self.assertEqual(self.result(self.mailbox.status()).messages, 2)

    def test_clients_cannot_change_what_is_not_writable(self):
        change = FlagChange(FlagOperation.ADD, frozenset({"\\Seen"}))
        other = SimpleMailbox()
        for asked in (
            self.mailbox.append([NewMessage(b"")]),
            self.mailbox.store([1], change),
            self.mailbox.move([1], other),
            self.mailbox.expunge(),
            other.copy([1], self.mailbox) if self.result(other.append([NewMessage(b"")])) else None,
        ):
            self.assertEqual(self.error(asked), ReadOnly)
        self.assertEqual(self.result(self.mailbox.copy([1], other)), [(1, 2)])

    def test_the_application_can_and_is_heard(self):
        updates = []
        self.mailbox.watch(updates.append)
        appended = self.mailbox.add(b"Subject: Three\r\n\r\n", ["\\Seen"], internal_date=5)
        self.assertEqual((appended.uid, updates), (3, [appended.modseq]))
        self.mailbox.remove([1, 9])
        self.assertEqual(len(updates), 2)
        changes = self.result(self.mailbox.changes_since(appended.modseq))
        self.assertEqual(list(changes.vanished), [1])

    def test_a_mailbox_under_another_name_is_the_same(self):
        other = self.mailbox.renamed("Other", 7)
        self.assertEqual((other.name, other.uid_validity), ("Other", 7))
        self.mailbox.add(b"")
        self.assertEqual(self.result(other.status()).messages, 3)
        other.retire()
        self.assertEqual(self.error(self.mailbox.status()), NoSuchMailbox)

    def test_an_error_while_copying_elsewhere_keeps_what_was_to_be_moved(self):
        source = SimpleMailbox()
        source.add(b"")
        self.assertEqual(self.error(source.move([1], self.mailbox)), ReadOnly)
        self.assertEqual(self.result(source.status()).messages, 1)


class SimpleAccountTests(SynchronousTestCase):
    """`SimpleAccount`: mailboxes that the application made."""

    def setUp(self):
        self.mailbox = ListMailbox(MESSAGES)
        self.account = SimpleAccount(
            "alice", {"inbox": self.mailbox, "lists/news": SimpleMailbox("lists/news")}
        )

    result, error = SimpleMailboxTests.result, SimpleMailboxTests.error

    def test_it_is_an_account(self):
        verifyObject(IAccount, self.account)

    def test_its_names(self):
        entries = {entry.name: entry for entry in self.result(self.account.list())}
        self.assertEqual(sorted(entries), ["INBOX", "lists", "lists/news"])
        self.assertFalse(entries["lists"].selectable)
        self.assertTrue(entries["INBOX"].subscribed)

    def test_open_and_status(self):
        self.assertIs(self.result(self.account.open("Inbox")), self.mailbox)
        self.assertEqual(self.error(self.account.open("none")), NoSuchMailbox)
        self.assertEqual(list(self.result(self.account.status(["INBOX", "none"]))), ["INBOX"])

    def test_there_is_always_an_inbox(self):
        account = SimpleAccount("alice", {})
        self.assertEqual(self.result(self.result(account.open("INBOX")).status()).messages, 0)

    def test_clients_cannot_change_the_names(self):
        for asked, what in (
            (self.account.create("x"), "created"),
            (self.account.delete("lists/news"), "deleted"),
            (self.account.rename("INBOX", "x"), "renamed"),
        ):
            failure = self.failureResultOf(Deferred.fromCoroutine(asked), InvalidMailboxName)
            self.assertEqual(failure.value.text, f"Mailboxes cannot be {what} here")

    def test_subscriptions(self):
        self.result(self.account.unsubscribe("inbox"))
        self.assertFalse(self.result(self.account.list())[0].subscribed)
        self.result(self.account.subscribe("inbox"))
        self.assertTrue(self.result(self.account.list())[0].subscribed)
        self.assertEqual(self.error(self.account.subscribe("none")), NoSuchMailbox)


class SimpleAccountWatchTests(SynchronousTestCase):
    """`SimpleAccount.watch`: whatever kind of mailboxes there are."""

    result = SimpleMailboxTests.result

    def test_all_of_it_is_heard(self):
        inbox, other = SimpleMailbox(), SimpleMailbox("other")
        gone = SimpleMailbox("gone")
        account = SimpleAccount("alice", {"INBOX": inbox, "other": other, "gone": gone})
        gone.retire()
        told = []
        end = account.watch(told.append)
        for change in (
            lambda: inbox.add(b""),
            lambda: other.add(b""),
            lambda: self.result(account.unsubscribe("other")),
            lambda: self.result(account.subscribe("other")),
            lambda: inbox.remove([1]),
        ):
            before = len(told)
            change()
            self.assertEqual(len(told), before + 1)
        self.assertEqual(told, sorted(set(told)))
        self.result(account.subscribe("other"))
        end()
        end()
        inbox.add(b"")
        self.assertEqual(len(told), 5)


class SingleStoreTests(SynchronousTestCase):
    """`SingleStore`: one account with the application's INBOX."""

    result = SimpleMailboxTests.result

    def test_sign_in_and_read(self):
        mailbox = ListMailbox(MESSAGES)
        store = SingleStore("Alice@example.org", "hash", mailbox)
        verifyObject(IStore, store)
        self.result(store.start())
        self.assertEqual(self.result(store.directory.password_hash("alice@example.org")), "hash")
        account = self.result(store.account("ALICE@example.org"))
        self.assertIs(self.result(account.open("INBOX")), mailbox)
        [outcome] = self.result(store.deliver(b"", [Placement("alice@example.org")]))
        self.assertIsInstance(outcome, ReadOnly)
        mailbox.writable = True
        [outcome] = self.result(store.deliver(b"", [Placement("alice@example.org")]))
        self.assertIsInstance(outcome, AppendedMessage)
        self.assertEqual(store.add_ons, {IRecent, ISaveDates})

    def test_a_store_of_ones_own_accounts(self):
        class Store(MemoryStore):
            def make_account(self, name):
                return SimpleAccount(name, {"INBOX": ListMailbox([name.encode()])})

        store = Store()
        self.assertEqual(store.add_ons, frozenset())
        self.result(store.directory.add("bob", ""))
        inbox = self.result(self.result(store.account("bob")).open("INBOX"))
        [info] = self.result(inbox.read([1], Part.CONTENT))
        self.assertEqual(info.content, b"bob")
        self.result(store.directory.delete("bob"))
        self.assertEqual(list(self.result(store.directory.names())), [])
