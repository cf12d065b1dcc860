"""Finding a message's header section (RFC 5322 2.1) by one rule, however the message came.

The header section ends at the first line that is not a field, empty or not: MTAs, filters and most
mail programs have this rule.  A field's name may have octets beyond ASCII, and white space after it,
but not in it.

Some lines that are not fields do not end the header section, because programs leave them there: the
line that begins a message in mbox files (RFC 4155), also quoted (``>From ``), and broken folds.  There
may be only a few of them.  A field that is known in mail must follow, and after it another field or an
empty line; so a line of text that looks like a field is not enough.  After an mbox line before the
first field, any field may follow.  There may be a byte order mark, too.

SMTP and LMTP change the message accordingly: such lines become fields, and an empty line is put before
text (`mailproto.smtp`).  APPEND keeps all octets of a message, because clients compare what they
have stored with what they get (RFC 9051 6.3.12); its header section is read by the same rule.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = [
    "BYTE_ORDER_MARK",
    "HeaderSection",
    "header_section",
    "is_mbox_line",
    "may_be_header",
    "plain_header_end",
]

MAX_GAPS = 9
"""How many times a header section may have lines that are not fields; the next such line ends it."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# A longer name is not valid (RFC 5322 2.1.1), so no more octets need to be kept to decide.
_NAME = rb"[!-9;-~\x80-\xff]{1,998}+[ \t]{0,998}+"
_NO_FIELD = re.compile(rb"\n(?!" + _NAME + rb":|[ \t]|\Z)")

_OF_MAIL = (
    rb"(?i:from|sender|reply-to|to|cc|bcc|date|subject|message-id|in-reply-to|references|received"
    rb"|return-path|delivered-to|mime-version|dkim-signature|authentication-results"
    rb"|(?:content|list|resent|arc|x)-[!-9;-~]{1,100}+)[ \t]{0,100}+:"
)
_ONE_OF_MAIL = rb"%b[^\n]{0,998}+\n(?:[ \t][^\n]{0,998}+\n){0,9}" % _OF_MAIL
_SOME_OF_MAIL = rb"%b(?=%b|\r?\n)" % (_ONE_OF_MAIL, _OF_MAIL)
_MBOX_LINE = rb"(?!" + _NAME + rb":)>{0,9}+(?i:From) [^\n]{0,980}+\n"
_OTHER_LINE = rb"(?!" + _NAME + rb":|\r?\n)[^\n]{1,998}+\n"
_MBOX_LINES = rb"(?:" + _MBOX_LINE + rb"){0,9}"
_OTHER_LINES = rb"(?:" + _OTHER_LINE + rb"){0,3}"
_MARK = rb"(?:" + BYTE_ORDER_MARK + rb")?"

# The lines before a field, mostly none.
_AT_START = re.compile(
    rb"%b%b(?:(?=%b:)|%b(?=%b))" % (_MARK, _MBOX_LINES, _NAME, _OTHER_LINES, _SOME_OF_MAIL)
)
_LATER = re.compile(rb"(?=%b:)|%b%b(?=%b)" % (_NAME, _MBOX_LINES, _OTHER_LINES, _SOME_OF_MAIL))
_UNDECIDED = re.compile(
    rb"%b%b%b(?:%b)?(?:%b|[^\n]{0,998}+)\Z" % (_MARK, _MBOX_LINES, _OTHER_LINES, _ONE_OF_MAIL, _NAME)
)

_BEGINS_WITH_FIELD = re.compile(_NAME + rb":").match

_IS_MBOX_LINE = re.compile(_MBOX_LINE)


class HeaderSection(NamedTuple):
    """A header section, or a part of it.

    :ivar end: the offset after its last field; 0 if there are no fields.
    :ivar gaps: (start, stop) of the lines before ``end`` that are not fields; the first may begin with
        a byte order mark.
    """

    end: int
    gaps: list[tuple[int, int]]


def header_section(octets: bytes, *, begun: bool = False, gaps_before: int = 0) -> HeaderSection:
    """Find the header section at the beginning of ``octets``.

    :param begun: whether there were fields before ``octets``.
    :param gaps_before: how many gaps were among these fields.
    """
    at, gaps_left = 0, MAX_GAPS - gaps_before
    gaps: list[tuple[int, int]] = []
    before_field = (_LATER if begun else _AT_START).match(octets)
    while before_field is not None:
        if before_field.end() > at:
            if len(gaps) >= gaps_left:
                break
            gaps.append((at, before_field.end()))
        end = _NO_FIELD.search(octets, before_field.end())
        if end is None:
            return HeaderSection(len(octets), gaps)
        at = end.start() + 1
        before_field = _LATER.match(octets, at)
    return HeaderSection(at, gaps)


def plain_header_end(octets: bytes, stop: int) -> int:
    """The offset after the empty line that ends the header section, found in one pass.

    :returns: the offset; -1 if the header section is not plain, which is fields alone and an empty line
        before ``stop``.
    """
    if _BEGINS_WITH_FIELD(octets, 0, stop) and (end := _NO_FIELD.search(octets, 0, stop)):
        at = end.end()
        if octets.startswith(b"\r\n", at, stop):
            return at + 2
        if octets.startswith(b"\n", at, stop):
            return at + 1
    return -1


def is_mbox_line(line: bytes) -> bool:
    """Whether ``line``, with its line end, is a line that begins a message in an mbox file."""
    return bool(_IS_MBOX_LINE.fullmatch(line))


def may_be_header(begun: bytes) -> bool:
    """Whether octets without a field, by `header_section`, may become a field when more octets come.

    False for more than 30,000 octets.
    """
    return bool(_UNDECIDED.match(begun))
