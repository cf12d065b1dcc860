"""What clients do with the messages of a selected mailbox, at random, and what the answers must be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from _parts.stress.connection import Answer, Command
from _parts.stress.mirror import Known, Mirror
from _parts.stress.responses import Value, numbers_of, ranges
from _parts.stress.world import World

__all__ = ["Actions"]

ITEMS = [
    "UID",
    "FLAGS",
    "INTERNALDATE",
    "RFC822.SIZE",
    "ENVELOPE",
    "BODY",
    "BODYSTRUCTURE",
    "BODY.PEEK[]",
    "BODY.PEEK[HEADER]",
    "BODY.PEEK[TEXT]",
    "BODY.PEEK[1]",
    "BODY.PEEK[1.MIME]",
    "BODY.PEEK[HEADER.FIELDS_(SUBJECT_FROM)]",
    "BODY.PEEK[]<3.20>",
    "BODY[TEXT]",
    "BODY[]",
    "RFC822.HEADER",
    "RFC822",
    "RFC822.TEXT",
    "BINARY.PEEK[1]",
    "BINARY.SIZE[1]",
    "EMAILID",
    "THREADID",
    "SAVEDATE",
    "PREVIEW",
    "ALL",
    "FAST",
    "FULL",
]
FLAGS = (rb"\Seen", rb"\Answered", rb"\Flagged", rb"\Draft", b"$Label1", b"$Label2", b"$Junk")
SORTS = ("ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO")
KEYS = (
    "ALL", "SEEN", "UNSEEN", "FLAGGED", "KEYWORD $Label1", "DELETED", "NOT DRAFT", "SUBJECT two", "FROM bob",
    "TEXT lemon", "BODY salt", "LARGER 700", "SINCE 1-Jan-2020", "OR ANSWERED UNFLAGGED", "SENTON 7-Feb-2023",
    'TEXT "日本語"', "HEADER X-Number 7",
)  # fmt: skip


class Actions:
    """Makes commands that may be sent together.

    :param mirror: of the selected mailbox, which is not empty.
    :param uids: whether messages are named by their UIDs only; some are known.
    """

    def __init__(self, world: World, mirror: Mirror, *, modseqs: bool, uids: bool) -> None:
        self.world = world
        self.chance = world.chance
        self.mirror = mirror
        self.modseqs = modseqs
        self.uids = uids
        self._owns = False  # what comes of two such STOREs is known only when both are answered

    def some(self) -> tuple[list[Known], bytes, bool]:
        """Some messages, their set, and whether it has UIDs."""
        mirror, chance = self.mirror, self.chance
        if self.uids:
            named = [known for known in mirror.messages if known.uid is not None]
            chosen = chance.sample(named, min(chance.choice((1, 1, 2, 5, len(named))), len(named)))
            chosen.sort(key=lambda known: known.uid or 0)
            return chosen, ranges([known.uid for known in chosen if known.uid is not None]).encode(), True
        count = len(mirror.messages)
        numbers = sorted({chance.randrange(count) for _ in range(chance.choice((1, 1, 2, 5, count)))})
        messages = [mirror.messages[number] for number in numbers]
        if chance.random() < 0.5 and all(known.uid is not None for known in messages):
            uids = [known.uid for known in messages if known.uid is not None]
            return messages, ranges(uids).encode(), True
        if chance.random() < 0.1:
            return list(mirror.messages), b"1:%d" % count, False
        return messages, ranges([number + 1 for number in numbers]).encode(), False

    def fetch(self) -> Command:
        """FETCH of any items; if it is answered with OK, all of the messages were told of."""
        messages, numbers, uid = self.some()
        # A response that has the UID instead of a number need not have it again.
        items = self.chance.sample(ITEMS[self.mirror.uids_only :], self.chance.randint(1, 4))
        macro = [item for item in items if item in ("ALL", "FAST", "FULL")]
        wanted = macro[0] if macro else f"({' '.join(items).replace('_', ' ')})"
        if len(messages) > 10 and ("BODY" in wanted or "RFC822" in wanted):
            wanted = "(UID FLAGS ENVELOPE)"
        changed_since = self.modseqs and self.chance.random() < 0.2
        tail = b" (CHANGEDSINCE %d)" % max(self.mirror.modseq - 5, 1) if changed_since else b""
        octets = b"%bFETCH %b %b%b" % (b"UID " * uid, numbers, wanted.encode(), tail)
        first = set() if macro else {wanted.strip("()").split(" ")[0].replace(".PEEK", "").encode()}

        def check(answer: Answer) -> None:
            if not changed_since:
                self._all_told(octets, messages, answer, uid, {n for n in first if b"[" not in n})

        return Command("FETCH", (octets,), not uid, () if uid else messages, check)

    def _all_told(
        self, octets: bytes, messages: Sequence[Known], answer: Answer, uid: bool, names: set[bytes]
    ) -> None:
        told: dict[Known, set[bytes]] = {}
        for known, items in answer.told:
            told.setdefault(known, set()).update(items)
        for known in messages:
            if uid and known not in self.mirror.messages:
                continue
            if uid and known not in told:
                # It must turn out to be removed.
                self.mirror.suspects[b"%b (UID %d)" % (octets[:150], known.uid or 0)] = [known]
            elif known not in told or not names <= told[known]:
                self.mirror.wrong(f"OK to {octets!r} without {names} of UID {known.uid}")

    def store(self) -> Command:
        """STORE of flags, or of the keyword that only this client sets."""
        messages, numbers, uid = self.some()
        chance = self.chance
        sign = chance.choice((b"+", b"-", b"+", b"-", b""))
        flags = chance.sample(FLAGS, chance.randint(1, 3))
        if chance.random() < 0.03:
            flags.append(b"new%d" % chance.randrange(1000))
        own = not self._owns and (chance.random() < 0.3 or not sign)
        self._owns = self._owns or own
        if not sign:
            sign, flags = b"+", flags[:1]  # the keywords of others must stay
        if own:
            flags.append(self.mirror.keyword)
        silent = chance.random() < 0.4
        unchanged = self.modseqs and chance.random() < 0.2
        condition = b"(UNCHANGEDSINCE %d) " % self.mirror.modseq if unchanged else b""
        for known in messages:
            if own:
                known.owned = None
            if silent:
                known.flags = None
        octets = b"%bSTORE %b %b%bFLAGS%b (%b)" % (
            b"UID " * uid, numbers, condition, sign, b".SILENT" * silent, b" ".join(flags),
        )  # fmt: skip

        def check(answer: Answer) -> None:
            if silent:
                for known in messages:
                    known.flags = None  # a STORE before this one may have told them meanwhile
            if unchanged:
                return
            if not silent:
                self._all_told(octets, messages, answer, uid, {b"FLAGS"})
            told = {known for known, _ in answer.told}
            for known in messages:
                if known not in told:
                    continue  # with UIDs or .SILENT, it may be removed
                if own:
                    known.owned = sign == b"+"
                if own and not silent and known in self.mirror.messages and known.flags is not None:
                    has_own = self.mirror.keyword in known.flags
                    if has_own != (sign == b"+"):
                        self.mirror.wrong(f"{octets!r} did not change UID {known.uid}: {known.flags}")

        return Command("STORE", (octets,), not uid, () if uid else messages, check, writes=True)

    def delete(self) -> Command:
        """STORE of \\Deleted."""
        messages, numbers, uid = self.some()
        octets = b"%bSTORE %b +FLAGS (\\Deleted)" % (b"UID " * uid, numbers)
        return Command("STORE", (octets,), not uid, () if uid else messages, writes=True)

    def expunge(self) -> Command:
        """EXPUNGE, or UID EXPUNGE of some."""
        uids = self.mirror.uids()
        if uids and self.chance.random() < 0.5:
            some = self.chance.sample(uids, max(len(uids) // 2, 1))
            return Command("UID EXPUNGE", (b"UID EXPUNGE " + ranges(some).encode(),), writes=True)
        return Command("EXPUNGE", (b"EXPUNGE",), writes=True)

    def copy(self) -> Command:
        """COPY or MOVE to any mailbox."""
        messages, numbers, uid = self.some()
        if len(messages) > 10 and uid:
            messages = messages[:1]
            numbers = b"%d" % (messages[0].uid or 0)
        elif len(messages) > 10:
            messages, numbers = self.mirror.messages[:1], b"1"
        target = self.world.boxes[self.chance.choice(list(self.world.boxes))]
        verb = self.chance.choice((b"COPY", b"MOVE"))
        least = target.uid_next

        def check(answer: Answer) -> None:
            codes = [answer.text, *(values[1] for values in answer.untagged if values[0] == b"OK")]
            for text in codes:
                if text.startswith(b"[COPYUID "):
                    validity, sources, copies = text[9:].partition(b"]")[0].split(b" ")
                    if len(numbers_of(sources)) != len(numbers_of(copies)):
                        self.mirror.wrong(f"{text!r}: not as many")
                    if target.validity and (
                        int(validity) != target.validity or numbers_of(copies)[0] < least
                    ):
                        self.mirror.wrong(f"{text!r}, but UIDNEXT was {least}")

        octets = b"%b%b %b %b" % (b"UID " * uid, verb, numbers, target.name.encode())
        return Command(
            verb.decode(), (octets,), False, () if uid else messages, check, writes=verb == b"MOVE"
        )

    def search(self) -> Command:
        """SEARCH with any keys."""
        uid = self.uids or self.chance.random() < 0.5
        keys = " ".join(self.chance.sample(KEYS, self.chance.randint(1, 2)))
        esearch = self.chance.random() < 0.3
        options = " RETURN (ALL COUNT MIN MAX)" if esearch else ""

        def check(answer: Answer) -> None:
            for values in answer.untagged:
                if values[0] == b"SEARCH":
                    self._results([int(v) for v in values[1:] if isinstance(v, bytes)], uid, ordered=True)
                elif values[0] == b"ESEARCH" and b"ALL" in values:
                    self._results(numbers_of(values[values.index(b"ALL") + 1]), uid, ordered=True)

        octets = f"{'UID ' * uid}SEARCH{options} CHARSET UTF-8 {keys}".encode()
        return Command("SEARCH", self._in_literals(octets), not uid, (), check)

    def _in_literals(self, octets: bytes) -> tuple[bytes, ...]:
        """What is not ASCII must be in a literal (RFC 9051 4.3)."""
        before, quote, rest = octets.partition(b'"')
        if not quote:
            return (octets,)
        text, _, after = rest.partition(b'"')
        return (b"%b{%d+}\r\n%b%b" % (before, len(text), text, after),)

    def sort(self) -> Command:
        """SORT or THREAD."""
        uid = self.uids or self.chance.random() < 0.5
        keys = self.chance.choice(KEYS[:7])
        verb = self.chance.choice(("SORT", "THREAD"))
        if verb == "SORT":
            how = self.chance.choice(("", "REVERSE ")) + self.chance.choice(SORTS)
            octets = f"{'UID ' * uid}SORT ({how}) UTF-8 {keys}"
        else:
            octets = (
                f"{'UID ' * uid}THREAD {self.chance.choice(('REFERENCES', 'ORDEREDSUBJECT'))} UTF-8 {keys}"
            )

        def check(answer: Answer) -> None:
            for values in answer.untagged:
                if values[0] == verb.encode():
                    self._results(_flat(values[1:]), uid, ordered=False)

        return Command(verb, (octets.encode(),), not uid, (), check)

    def _results(self, numbers: list[int], uid: bool, *, ordered: bool) -> None:
        mirror = self.mirror
        if len(set(numbers)) != len(numbers) or (ordered and numbers != sorted(numbers)):
            mirror.wrong(f"results {numbers}")
        if not uid and numbers and not 1 <= min(numbers) <= max(numbers) <= len(mirror.messages):
            mirror.wrong(f"results {numbers} of {len(mirror.messages)}")
        if uid and (strange := set(numbers) & mirror.gone_then):
            mirror.wrong(f"results {strange}, which the client was told are gone")

    def any(self) -> Command:
        """Any of these."""
        weights = self.world.mixture.weights
        [name] = self.chance.choices(list(weights), weights=list(weights.values()))
        make: Callable[[], Command] = getattr(self, name)
        return make()


def _flat(values: list[Value]) -> list[int]:
    """The numbers in lists of lists, or between spaces."""
    numbers: list[int] = []
    for value in values:
        numbers += _flat(value) if isinstance(value, list) else [int(value)]
    return numbers
