"""CONTEXT=SEARCH and CONTEXT=SORT (RFC 5267): the changes of results, and parts of them."""

from __future__ import annotations

import random
import re

from mailproto.errors import Unavailable
from mailproto.imap.server import _contexts
from mailproto.imap.server._extensions import context
from mailproto.model import FlagChange, FlagOperation
from tests.imap.server.dialogue import DialogueTestCase, message, run

ADD, REMOVE = FlagOperation.ADD, FlagOperation.REMOVE


class UpdateTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(7)
        self.inbox.remove([1])
        self.sign_in(select="INBOX")

    def flag(self, uids: list[int], operation: FlagOperation = ADD, flag: str = "\\Seen") -> None:
        """Another session changes flags."""
        run(self.inbox.store(uids, FlagChange(operation, frozenset([flag]))))

    def test_own_changes(self) -> None:
        self.talk(
            """
            C: B01 SEARCH RETURN (UPDATE COUNT) SEEN
            S: * ESEARCH (TAG "B01") COUNT 0
            S: B01 OK SEARCH completed
            C: a STORE 1,2,5 +FLAGS.SILENT (\\Seen)
            S: * ESEARCH (TAG "B01") ADDTO (0 1:2,5)
            S: a OK STORE completed
            C: b STORE 1,2,3 -FLAGS.SILENT (\\Seen)
            S: * ESEARCH (TAG "B01") REMOVEFROM (0 1:2)
            S: b OK STORE completed
            C: c FETCH 6 BODY[TEXT]
            S: * 6 FETCH (BODY[TEXT] {11}
            S: Hello Bob
            S:  FLAGS (\\Seen \\Recent))
            S: * ESEARCH (TAG "B01") ADDTO (0 6)
            S: c OK FETCH completed
            C: d STORE 3:6 +FLAGS.SILENT (\\Deleted)
            S: d OK STORE completed
            C: e EXPUNGE
            S: * ESEARCH (TAG "B01") REMOVEFROM (0 5:6)
            S: * 3 EXPUNGE
            S: * 3 EXPUNGE
            S: * 3 EXPUNGE
            S: * 3 EXPUNGE
            S: e OK EXPUNGE completed
            C: f CANCELUPDATE "B01"
            S: f OK CANCELUPDATE completed
            C: g STORE 1 +FLAGS.SILENT (\\Seen)
            S: g OK STORE completed
            """
        )

    def test_changes_of_others(self) -> None:
        self.talk(
            """
            C: B01 UID SEARCH RETURN (UPDATE ALL) OR SEEN SUBJECT 2
            S: * ESEARCH (TAG "B01") UID ALL 2
            S: B01 OK UID SEARCH completed
            """
        )
        self.flag([3, 4])
        self.inbox.add(message("Number 20"), (), 0)
        self.inbox.remove([2])
        self.talk(
            """
            C: a FETCH 1 UID
            S: * 7 EXISTS
            S: * 7 RECENT
            S: * 2 FETCH (UID 3 FLAGS (\\Seen \\Recent))
            S: * 3 FETCH (UID 4 FLAGS (\\Seen \\Recent))
            S: * ESEARCH (TAG "B01") UID REMOVEFROM (0 2)
            S: * ESEARCH (TAG "B01") UID ADDTO (0 3:4,8)
            S: * 1 FETCH (UID 2)
            S: a OK FETCH completed
            C: b NOOP
            S: * 1 EXPUNGE
            S: b OK NOOP completed
            """
        )

    def test_while_idling(self) -> None:
        self.talk(
            """
            C: B01 SEARCH RETURN (UPDATE) SEEN
            S: * ESEARCH (TAG "B01")
            S: B01 OK SEARCH completed
            C: a IDLE
            S: + idling
            """
        )
        self.flag([3])
        self.talk(
            """
            S: * 2 FETCH (UID 3 FLAGS (\\Seen \\Recent))
            S: * ESEARCH (TAG "B01") ADDTO (0 2)
            C: DONE
            S: a OK IDLE completed
            """
        )

    def test_numbers_mean_what_they_meant(self) -> None:
        """RFC 5267 4.3: sequence numbers and ``$`` are evaluated when the command is received."""
        self.talk(
            """
            C: s SEARCH RETURN (SAVE) 4
            S: s OK SEARCH completed
            C: one SEARCH RETURN (UPDATE COUNT) 2:3
            S: * ESEARCH (TAG "one") COUNT 2
            S: one OK SEARCH completed
            C: two UID SEARCH RETURN (UPDATE COUNT) OR UID 3:* $ SEEN
            S: * ESEARCH (TAG "two") UID COUNT 0
            S: two OK UID SEARCH completed
            C: r SEARCH RETURN (SAVE) ALL
            S: r OK SEARCH completed
            """
        )
        self.inbox.remove([3])
        self.inbox.add(message(), ["\\Seen"], 0)
        self.talk(
            """
            C: a NOOP
            S: * 7 EXISTS
            S: * 7 RECENT
            S: * ESEARCH (TAG "one") REMOVEFROM (0 2)
            S: * ESEARCH (TAG "two") UID ADDTO (0 8)
            S: * 2 EXPUNGE
            S: a OK NOOP completed
            """
        )

    def test_tags(self) -> None:
        self.talk(
            """
            C: B01 SEARCH RETURN (UPDATE COUNT) SEEN
            S: * ESEARCH (TAG "B01") COUNT 0
            S: B01 OK SEARCH completed
            C: B01 SORT RETURN (UPDATE) (DATE) UTF-8 FLAGGED
            S: B01 BAD Tag reuse
            C: a CANCELUPDATE "B02"
            S: a BAD Unknown tag
            C: b CANCELUPDATE
            S: b BAD ...
            C: c CANCELUPDATE "B01" "B01"
            S: c OK CANCELUPDATE completed
            C: B01 SEARCH RETURN (UPDATE COUNT) SEEN
            S: * ESEARCH (TAG "B01") COUNT 0
            S: B01 OK SEARCH completed
            C: d UNSELECT
            S: d OK UNSELECT completed
            C: e CANCELUPDATE "B01"
            S: e BAD ...
            """
        )

    def test_there_are_not_many(self) -> None:
        client = self.clients[""]
        for number in range(9):
            client.send(b"t%d SEARCH RETURN (UPDATE COUNT) SEEN\r\n" % number)
        *_, first, second, third = client.received().splitlines()
        self.assertEqual(
            [first, second, third],
            [
                b'* ESEARCH (TAG "t8") COUNT 0',
                b'* NO [NOUPDATE "t8"] Too many contexts',
                b"t8 OK SEARCH completed",
            ],
        )

    def test_many_tags_are_refused(self) -> None:
        client = self.clients[""]
        client.send(b"a CANCELUPDATE%b\r\n" % (b' "x"' * 101))
        self.assertIn(b"a NO [LIMIT] Too many tags", client.received())

    def test_long_keys_are_not_kept(self) -> None:
        client = self.clients[""]
        numbers = b",".join(b"%d" % number for number in range(1, 2002, 2))
        for keys in (numbers, b"UID " + numbers, b"OR " * 37 + b"SUBJECT %b " % (b"x" * 1600) * 38):
            client.send(b"long SEARCH RETURN (UPDATE COUNT) %b\r\n" % keys)
            self.assertIn(b'* NO [NOUPDATE "long"]', client.received())

    def test_a_search_that_fails_ends(self) -> None:
        self.talk(
            """
            C: one SEARCH RETURN (UPDATE COUNT) SEEN
            S: * ESEARCH (TAG "one") COUNT 0
            S: one OK SEARCH completed
            C: two SEARCH RETURN (UPDATE COUNT) BODY x
            S: * ESEARCH (TAG "two") COUNT 0
            S: two OK SEARCH completed
            """
        )

        async def failing(uids: object, tests: object) -> object:
            raise Unavailable

        self.patch(self.inbox, "find", failing)
        self.flag([2])
        self.talk(
            """
            C: a NOOP
            S: * 1 FETCH (UID 2 FLAGS (\\Seen \\Recent))
            S: * ESEARCH (TAG "one") ADDTO (0 1)
            S: * NO [NOUPDATE "two"] No more updates
            S: a OK NOOP completed
            """
        )
        self.flag([2], REMOVE)
        self.talk(
            """
            C: b NOOP
            S: * 1 FETCH (UID 2 FLAGS (\\Recent))
            S: * ESEARCH (TAG "one") REMOVEFROM (0 1)
            S: b OK NOOP completed
            """
        )


class SortedTests(DialogueTestCase):
    def test_places(self) -> None:
        for subject in ("b", "d", "f", "h"):
            self.inbox.add(message(subject), (), 0)
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: C01 UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 UNDELETED
            S: * ESEARCH (TAG "C01") UID ALL 1:4
            S: C01 OK UID SORT completed
            """
        )
        for subject in ("a", "e", "e", "z"):
            self.inbox.add(message(subject), (), 0)
        self.inbox.remove([3])
        run(self.inbox.store([1], FlagChange(ADD, frozenset(["\\Deleted"]))))
        self.talk(
            """
            C: a NOOP
            S: * 8 EXISTS
            S: * 8 RECENT
            S: * 1 FETCH (UID 1 FLAGS (\\Deleted \\Recent))
            S: * ESEARCH (TAG "C01") UID REMOVEFROM (3 3 1 1)
            S: * ESEARCH (TAG "C01") UID ADDTO (1 5 3 6:7 6 8)
            S: * 3 EXPUNGE
            S: a OK NOOP completed
            """
        )

    def test_a_client_that_follows_has_what_a_new_search_finds(self) -> None:
        chance = random.Random(1)
        self.patch(_contexts, "_AT_ONCE", 3)
        for _ in range(12):
            self.inbox.add(message(chance.choice("abcdef")), (), 0)
        client = self.sign_in(select="INBOX")
        searches = {
            "s": "UID SEARCH RETURN (UPDATE ALL) %s UNSEEN",
            "o": "UID SORT RETURN (UPDATE ALL) %s (REVERSE SUBJECT) UTF-8 UNSEEN",
        }
        results: dict[str, list[int]] = {}
        for tag, search in searches.items():
            client.send(f"{tag} {search}\r\n".replace(" %s", "").encode())
            results[tag] = self.numbers(re.search(rb" ALL (\S+)", client.received()))
        for turn in range(60):
            uids = self.inbox_uids()
            if chance.random() < 0.5:
                self.inbox.add(message(chance.choice("abcdef")), (), 0)
            some = chance.sample(uids, min(len(uids), chance.randrange(5)))
            operation = chance.choice((ADD, REMOVE))
            run(self.inbox.store(sorted(some), FlagChange(operation, frozenset(["\\Seen"]))))
            if uids and chance.random() < 0.4:
                self.inbox.remove([chance.choice(uids)])
            if uids and chance.random() < 0.5:
                client.send(b"own UID STORE %d FLAGS.SILENT (\\Seen)\r\n" % chance.choice(uids))
            client.send(b"n NOOP\r\n")
            for line in client.received().splitlines():
                told = re.fullmatch(rb'\* ESEARCH \(TAG "(.)"\) UID (\w+) \((.*)\)', line)
                if told is not None:
                    words = told[3].split()
                    for place, numbers in zip(words[::2], words[1::2], strict=True):
                        self.follow(results[told[1].decode()], told[2], int(place), self.numbers_of(numbers))
            for tag, search in searches.items():
                client.send(f"x {search}\r\n".replace("UPDATE ALL", "ALL").replace(" %s", "").encode())
                expected = self.numbers(re.search(rb" ALL (\S+)", client.received()))
                self.assertEqual(results[tag], expected, (turn, tag))

    def follow(self, result: list[int], word: bytes, place: int, numbers: list[int]) -> None:
        if word == b"ADDTO":
            at = place - 1 if place else len(result)
            result[at:at] = numbers
        elif place:
            self.assertEqual(result[place - 1 : place - 1 + len(numbers)], numbers)
            del result[place - 1 : place - 1 + len(numbers)]
        else:
            result[:] = [each for each in result if each not in numbers]
        if not place:
            result.sort()

    def inbox_uids(self) -> list[int]:
        return list(run(self.inbox.changes_since(0)).changed.uids)

    def numbers(self, match: re.Match[bytes] | None) -> list[int]:
        return [] if match is None else self.numbers_of(match[1])

    def numbers_of(self, text: bytes) -> list[int]:
        found = []
        for piece in text.split(b","):
            first, _, last = piece.partition(b":")
            found += list(range(int(first), int(last or first) + 1))
        return found

    def test_the_changes_of_too_many_are_not_told(self) -> None:
        self.patch(context, "SORTED", 3)
        self.fill(3)
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: one SORT RETURN (UPDATE COUNT) (DATE) UTF-8 ALL
            S: * ESEARCH (TAG "one") COUNT 3
            S: one OK SORT completed
            """
        )
        self.fill(1)
        self.talk(
            """
            C: a NOOP
            S: * 4 EXISTS
            S: * 4 RECENT
            S: * NO [NOUPDATE "one"] No more updates
            S: a OK NOOP completed
            C: two SORT RETURN (UPDATE COUNT) (DATE) UTF-8 ALL
            S: * ESEARCH (TAG "two") COUNT 4
            S: * NO [NOUPDATE "two"] Too many contexts
            S: two OK SORT completed
            C: three SEARCH RETURN (UPDATE COUNT CONTEXT) ALL
            S: * ESEARCH (TAG "three") COUNT 4
            S: three OK SEARCH completed
            """
        )


class PartialTests(DialogueTestCase):
    def test_parts(self) -> None:
        self.fill(6)
        self.inbox.remove([2])
        self.sign_in(select="INBOX")
        for asked, told in {
            "1:1": "1:1 1",
            "2:4": "2:4 3:5",
            "4:2": "2:4 3:5",
            "1:6": "1:6 1,3:6",
            "5:4294967295": "5:4294967295 6",
            "6:9": "6:9 NIL",
            "-1:-2": "-1:-2 5:6",
            "-9:-4": "-4:-9 1,3",
            "-6:-7": "-6:-7 NIL",
        }.items():
            self.talk(
                f"""
                C: a UID SEARCH RETURN (PARTIAL {asked}) ALL
                S: * ESEARCH (TAG "a") UID PARTIAL ({told})
                S: a OK UID SEARCH completed
                """
            )
        for asked in ("1", "1:*", "*:1", "0:1", "1:4294967296", "-1:1", "1:-1", "1:2,4", "1:2 ALL"):
            self.talk(
                f"""
                C: a UID SEARCH RETURN (PARTIAL {asked}) ALL
                S: a BAD ...
                """
            )
