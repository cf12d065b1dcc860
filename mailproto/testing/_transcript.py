"""The text of dialogues: parsing, and comparison with what was received."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

__all__ = [
    "Action",
    "DialogueError",
    "GoesOn",
    "Kind",
    "Line",
    "StartsTLS",
    "Step",
    "Wait",
    "difference",
    "has_values",
    "match",
    "octets",
    "read",
]

_LINE = re.compile(r"([CS])([0-9A-Za-z_]*)([*~]?):(?: (.*))?\Z", re.DOTALL)
_CLOSES = re.compile(r"([CS])([0-9A-Za-z_]*) closes\s*\Z")
_STARTS_TLS = re.compile(r"[CS]([0-9A-Za-z_]*) starts TLS\s*\Z")
_WAIT = re.compile(r"wait ([0-9]+(?:\.[0-9]+)?) s\s*\Z")
_DO = re.compile(r"do ([A-Za-z_][A-Za-z0-9_]*)\s*\Z")
_PIECES = re.compile(r"(\.\.\.|<<[A-Za-z_][A-Za-z0-9_]*>>)")

_FROM_PICTURES = {0x2400 + code: chr(code) for code in range(0x21)} | {0x2421: "\x7f"}
_TO_PICTURES = {ord(char): chr(picture) for picture, char in _FROM_PICTURES.items() if char != " "}


class DialogueError(AssertionError):
    """The other side did not say what the dialogue expects."""


class Kind(Enum):
    """The kind of a line in a dialogue."""

    LINE = ""
    LINES = "*"
    OCTETS = "~"
    CLOSES = " closes"


@dataclass(frozen=True)
class Line:
    """A line that one side sends, or an action of that side.

    :ivar role: ``C`` or ``S``.
    :ivar name: the connection's name; empty for the first connection.
    """

    role: str
    name: str
    kind: Kind
    text: str = ""

    def __str__(self) -> str:
        if self.kind is Kind.CLOSES:
            return f"{self.role}{self.name} closes"
        return f"{self.role}{self.name}{self.kind.value}: {self.text}".rstrip(" ")


@dataclass(frozen=True)
class StartsTLS:
    """The TLS handshake begins; the other side may not have sent anything else."""

    name: str

    def __str__(self) -> str:
        return f"C{self.name} starts TLS"


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: float

    def __str__(self) -> str:
        return f"wait {self.seconds:g} s"


@dataclass(frozen=True)
class Action:
    """The test calls one of its actions."""

    name: str

    def __str__(self) -> str:
        return f"do {self.name}"


@dataclass(frozen=True)
class GoesOn:
    """The end of a part of a dialogue: later output is not compared, but left to be read."""

    def __str__(self) -> str:
        return "..."


Step = Line | StartsTLS | Wait | Action | GoesOn


def read(text: str) -> list[Step]:
    """Parse the text of a dialogue into steps.

    :raises ValueError: a line has no known form.
    """
    steps = list(_steps(text))
    if any(isinstance(step, GoesOn) for step in steps[:-1]):
        raise ValueError("only at its end a dialogue goes on: ...")
    return steps


def _steps(text: str) -> Iterator[Step]:
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.lstrip()
        if not line or line.startswith("#"):
            continue
        if found := _LINE.match(line):
            role, name, mark, words = found.groups()
            yield Line(role, name, Kind(mark), words or "")
        elif found := _CLOSES.match(line):
            yield Line(found[1], found[2], Kind.CLOSES)
        elif found := _STARTS_TLS.match(line):
            yield StartsTLS(found[1])
        elif found := _WAIT.match(line):
            yield Wait(float(found[1]))
        elif found := _DO.match(line):
            yield Action(found[1])
        elif line.rstrip() == "...":
            yield GoesOn()
        else:
            raise ValueError(f"line {number} of the dialogue is none that `Dialogue` knows: {line!r}")


def has_values(line: Line, known: Mapping[str, str]) -> bool:
    """Whether all ``<<name>>`` in a line have values."""
    return all(piece == "..." or piece[2:-2] in known for piece in _PIECES.findall(line.text))


def octets(line: Line, known: Mapping[str, str]) -> bytes:
    """The octets to send for a line of the test's own side.

    :raises ValueError: a ``<<name>>`` in it has no value.
    """
    said = "".join(_spoken(piece, known, line) for piece in _PIECES.split(line.text))
    return (said + ("\r\n" if line.kind is Kind.LINE else "")).encode("utf-8", "surrogateescape")


def _spoken(piece: str, known: Mapping[str, str], line: Line) -> str:
    name = piece[2:-2]
    if piece != "..." and _PIECES.fullmatch(piece):
        if name not in known:
            raise ValueError(f"{piece} has no value yet in {line}")
        return known[name]
    return piece.translate(_FROM_PICTURES)


def match(lines: Sequence[Line], heard: str, known: dict[str, str]) -> bool:
    """Whether ``lines`` match the whole of ``heard``; new names get their values in ``known``."""
    new: list[str] = []
    found = re.fullmatch("".join(_pattern(line, known, new) for line in lines), heard)
    if found is None:
        return False
    known.update((name, found[name]) for name in new)
    return True


def _pattern(line: Line, known: Mapping[str, str], new: list[str]) -> str:
    if line.kind is Kind.CLOSES:
        return ""
    pattern = "".join(_heard(piece, known, new, line) for piece in _PIECES.split(line.text))
    if line.kind is Kind.LINES:
        return rf"(?:{pattern}\r\n)*"
    return pattern + r"\r\n" if line.kind is Kind.LINE else pattern


def _heard(piece: str, known: Mapping[str, str], new: list[str], line: Line) -> str:
    if piece == "...":
        return r"[^\r\n]*"
    name = piece[2:-2]
    if not _PIECES.fullmatch(piece):
        return re.escape(piece.translate(_FROM_PICTURES))
    if name in known:
        return re.escape(known[name])
    if name in new:
        return f"(?P={name})"
    if line.kind is Kind.LINES:
        raise ValueError(f"{piece} has no value yet in {line}, which may be many lines")
    new.append(name)
    return rf"(?P<{name}>[^\r\n]*)"


def shown(heard: str, role: str, name: str) -> list[str]:
    """Received text as lines of a dialogue."""
    lines = [line.translate(_TO_PICTURES) for line in heard.split("\r\n")]
    last = lines.pop()
    found = [f"{role}{name}: {line}" if line else f"{role}{name}:" for line in lines]
    return [*found, f"{role}{name}~: {last}"] if last else found


def difference(
    lines: Sequence[Line], heard: str, known: Mapping[str, str], role: str, name: str
) -> list[str]:
    """The compared lines: ``-`` marks expected lines that did not come, ``+`` marks unexpected lines."""
    got = shown(heard, role, name)
    same = list(_both(list(lines), got, known))
    expected = list(lines)[len([step for step, _ in same if step is not None]) :]
    rest = got[len([line for _, line in same if line is not None]) :]
    end: list[str] = []
    while expected and rest and _fits(expected[-1], rest[-1], known):
        expected.pop()
        end.insert(0, f"    {rest.pop()}")
    return [
        *(f"    {step if line is None else line}" for step, line in same if line is not None or step),
        *(f"  - {line}" for line in expected if line.kind is not Kind.CLOSES),
        *(f"  + {line}" for line in rest),
        *end,
    ]


def _both(
    lines: list[Line], got: list[str], known: Mapping[str, str]
) -> Iterator[tuple[Line | None, str | None]]:
    """Pairs of expected and received lines, as far as they match."""
    at = 0
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else None
        if line.kind is Kind.LINES:
            while at < len(got) and _fits(line, got[at], known):
                if following is not None and _fits(following, got[at], known):
                    break
                yield None, got[at]
                at += 1
            yield line, None
        elif at < len(got) and _fits(line, got[at], known):
            yield line, got[at]
            at += 1
        else:
            return


def _fits(line: Line, got: str, known: Mapping[str, str]) -> bool:
    found = _LINE.match(got)
    if found is None or line.kind is Kind.CLOSES:
        return False
    heard = (found[4] or "").translate(_FROM_PICTURES)
    if (found[3] == "~") != (line.kind is Kind.OCTETS):
        return False
    return match([replace(line, kind=Kind.OCTETS)], heard, dict(known))
