"""An extension of one's own, with everything that it may bring, in dialogues."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from mailproto.connection.commands import State
from mailproto.content import Content
from mailproto.errors import MailError
from mailproto.imap import IMAPServerFactory
from mailproto.imap.extensions import (
    STANDARD,
    AppendData,
    Column,
    CommandSpec,
    Condition,
    Cost,
    CreateParameter,
    Extension,
    Extract,
    FetchedMessage,
    FetchModifier,
    FetchPiece,
    FetchRequest,
    ListReturn,
    ListSelection,
    PerServer,
    PerSession,
    Search,
    SearchFound,
    SearchKeys,
    SearchReturn,
    SelectParameter,
    Session,
    Sink,
    StoreModifier,
    StoreRequest,
)
from mailproto.imap.limits import IMAPLimits
from mailproto.imap.server._append import spooled
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.imap.wire import (
    ArgumentReader,
    Command,
    FetchItem,
    IMAPWireError,
    NoArguments,
    SearchKey,
    Steps,
    Upload,
    grammars,
    no_value,
)
from mailproto.message import Slices
from mailproto.model import MailboxEntry, MailboxStatus, Part, StoreResult
from tests.imap.server.dialogue import DialogueTestCase, run

COUNT = PerSession(list[str])
SHARED: PerServer[list[str]] = PerServer(lambda factory: [])


async def count(session: Session, command: Command[NoArguments]) -> bytes:
    """How often it was called, in this session and in all."""
    COUNT.of(session).append(command.full_name)
    SHARED.of(session).append(command.full_name)
    return b"%d of %d" % (len(COUNT.of(session)), len(SHARED.of(session)))


@dataclass(frozen=True)
class First(FetchItem):
    """XFIRST[n]: the first octets of a message."""

    octets: int


def read_first(arguments: ArgumentReader) -> First:
    octets = arguments.number_here()
    if not arguments.take(b"]"):
        raise IMAPWireError("Expected ]")
    return First(octets)


async def render_first(message: FetchedMessage, item: First) -> bytes | Extract:
    size = len(message.content)
    if size < item.octets:
        return b"XFIRST[%d] NIL" % item.octets
    octets = Slices(message.content, ((0, size),))
    return Extract(b"XFIRST[%d] {%d}\r\n" % (item.octets, item.octets), octets, 0, item.octets)


@dataclass(frozen=True)
class Nothing(FetchItem):
    """XNOTHING: what needs nothing of a message."""


async def render_nothing(message: FetchedMessage, item: Nothing) -> bytes:
    return b"XNOTHING %d" % message.info.uid


@dataclass(frozen=True)
class Odd(SearchKey):
    """XODD: messages with odd UIDs."""


def odd(search: Search, key: Odd) -> Condition:
    return search.column(key, lambda: Column(Cost.SET, lambda batch: bytes(uid % 2 for uid in batch.uids)))


async def answer_sum(session: Session, found: SearchFound, factor: int) -> None:
    session.respond(b" XSUM %d" % (factor * sum(found.numbers)))


async def answer_nothing(session: Session, found: SearchFound, value: None) -> None:
    COUNT.of(session).append("quiet")


async def every(session: Session, request: FetchRequest, step: int) -> None:
    request.indexes = request.indexes[::step]


async def even_only(session: Session, request: StoreRequest, value: None) -> None:
    request.indexes = [at for at in request.indexes if at % 2]

    async def finish(result: StoreResult) -> bytes:
        return b"[XREFUSED %d] done" % len(result.refused)

    request.finish = finish


async def greet(session: Session, writer: ViewWriter, status: MailboxStatus, name: str) -> None:
    session.respond(b"* OK Hello %b\r\n" % name.encode())


async def tell(session: Session, writer: ViewWriter, status: MailboxStatus) -> None:
    session.respond(b"* OK [XMODSEQ %d] So be it\r\n" % status.modseq)


async def create_twice(session: Session, name: str, value: None) -> None:
    for each in (name, name + "2"):
        await session.signed_in.create(each)  # type: ignore[misc]


async def lengths(session: Session, entries: Sequence[MailboxEntry], factor: int) -> AsyncIterator[bytes]:
    for entry in entries:
        yield b"* XLENGTH %d\r\n" % (factor * len(entry.name))


def guard(session: Session, spec: CommandSpec) -> None:
    if "XSTRICT" in session.enabled and spec.name == "FETCH":
        raise MailError("Only UID FETCH")


@dataclass(frozen=True)
class Joined:
    """XJOIN (WORD astring, TEXT literal, ...): each part, or None for the next literal."""

    parts: tuple[bytes | None, ...]


def read_joined(arguments: ArgumentReader) -> Steps[Joined]:
    parts: list[bytes | None] = []
    arguments.open()
    while not arguments.closes():
        kind = arguments.atom()
        if kind == "WORD":
            parts.append((yield from arguments.wait(arguments.astring)))
        else:
            arguments.space()
            size, _ = arguments.announced_here()
            yield Upload(None, size, False)
            parts.append(None)
    return Joined(tuple(parts))


async def join(session: Session, data: Joined, uploads: Iterator[Sink]) -> Content:
    return Content(b"".join([bytes(spooled(uploads)) if part is None else part for part in data.parts]))


async def codes(session: Session, name: str) -> bytes:
    session.respond(b"* OK Named %b\r\n" % name.encode())
    return b"XNAMED " + name.encode()


async def more(session: Session, key: SearchKey, found: SearchFound) -> bytes:
    return b" XFOUND %d" % len(found.numbers) if found.extended else b" (XFOUND %d)" % len(found.numbers)


async def strict(session: Session) -> None:
    COUNT.of(session).append("strict")


async def no_flags(session: Session, request: FetchRequest) -> None:
    COUNT.of(session).append("fetch")


ALL = Extension(
    "XALL",
    capabilities=("XALL",),
    announce=lambda session: ("XSECRET",) if session.account else (),
    commands=(
        CommandSpec("XCOUNT", grammars.no_arguments, count, State.SELECTED, uid=True),
        CommandSpec("UID XONLY", grammars.no_arguments, count),
    ),
    guard=guard,
    enables={"XSTRICT": strict},
    on_select=tell,
    on_create=codes,
    on_search=more,
    on_fetch=no_flags,
    select_parameters=(SelectParameter("XGREET", ArgumentReader.text, greet),),
    create_parameters=(CreateParameter("XTWICE", no_value, create_twice),),
    list_selection=(ListSelection("XSHORT", lambda entry: len(entry.name) < 5),),
    list_returns=(
        ListReturn("XLENGTH", ArgumentReader.number, responses=lengths),
        ListReturn("XMARK", no_value, lambda entry: ["\\XMarked"]),
    ),
    fetch_pieces=(
        FetchPiece(First, lambda item: Part.CONTENT, render_first, readers={b"XFIRST[": read_first}),
        FetchPiece(Nothing, lambda item: Part(0), render_nothing, {b"XNOTHING": Nothing()}),
    ),
    fetch_modifiers=(FetchModifier("XEVERY", ArgumentReader.number, every),),
    store_modifiers=(StoreModifier("XEVEN", no_value, even_only),),
    search_keys=(SearchKeys(Odd, odd, {b"XODD": Odd()}),),
    search_returns=(
        SearchReturn("XSUM", ArgumentReader.number, answer_sum),
        SearchReturn("XQUIET", no_value, answer_nothing, is_silent=True),
    ),
    append_data=(AppendData(Joined, "XJOIN", read_joined, join),),
)


class ExtensionTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.factory = IMAPServerFactory(
            self.factory.portal,
            clock=self.clock,
            hostname="mail.example.org",
            limits=IMAPLimits(failure_delay=0),
            extensions=[*STANDARD, ALL],
        )
        self.fill(4)

    def test_capabilities(self) -> None:
        client = self.open()
        greeting = client.received()
        self.assertIn(b" XALL", greeting)
        self.assertNotIn(b"XSECRET", greeting)
        client.send(b"a LOGIN alice secret\r\n")
        self.assertIn(b" XSECRET ", client.received())

    def test_commands_and_what_they_remember(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a XCOUNT
            S: a BAD [CLIENTBUG] Not valid in this state
            C: b XONLY
            S: b BAD Unknown command
            C: c UID XONLY
            S: c OK 1 of 1
            """
        )
        self.sign_in(select="INBOX")
        self.talk("C: a UID XCOUNT\nS: a OK 1 of 2\nC: b XCOUNT\nS: b OK 2 of 3")

    def test_enable_and_guard(self) -> None:
        client = self.sign_in(select="INBOX")
        self.talk(
            """
            C: a FETCH 1 UID
            S: * 1 FETCH (UID 1)
            S: a OK FETCH completed
            C: b ENABLE XSTRICT XOTHER
            S: * ENABLED XSTRICT
            S: b OK ENABLE completed
            C: c ENABLE XSTRICT
            S: * ENABLED
            S: c OK ENABLE completed
            C: d FETCH 1 UID
            S: d NO Only UID FETCH
            C: e UID FETCH 1 UID
            S: * 1 FETCH (UID 1)
            S: e OK UID FETCH completed
            """
        )
        self.assertEqual(COUNT.of(client.session), ["fetch", "strict", "fetch"])

    def test_select_and_create(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a SELECT INBOX (XGREET "you there")
            S*: ...
            S: * OK [MAILBOXID ...
            S: * OK [XMODSEQ ...] So be it
            S: * OK Hello you there
            S: a OK [READ-WRITE] SELECT completed
            C: b SELECT INBOX (XOTHER)
            S: b BAD Unknown parameter
            C: c CREATE Two (XTWICE)
            S: * OK Named Two
            S: c OK [MAILBOXID ...] CREATE completed
            C: d SELECT Two2
            S*: ...
            S: d OK ...
            """
        )

    def test_list(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a LIST (XSHORT) "" "*" RETURN (XLENGTH 2 XMARK)
            S: * LIST (\\HasNoChildren \\Junk \\XMarked) "/" Junk
            S: * LIST (\\HasNoChildren \\Sent \\XMarked) "/" Sent
            S: * XLENGTH 8
            S: * XLENGTH 8
            S: a OK LIST completed
            C: b LIST (XSHORT RECURSIVEMATCH) "" "x"
            S: b OK LIST completed
            """
        )

    def test_fetch_and_store(self) -> None:
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a FETCH 1:* (UID XFIRST[5] XFIRST[999]) (XEVERY 3)
            S: * 1 FETCH (UID 1 XFIRST[5] {5}
            S: From: XFIRST[999] NIL)
            S: * 4 FETCH (UID 4 XFIRST[5] {5}
            S: From: XFIRST[999] NIL)
            S: a OK FETCH completed
            C: b FETCH 2:3 XNOTHING
            S: * 2 FETCH (XNOTHING 2)
            S: * 3 FETCH (XNOTHING 3)
            S: b OK FETCH completed
            C: b FETCH 1 XFIRST[x]
            S: b BAD Expected a number
            C: c STORE 1:4 (XEVEN) +FLAGS (\\Seen)
            S: * 2 FETCH (FLAGS (\\Seen \\Recent))
            S: * 4 FETCH (FLAGS (\\Seen \\Recent))
            S: c OK [XREFUSED 0] done
            """
        )

    def test_search(self) -> None:
        client = self.sign_in(select="INBOX")
        self.talk(
            """
            C: a SEARCH XODD
            S: * SEARCH 1 3 (XFOUND 2)
            S: a OK SEARCH completed
            C: b UID SEARCH RETURN (XSUM 10 COUNT) NOT XODD
            S: * ESEARCH (TAG "b") UID COUNT 2 XSUM 60 XFOUND 2
            S: b OK UID SEARCH completed
            C: c SEARCH RETURN (XQUIET) ALL
            S: c OK SEARCH completed
            C: d SEARCH RETURN (XSUM) ALL
            S: d BAD Expected a space
            """
        )
        self.assertEqual(COUNT.of(client.session), ["quiet"])

    def test_append_of_parts(self) -> None:
        """Literals in memory, and streamed ones, wherever the octets are cut."""
        for cut in (False, True):
            client = self.sign_in()
            line = (
                b"a APPEND {5}\r\ninbox (\\Seen) XJOIN (WORD {2}\r\nA: TEXT {2+}\r\nb\n WORD c TEXT {1}\r\nd)"
                b" () {4+}\r\nE: f XJOIN (TEXT {1+}\r\ng)\r\nb NOOP\r\n"
            )
            for start in range(0, len(line), 1 if cut else len(line)):
                client.send(line[start : start + (1 if cut else len(line))])
            self.assertIn(b"APPEND completed\r\nb OK NOOP completed\r\n", client.received())
            uid_next = run(self.inbox.status()).uid_next
            infos = run(self.inbox.read(range(uid_next - 3, uid_next), Part.CONTENT))
            self.assertEqual([bytes(info.content) for info in infos], [b"A:b\r\ncd", b"E: f", b"g"])

    def test_append_of_parts_that_are_wrong(self) -> None:
        for rest, answer in (
            (b" XJOIN (TEXT {1+}\r\nx WORD {3+}\r\na\0b)\r\n", b"a BAD NUL in a literal\r\n"),
            (b" XJOIN (TEXT {1+}\r\nx WORD)\r\n", b"a BAD Expected a space\r\n"),
            (b" XJOIN (TEXT {1+}\r\nx\r\n", b"a BAD Missing argument\r\n"),
            (b" XJOIN (TEXT {0+}\r\n)\r\n", b"a NO Message is empty\r\n"),
            (b" XJOIN (TEXT x)\r\n", b"a BAD Expected a literal\r\n"),
        ):
            client = self.sign_in()
            client.send(b"a APPEND INBOX" + rest + b"b NOOP\r\n")
            self.assertEqual(client.received(), answer + b"b OK NOOP completed\r\n", rest)
            self.assertEqual((client.session.uploads, self.factory.spool_room.used), ([], 0))
