"""METADATA (RFC 5464) and LIST-METADATA (RFC 9590) in dialogues."""

from __future__ import annotations

from mailproto.backends._annotations import MAX_ANNOTATION_OCTETS, MAX_ANNOTATIONS
from mailproto.model import FlagOperation
from tests.imap.server.dialogue import Client, DialogueTestCase, run


class MetadataTestCase(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sign_in()

    def annotate(self, mailbox: str, **values: bytes | None) -> None:
        run(
            self.account.annotate(
                mailbox, {f"/{name.replace('_', '/')}": value for name, value in values.items()}
            )
        )


class GetTests(MetadataTestCase):
    def test_it_is_announced(self) -> None:
        for word in ("METADATA", "LIST-METADATA"):
            self.assertIn(word, self.factory.tables.announced.decode().split())

    def test_values_of_a_mailbox_and_of_the_server(self) -> None:
        self.annotate("INBOX", shared_comment=b"Shared comment", private_comment=b'My "own" comment')
        self.annotate("", private_comment=b"Mine")
        self.talk(
            """
            C: a GETMETADATA "" /private/comment
            S: * METADATA "" (/private/comment "Mine")
            S: a OK GETMETADATA completed
            C: b GETMETADATA inbox (/shared/Comment /private/comment)
            S: * METADATA INBOX (/shared/comment "Shared comment" /private/comment "My \\"own\\" comment")
            S: b OK GETMETADATA completed
            C: c GETMETADATA "INBOX" /private/comment /shared/comment
            S: * METADATA INBOX (/private/comment "My \\"own\\" comment" /shared/comment "Shared comment")
            S: c OK GETMETADATA completed
            C: d GETMETADATA Sent (/shared/comment)
            S: * METADATA Sent (/shared/comment NIL)
            S: d OK GETMETADATA completed
            C: e GETMETADATA Nowhere /shared/comment
            S: e NO [NONEXISTENT] No such mailbox
            """
        )

    def test_octets_of_each_kind(self) -> None:
        self.annotate("INBOX", shared_a=b"", shared_b=b"1\r\n2", shared_c=b"1\x002", shared_d=b"\xc3\xa9")
        client = self.clients[""]
        client.send(b"a GETMETADATA INBOX (/shared/a /shared/b /shared/c /shared/d)\r\n")
        self.assertEqual(
            client.received(),
            b'* METADATA INBOX (/shared/a "" /shared/b {4}\r\n1\r\n2 /shared/c ~{3}\r\n1\x002'
            b" /shared/d {2}\r\n\xc3\xa9)\r\na OK GETMETADATA completed\r\n",
        )

    def test_long_values_are_left_out(self) -> None:
        """The options come first (RFC 5464 5), or second, as in its examples."""
        self.annotate("INBOX", shared_comment=b"x" * 2199, private_comment=b"My own comment")
        for command in (
            '(MAXSIZE 1024) "INBOX" (/shared/comment /private/comment)',
            "INBOX (maxsize 1024) (/shared/comment /private/comment)",
            "(MAXSIZE 1024 DEPTH infinity) INBOX (/shared /private)",
        ):
            self.talk(
                f"""
                C: a GETMETADATA {command}
                S: * METADATA INBOX (/private/comment "My own comment")
                S: a OK [METADATA LONGENTRIES 2199] GETMETADATA completed
                """
            )
        self.talk(
            """
            C: a GETMETADATA (MAXSIZE 2199) INBOX (/private/comment)
            S: * METADATA INBOX (/private/comment "My own comment")
            S: a OK GETMETADATA completed
            """
        )

    def test_entries_below(self) -> None:
        self.annotate("INBOX", private_a=b"0", private_a_b=b"1", private_a_b_c=b"2", private_ab=b"3")
        self.talk(
            """
            C: a GETMETADATA (DEPTH 0) INBOX /private/a
            S: * METADATA INBOX (/private/a "0")
            S: a OK GETMETADATA completed
            C: b GETMETADATA (DEPTH 1) INBOX /private/a
            S: * METADATA INBOX (/private/a "0" /private/a/b "1")
            S: b OK GETMETADATA completed
            C: c GETMETADATA INBOX (DEPTH infinity) (/private/a)
            S: * METADATA INBOX (/private/a "0" /private/a/b "1" /private/a/b/c "2")
            S: c OK GETMETADATA completed
            C: d GETMETADATA (DEPTH 1) INBOX /private/none
            S: d OK GETMETADATA completed
            """
        )

    def test_what_is_wrong(self) -> None:
        many = " ".join(f"/private/{number}" for number in range(1001))
        self.talk(
            f"""
            C: a GETMETADATA INBOX
            S: a BAD Missing argument
            C: b GETMETADATA INBOX /comment
            S: b BAD Not the name of an annotation
            C: c GETMETADATA INBOX "/private/a*"
            S: c BAD Not the name of an annotation
            C: d GETMETADATA (DEPTH 2) INBOX /private/a
            S: d BAD DEPTH is 0, 1 or infinity
            C: e GETMETADATA (SIZE 2) INBOX /private/a
            S: e BAD Unknown option
            C: f GETMETADATA () INBOX /private/a
            S: f BAD Missing option
            C: g GETMETADATA INBOX ()
            S: g BAD ...
            C: h GETMETADATA INBOX ({many})
            S: h NO [LIMIT] Too many entries
            C: i GETMETADATA INBOX {many}
            S: i NO [LIMIT] Too many entries
            C: j SETMETADATA INBOX ()
            S: j BAD Missing entry
            C: k SETMETADATA INBOX (/private/a)
            S: k BAD Expected a space
            C: l SETMETADATA INBOX (/private "x")
            S: l BAD Not the name of an annotation
            C: m SETMETADATA INBOX (/private//a "x")
            S: m BAD Not the name of an annotation
            """
        )

    def test_very_many_are_sent_in_pieces(self) -> None:
        run(self.account.annotate("INBOX", {f"/private/{at}": b"x" * 100 for at in range(MAX_ANNOTATIONS)}))
        client = self.clients[""]
        client.session.pauseProducing()
        client.send(b"a GETMETADATA (DEPTH infinity) INBOX /private\r\n")
        self.assertLess(len(self.turns(client)), 20_000)
        client.session.resumeProducing()
        answer = self.turns(client)
        self.assertIn(b"/private/9999 ", answer)
        self.assertTrue(answer.endswith(b"a OK GETMETADATA completed\r\n"))

    def turns(self, client: Client) -> bytes:
        """What comes in many turns of the reactor."""
        received = client.received()
        for _ in range(500):
            self.clock.advance(0)
            received += client.received()
        return received


class SetTests(MetadataTestCase):
    def test_values_are_set_and_removed(self) -> None:
        self.talk(
            """
            C: a SETMETADATA INBOX (/private/comment {33}
            S: + OK
            C: My new comment across
            C: two lines.)
            S: a OK SETMETADATA completed
            C: b SETMETADATA INBOX (/private/Comment NIL /shared/comment "For you")
            S: b OK SETMETADATA completed
            C: c GETMETADATA INBOX (/private/comment /shared/comment)
            S: * METADATA INBOX (/private/comment NIL /shared/comment "For you")
            S: c OK GETMETADATA completed
            """
        )

    def test_octets_with_nul(self) -> None:
        client = self.clients[""]
        client.send(b"a SETMETADATA INBOX (/private/x ~{3+}\r\na\0b)\r\n")
        self.assertEqual(client.received(), b"a OK SETMETADATA completed\r\n")
        self.assertEqual(run(self.account.annotations("INBOX", ["/private/x"])), {"/private/x": b"a\0b"})

    def test_what_is_refused_changes_nothing(self) -> None:
        most = MAX_ANNOTATION_OCTETS
        self.talk(
            f"""
            C: a SETMETADATA INBOX (/private/a "1" /private/b {{{most + 1}+}}
            C: {"x" * (most + 1)})
            S: a NO [METADATA MAXSIZE {most}] Annotation too large
            C: b SETMETADATA "" (/private/a "1" /shared/comment "x")
            S: b NO [NOPERM] Permission denied
            C: c SETMETADATA Nowhere (/private/a "1")
            S: c NO [NONEXISTENT] No such mailbox
            C: d GETMETADATA INBOX /private/a
            S: * METADATA INBOX (/private/a NIL)
            S: d OK GETMETADATA completed
            """
        )
        run(self.account.annotate("INBOX", {f"/private/{at}": b"x" for at in range(MAX_ANNOTATIONS)}))
        self.talk(
            """
            C: e SETMETADATA INBOX (/private/a "1")
            S: e NO [METADATA TOOMANY] Too many annotations
            """
        )

    def test_the_special_use(self) -> None:
        """RFC 6154 4: it can be read as an annotation."""
        self.talk(
            """
            C: a GETMETADATA Sent (/private/specialuse)
            S: * METADATA Sent (/private/specialuse "\\\\Sent")
            S: a OK GETMETADATA completed
            C: b GETMETADATA (DEPTH infinity) Sent /private
            S: * METADATA Sent (/private/specialuse "\\\\Sent")
            S: b OK GETMETADATA completed
            C: c GETMETADATA INBOX /private/specialuse
            S: * METADATA INBOX (/private/specialuse NIL)
            S: c OK GETMETADATA completed
            C: d SETMETADATA INBOX (/private/specialuse "\\\\Sent")
            S: d NO [CANNOT] The special use of a mailbox cannot be changed
            C: e LIST "" (Sent INBOX) RETURN (METADATA (/private/specialuse))
            S: * LIST (\\HasNoChildren) "/" INBOX
            S: * LIST (\\HasNoChildren \\Sent) "/" Sent
            S: * METADATA INBOX (/private/specialuse NIL)
            S: * METADATA Sent (/private/specialuse "\\\\Sent")
            S: e OK LIST completed
            """
        )


class UnsolicitedTests(MetadataTestCase):
    def test_changes_by_others_are_told_to_who_has_enabled_that(self) -> None:
        self.annotate("INBOX", private_before=b"x")
        self.sign_in("2")
        self.talk(
            """
            C: a ENABLE METADATA
            S: * ENABLED METADATA
            S: a OK ENABLE completed
            C2: b SETMETADATA INBOX (/shared/comment "x" /private/comment "y")
            S2: b OK SETMETADATA completed
            C2: c SETMETADATA "" (/private/comment "y")
            S2: c OK SETMETADATA completed
            C2: d NOOP
            S2: d OK NOOP completed
            C: e NOOP
            S: * METADATA INBOX /shared/comment /private/comment
            S: * METADATA "" /private/comment
            S: e OK NOOP completed
            C: f NOOP
            S: f OK NOOP completed
            C2: g SETMETADATA INBOX (/shared/comment NIL)
            S2: g OK SETMETADATA completed
            C: h SETMETADATA INBOX (/private/mine "x")
            S: * METADATA INBOX /shared/comment
            S: h OK SETMETADATA completed
            C: i NOOP
            S: i OK NOOP completed
            """
        )

    def test_one_who_idles_is_told(self) -> None:
        self.sign_in("2")
        self.talk(
            """
            C: a ENABLE METADATA
            S: * ENABLED METADATA
            S: a OK ENABLE completed
            C: b IDLE
            S: + idling
            C2: c SETMETADATA INBOX (/shared/comment "x")
            S2: c OK SETMETADATA completed
            S: * METADATA INBOX /shared/comment
            C: DONE
            S: b OK IDLE completed
            """
        )

    def test_nobody_is_told_after_signing_out(self) -> None:
        """UNAUTHENTICATE (RFC 8437)."""
        self.talk(
            """
            C: a ENABLE METADATA
            S: * ENABLED METADATA
            S: a OK ENABLE completed
            C: b UNAUTHENTICATE
            S: b OK ...
            """
        )
        self.annotate("INBOX", private_x=b"x")
        self.talk(
            """
            C: c LOGIN alice secret
            S: c OK ...
            C: d NOOP
            S: d OK NOOP completed
            """
        )

    def test_the_watch_ends_with_the_session(self) -> None:
        client = self.clients[""]
        client.send(b"a ENABLE METADATA\r\n")
        feed = client.session.feeds[0]
        client.transport.drop()
        self.annotate("INBOX", private_x=b"x")
        self.assertFalse(feed.is_stale)


class ListTests(MetadataTestCase):
    def test_annotations_of_mailboxes(self) -> None:
        """RFC 9590 4."""
        for name in ("foo", "bar/x"):
            run(self.account.create(name))
        run(self.account.delete("bar"))
        self.annotate("INBOX", shared_vendor_cmu_color=b"#b71c1c")
        self.talk(
            """
            C: a LIST "" (INBOX foo bar) RETURN (METADATA ("/shared/vendor/cmu/color"))
            S: * LIST (\\HasNoChildren) "/" INBOX
            S: * LIST (\\Noselect \\HasChildren) "/" bar
            S: * LIST (\\HasNoChildren) "/" foo
            S: * METADATA INBOX (/shared/vendor/cmu/color "#b71c1c")
            S: * METADATA foo (/shared/vendor/cmu/color NIL)
            S: a OK LIST completed
            C: b LIST "" foo RETURN (METADATA /shared/x SUBSCRIBED)
            S: * LIST (\\HasNoChildren) "/" foo
            S: * METADATA foo (/shared/x NIL)
            S: b OK LIST completed
            """
        )

    def test_what_is_wrong(self) -> None:
        many = " ".join(f"/private/{number}" for number in range(101))
        self.talk(
            f"""
            C: a LIST "" INBOX RETURN (METADATA)
            S: a BAD ...
            C: b LIST "" INBOX RETURN (METADATA ({many}))
            S: b NO [LIMIT] Too many entries
            C: c LIST "" INBOX RETURN (METADATA (/x))
            S: * LIST (\\HasNoChildren) "/" INBOX
            S: c BAD Not the name of an annotation
            """
        )


class SharedTests(MetadataTestCase):
    def test_what_others_see(self) -> None:
        run(self.store.directory.add("bob", ""))
        self.annotate("Sent", shared_a=b"1", private_a=b"2")
        self.connect("2")
        self.talk(
            """
            C2: a LOGIN bob secret
            S2: a OK ...
            C2: b GETMETADATA user/alice/Sent (/shared/a /private/a)
            S2: b NO [NONEXISTENT] No such mailbox
            """
        )
        run(self.account.set_acl("Sent", "bob", "l", FlagOperation.SET))
        self.talk(
            """
            C2: c GETMETADATA user/alice/Sent (/shared/a /private/a)
            S2: c NO [NOPERM] Permission denied
            C2: d LIST "" user/alice/% RETURN (METADATA (/shared/a))
            S2: * LIST (\\Noselect \\HasNoChildren) "/" user/alice/Sent
            S2: d OK LIST completed
            """
        )
        run(self.account.set_acl("Sent", "bob", "lr", FlagOperation.SET))
        self.talk(
            """
            C2: e GETMETADATA user/alice/Sent (/shared/a /private/a)
            S2: * METADATA user/alice/Sent (/shared/a "1" /private/a NIL)
            S2: e OK GETMETADATA completed
            """
        )
