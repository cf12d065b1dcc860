"""Looking for keys in a text that comes in pieces, and may be too large to be kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from mailproto.message._steps import Steps

__all__ = ["KEPT", "LongText", "one_line"]

KEPT = 1 << 20
"""How many characters of a text are kept for the next key."""

_COST = 100  # in characters, of a piece without any


_SHORT = 1000
"""Characters of a piece in which all keys are looked for before others have their turn."""


class LongText:
    """Some texts in pieces, which are made when they are needed, and kept up to `KEPT` characters.

    If there are more, all keys are looked for in one pass, so that the pieces are made once.

    :param make: the pieces; after each text, None.
    :param keys: those that will be asked for; for any other, a large text is made anew.
    """

    def __init__(self, make: Callable[[], Iterator[str | None]], keys: Collection[str]) -> None:
        self._make = make
        self._keys = keys
        self._rest = make()
        self._kept: list[str | None] | None = []
        self._room = KEPT
        self._is_whole = False
        self._answers: dict[str, bool] = {}

    def contains(self, key: str) -> Steps[bool]:
        """Whether a text contains ``key``, which has no white space but single blanks.

        A blank in it stands for any white space, also for the beginning and the end of a text.
        """
        if key not in self._answers:
            if self._kept is not None:
                yield from self._look(_Sought(key), self._kept)
            if key not in self._answers:
                yield from self._pass({key})
        return self._answers[key]

    def _look(self, sought: _Sought, kept: list[str | None]) -> Steps[None]:
        """Look for one key in what is kept, and in as many further pieces as can be kept."""
        at = 0
        while not sought.found:
            if at == len(kept) and not self._keep_one(kept):
                break
            sought.read(kept[at])
            at += 1
            yield
        if sought.found or self._is_whole:
            self._answers[sought.key] = sought.found
            return
        yield from self._pass({sought.key, *self._keys}, kept)

    def _keep_one(self, kept: list[str | None]) -> bool:
        """Make one more piece; whether there is one, and room for it."""
        if self._is_whole or self._room <= 0:
            return False
        for piece in self._rest:
            self._room -= _COST if piece is None else len(piece) + _COST
            kept.append(piece)
            return True
        self._is_whole = True
        return False

    def _pass(self, keys: set[str], kept: Collection[str | None] = ()) -> Steps[None]:
        """Look for all ``keys`` in all pieces, the first of which are ``kept``."""
        rest = self._rest if kept else self._make()
        self._kept = None
        sought = [_Sought(key) for key in sorted(keys - self._answers.keys())]
        has_blanks = any(" " in key for key in keys)
        is_in_text = True
        for pieces in (kept, rest):
            for piece in pieces:
                line = one_line(piece) if piece and has_blanks else None
                if piece or (piece is None and is_in_text):  # thousands of parts may have no text
                    for each in sought:
                        each.read(piece, line)
                        if piece and len(piece) > _SHORT:
                            yield
                    is_in_text = piece is not None
                yield
                if any(each.found for each in sought):
                    self._answers.update((each.key, True) for each in sought if each.found)
                    sought = [each for each in sought if not each.found]
                    if not sought:
                        return
        self._answers.update((each.key, False) for each in sought)


class _Sought:
    """A key that is looked for in one piece after another.

    :ivar found: whether it was there.
    """

    __slots__ = ("_beginning", "_overlap", "_tail", "found", "key")

    def __init__(self, key: str) -> None:
        self.key = key
        self.found = False
        self._overlap = len(key) - 1
        self._tail = self._beginning = " " if " " in key else ""

    def read(self, piece: str | None, line: str | None = None) -> None:
        """Read the next piece; None ends a text.

        :param line: the piece by `one_line`, if that was made.
        """
        if piece is None:
            if self._beginning:
                self._read(" ")
            self._tail = self._beginning
        elif piece:
            self._read(piece if not self._beginning else one_line(piece) if line is None else line)

    def _read(self, text: str) -> None:
        key, tail, overlap = self.key, self._tail, self._overlap
        if self._beginning and text[:1] == " " and tail[-1:] == " ":
            text = text[1:]
        if key in text or (tail and key in tail + text[:overlap]):
            self.found = True
        elif overlap:
            self._tail = text[-overlap:] if len(text) >= overlap else (tail + text)[-overlap:]


def one_line(text: str) -> str:
    """``text`` with single blanks for white space, also at its ends."""
    line = " ".join(text.split())
    if not line:
        return " " if text else ""
    return f"{' ' if text[0].isspace() else ''}{line}{' ' if text[-1].isspace() else ''}"
