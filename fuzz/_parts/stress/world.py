"""What all clients together know: no two of them may be told what contradicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from _parts.stress.mixtures import MIXTURES, Mixture

__all__ = ["Box", "World"]

_WORDS = ("lemon", "basil", "crêpe", "größe", "日本語", "Ελλάδα", "thyme", "fennel", "salt")


@dataclass
class Box:
    """A mailbox.

    :ivar uid_next: the greatest that anybody was told.
    :ivar modseq: the greatest that anybody was told.
    :ivar values: what was told of a message and never changes, by UID and item.
    :ivar flags: by UID and modseq.
    :ivar recent: the session that was told that a UID is recent.
    """

    name: str
    validity: int = 0
    uid_next: int = 1
    modseq: int = 0
    values: dict[tuple[int, bytes], object] = field(default_factory=dict)
    flags: dict[tuple[int, int], frozenset[bytes]] = field(default_factory=dict)
    recent: dict[int, int] = field(default_factory=dict)


class World:
    """What is common to all clients.

    :param mixture: how often clients do what.
    :param talk: how much of what was said before is kept with an error, in responses and commands.
    :ivar errors: contradictions.
    :ivar commands: how many of each kind were answered.
    """

    def __init__(
        self,
        chance: Random,
        mailboxes: Sequence[str],
        talk: int = 0,
        mixture: Mixture = MIXTURES["even"],
    ) -> None:
        self.chance = chance
        self.mixture = mixture
        self.boxes = {name: Box(name) for name in mailboxes}
        self.messages: list[bytes] = []
        self.talk = talk
        self.errors: list[str] = []
        self.commands: Counter[str] = Counter()

    def contradiction(self, text: str, talk: Iterable[bytes] = ()) -> None:
        """Note what must not be.

        :param talk: what was said lately.
        """
        lines = [f"    {said[:300]!r}" for said in talk]
        self.errors.append("\n".join([text[:600], *lines]))

    def new_message(self) -> bytes:
        """A message like no other."""
        chance, number = self.chance, len(self.messages)
        words = chance.choices(_WORDS, k=3)
        kind = chance.randrange(4)
        head = (
            f"Message-ID: <{number}@stress.example>\r\nX-Number: {number}\r\n"
            f"Date: {chance.randint(1, 28)} Feb 2023 10:00:00 +0000\r\n"
            f"From: {chance.choice(('Ann', 'Bob'))} <{chance.choice(('ann', 'bob'))}@example.org>\r\n"
            f"Subject: {chance.choice(('', 'Re: ', 'Fwd: '))}{chance.choice(('one', 'two', 'three'))}\r\n"
        )
        if number and chance.random() < 0.5:
            head += f"References: <{chance.randrange(number)}@stress.example>\r\n"
        text = "".join(f"{word} {number}\r\n" for word in words * chance.choice((1, 1, 30)))
        if kind == 0:
            text = (
                f"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}"
                f"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\n{text}--b--\r\n"
            )
            head += "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
        elif kind == 1:
            head += "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        octets = (head + "\r\n" + text).encode()
        self.messages.append(octets)
        return octets
