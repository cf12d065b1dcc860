"""Whatever the other server answers: the proxy's client is told nothing that cannot be, and is answered."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends.remote._connections import LONGEST
from tests.backends.remote.liar import ENDLESS, KINDS, Lie, Over, Proxy
from tests.imap.server.believer import Believer

COMMANDS = (
    "NOOP",
    "UID FETCH 1:* (FLAGS)",
    "FETCH 1:* (UID ENVELOPE BODYSTRUCTURE RFC822.SIZE INTERNALDATE)",
    "FETCH 1:* (BODY.PEEK[])",
    "UID FETCH 1:* (BODY.PEEK[TEXT] MODSEQ)",
    "STORE 1 +FLAGS (\\Deleted)",
    "UID STORE 1:* -FLAGS (\\Seen)",
    "EXPUNGE",
    "UID SEARCH TEXT hello",
    "SEARCH DELETED",
    "APPEND INBOX {1+}\r\nx",
    "STATUS INBOX (MESSAGES UIDNEXT UNSEEN)",
    'LIST "" *',
    "UID COPY 1 Other",
    "CHECK",
    "append elsewhere",
    "expunge elsewhere",
    "flag elsewhere",
)
ENABLED: Sequence[Sequence[str]] = ((), ("CONDSTORE",), ("QRESYNC",))
_NUMBERED = ("FETCH", "STORE", "SEARCH")

lies = st.builds(Lie, st.integers(0, KINDS - 1), st.integers(0, 300), st.integers(0, 40))


class Client(Believer):
    """It checks the grammar of what it hears, too."""

    def __init__(self, proxy: Proxy, enabled: Sequence[str]) -> None:
        self.proxy = proxy
        super().__init__(lambda octets: check_grammar(proxy.exchange(octets)), enabled)

    def elsewhere(self, verb: str) -> None:
        """What another client of the other server does."""
        shelf = self.proxy.shelf
        first = min(shelf.messages, default=0)
        if verb == "append":
            shelf.add(b"Subject: new\r\n\r\nNew\r\n", frozenset({b"$New"}))
        elif first and verb == "expunge":
            del shelf.messages[first]
            shelf.modseq += 1
        elif first:
            shelf.flag(first, frozenset({b"\\Seen"}))
        self.proxy.push()

    def carry_out(self, text: str) -> None:
        """Carry out a command that may be refused."""
        if text.endswith("elsewhere"):
            self.elsewhere(text.split()[0])
            return
        if not self.validity:  # it could not be selected
            self.command("SELECT INBOX" + (" (CONDSTORE)" if self.modseqs else ""))
            self.learn()
            return
        numbers = text.startswith(_NUMBERED)
        if numbers and not self.messages:
            return
        if text.startswith("UID FETCH") and "MODSEQ" in text and not self.modseqs:
            return
        self.command(text, expunges=not numbers)


_LITERAL = re.compile(rb"\{([0-9]+)\}\r\n")
_TOKEN = re.compile(
    rb'[ ()]|"(?:[^"\\\r\n\x00\x80-\xff]|\\["\\])*+"|\x01|[A-Z0-9.]+\[[A-Z0-9.]*\]|\\?[!#-\'+-\[^-z|}~]+'
)
_LINE = re.compile(
    rb"\* [0-9]+ (?:EXISTS|RECENT|EXPUNGE)|\* (?:OK|NO|BYE) .*|t (?:OK|NO|BAD) .*"
    rb"|\* VANISHED (?:\(EARLIER\) )?[0-9:,]+|\* E?SEARCH.*|\* (?:STATUS|LIST|FLAGS|ENABLED|CAPABILITY)\b.*"
)


def check_grammar(octets: bytes) -> bytes:
    """Check that everything is a response; returns the octets."""
    lines, at = [b""], 0
    while at < len(octets):
        end = octets.find(b"\r\n", at) + 2
        assert end > 1, octets[at:]
        line = octets[at:end]
        literal = _LITERAL.search(line)
        if literal is not None and literal.end() == len(line):
            lines[-1] += line[: literal.start()] + b"\x01"
            at = end + int(literal[1])
            assert at <= len(octets), line
            continue
        lines[-1] += line[:-2]
        lines.append(b"")
        at = end
    assert lines.pop() == b""
    for line in lines:
        match = re.fullmatch(rb"\* [1-9][0-9]* FETCH (\(.*\))", line, re.DOTALL)
        if match is None:
            assert _LINE.fullmatch(line), line
            continue
        depth = place = 0
        while place < len(match[1]):
            token = _TOKEN.match(match[1], place)
            assert token is not None, (line, match[1][place:])
            depth += (token[0] == b"(") - (token[0] == b")")
            assert depth or token.end() == len(match[1]), line
            place = token.end()
        assert depth == 0, line
    return octets


class AnyUpstreamTests(SynchronousTestCase):
    @settings(suppress_health_check=list(HealthCheck), deadline=None)
    @given(
        st.booleans(),
        st.sampled_from(ENABLED),
        st.lists(lies, max_size=40),
        st.lists(st.sampled_from(COMMANDS), max_size=12),
    )
    def test_its_client_sees_what_can_be(
        self, modern: bool, enabled: Sequence[str], told: list[Lie], commands: list[str]
    ) -> None:
        play(modern, enabled, told, commands)
        self.assertEqual(self.flushLoggedErrors(), [])


def play(modern: bool, enabled: Sequence[str], told: Sequence[Lie], commands: Sequence[str]) -> None:
    """Have a client say ``commands`` while the other server lies; it sees the truth once that is told."""
    proxy = Proxy(told, modern=modern)
    for number in range(4):
        proxy.shelf.add(b"Subject: %d\r\n\r\nHello %b\r\n" % (number, b"." * 30 * number))
    client = begun(proxy, enabled)
    for command in commands:
        try:
            client.carry_out(command)
        except Over:
            proxy.connect()
            client = begun(proxy, enabled)
    stops = sum(lie.kind % KINDS in ENDLESS for lie in told)
    assert proxy.longest < (stops + 1) * LONGEST, proxy.longest
    check_recovery(proxy, enabled)
    proxy.close()


def begun(proxy: Proxy, enabled: Sequence[str]) -> Client:
    """A client that has signed in, and has perhaps selected INBOX."""
    for _ in range(50):
        client = Client(proxy, enabled)
        try:
            client.begin()
        except Over:
            proxy.connect()
        else:
            return client
    raise AssertionError("sessions end again and again")


def check_recovery(proxy: Proxy, enabled: Sequence[str]) -> None:
    """When the other server tells the truth again, so does the proxy."""
    proxy.be_honest()
    proxy.connect()
    client = begun(proxy, enabled)
    known = [(each.uid, each.flags) for each in client.messages]
    flags = {uid: each[0] for uid, each in sorted(proxy.shelf.messages.items())}
    there = [(uid, frozenset(flag.decode() for flag in each)) for uid, each in flags.items()]
    assert known == there, (known, there)
    assert client.validity == proxy.shelf.validity, client.validity
