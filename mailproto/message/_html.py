"""The text of an HTML body, exact enough for searching and previews."""

from __future__ import annotations

import html
import re

__all__ = ["html_text"]

_tag_name = re.compile(r"/?([a-zA-Z][a-zA-Z0-9]*)").match
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
_blanks = re.compile(r"[ \t\r\f\v\n]+").sub


def html_text(source: str) -> str:
    """The text of ``source``, without tags, comments, scripts and styles, and with entities decoded.

    White space becomes single blanks.  A tag that breaks the line in a browser becomes a line end.
    A tag, comment or script that is not closed ends the text.
    """
    pieces: list[str] = []
    at = 0
    while (opening := source.find("<", at)) >= 0:
        pieces.append(source[at:opening])
        if source.startswith("<!--", opening):
            closing = source.find("-->", opening + 2)  # "<!-->" is a whole comment
            at = closing + 3
        else:
            name = _tag_name(source, opening + 1)
            if name is None and source[opening + 1 : opening + 2] not in ("!", "?"):
                pieces.append("<")
                at = opening + 1
                continue
            closing = source.find(">", opening + 1)
            at = closing + 1
            kind = name[1].lower() if name else ""
            if kind not in _INLINE:
                pieces.append("\n\0\n")
            if closing >= 0 and kind in _hidden and name and not name[0].startswith("/"):
                end = _hidden[kind](source, at)
                closing = end.start() if end else -1
                at = closing
        if closing < 0:
            break
    else:
        pieces.append(source[at:])
    text = _blanks(" ", html.unescape("".join(pieces)))
    lines = [line.strip(" ") for line in text.split("\0")]
    return "\n".join([line for line in lines if line])
