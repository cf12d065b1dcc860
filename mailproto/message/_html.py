"""The text of an HTML body, exact enough for searching and previews."""

from __future__ import annotations

import html
import re

from mailproto.message._casemap import may_have, octets_of

__all__ = ["HTMLText", "html_text"]

_markup = re.compile(r"<(?:(!--)|[!?]|(/?)([a-zA-Z][a-zA-Z0-9]*+))").search
_hidden = {
    name: re.compile(rf"</{name}[\s/>]", re.IGNORECASE).search for name in ("script", "style", "title")
}
_INLINE = frozenset(
    {"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i", "ins"}
    | {
        "kbd",
        "mark",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "tt",
        "u",
        "var",
        "wbr",
    }
)
_blanks = re.compile(r"[\t\r\f\v\n][ \t\r\f\v\n]*+| [ \t\r\f\v\n]++").sub  # but for single blanks

_NAME_LIMIT = 40
"""So many characters at the end of a piece may be the beginning of a tag or of an entity."""


def html_text(source: str) -> str:
    """The text of ``source``, without tags, comments, scripts and styles, and with entities decoded.

    White space becomes single blanks.  A tag that breaks the line in a browser becomes a line end.
    A tag, comment or script that is not closed ends the text.
    """
    return HTMLText().read(source, is_last=True)


def may_show(source: str, word: str) -> bool:
    """Whether the text of ``source`` may contain a word, which is much quicker than to make the text.

    :param word: letters and digits of ASCII, in upper case.

    If the word is not in the source as a whole, something stands in it: markup that joins what is around it;
    or an entity, or a character that is not in ASCII, of which some mean a letter, and some are not seen.
    """
    octets, sought = octets_of(source), word.encode()
    if _strange_entity(source) or may_have(octets, sought):
        return True
    for found in _joining(octets):
        end = found.start()
        if octets[end - 1 : end] in sought and any(
            octets.endswith(sought[:size], 0, end) for size in range(1, len(sought))
        ):
            return True
    return False


_strange_entity = re.compile(r"&(?!(?:nbsp|amp|lt|gt|quot);)").search
_joining = re.compile(rb"<(?:[!?]|/?(?:%b)(?![A-Z0-9]))" % "|".join(_INLINE).upper().encode()).finditer


class HTMLText:
    """Reads HTML a piece at a time; the pieces of text together are those of `html_text`."""

    def __init__(self) -> None:
        self._rest = ""
        self._inside = ""  # "<" for a tag, "<!--" for a comment, or the name of an element that is not shown
        self._hides = ""  # the name of that element, in its tag
        self._has_text = self._has_blank = self._breaks = False

    def read(self, source: str, *, is_last: bool = False) -> str:
        """The text of a piece of source; a little of it may come with the next one."""
        source = self._rest + source
        self._rest = ""
        pieces: list[str] = []
        at = 0
        while True:
            if self._inside:
                at = self._end_of_hidden(source, at)
                if at < 0:
                    break
                continue
            found = _markup(source, at)
            goes_on = found is not None and not is_last and _may_go_on(found, len(source))
            if found is None or goes_on:
                stop = found.start() if found else len(source) if is_last else _end_of_text(source, at)
                pieces.append(source[at:stop])
                self._rest = source[stop:]
                break
            pieces.append(source[at : found.start()])
            at = found.end()
            comment, closes, name = found.groups()
            if comment:
                self._inside = "<!--"
                at -= 2  # "<!-->" is a whole comment
                continue
            kind = name.lower() if name else ""
            if kind not in _INLINE:
                pieces.append("\n\0\n")
                self._hides = kind if kind in _hidden and not closes else ""
            closing = source.find(">", at)
            if closing < 0:
                self._inside = "<"
                break
            self._inside, self._hides = self._hides, ""
            at = closing + 1
        return self._shown(pieces)

    def _end_of_hidden(self, source: str, at: int) -> int:
        """The offset after what is not shown; -1 if its end is not in ``source``."""
        inside = self._inside
        if inside == "<":
            at = source.find(">", at) + 1
            if at:
                self._inside, self._hides = self._hides, ""
                return at
        elif inside == "<!--":
            found = source.find("-->", at)
            if found >= 0:
                self._inside = ""
                return found + 3
            self._rest = source[max(at, len(source) - 2) :]
        else:
            end = _hidden[inside](source, at)
            if end:
                self._inside = ""
                return end.start()
            self._rest = source[max(at, len(source) - len(inside) - 3) :]
        return -1

    def _shown(self, pieces: list[str]) -> str:
        text = _blanks(" ", html.unescape("".join(pieces)))
        shown: list[str] = []
        for number, line in enumerate(text.split("\0")):
            if number:
                self._breaks = True
            if words := line.strip(" "):
                if self._has_text:
                    joins = " " if self._has_blank or line[0] == " " else ""
                    shown.append("\n" if self._breaks else joins)
                shown.append(words)
                self._has_text, self._breaks = True, False
                self._has_blank = line[-1] == " "
            elif line:
                self._has_blank = True
        return "".join(shown)


def _may_go_on(found: re.Match[str], size: int) -> bool:
    """Whether the rest of a tag's name may be in the next piece."""
    return found.end() > size - 2 and found.start() > size - _NAME_LIMIT


def _end_of_text(source: str, start: int) -> int:
    """The offset after the text at the end of a piece; what follows may be the beginning of markup."""
    stop = len(source)
    for mark in "<&":
        at = source.rfind(mark, max(start, len(source) - _NAME_LIMIT))
        if at >= 0:
            stop = min(stop, at)
    return stop
