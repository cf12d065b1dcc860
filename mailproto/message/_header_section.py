"""Where a message's header section is (RFC 5322 2.1): one rule, for whatever way a message came.

It ends at the first line that is no field, empty or not: so MTAs, filters and most mail programs
have it.  A name may have octets past ASCII, and white space after it, but none in it.

Lines that are no fields and do not end it are those that programs leave there: the lines that begin
messages in mbox files (RFC 4155), also quoted (``>From ``), and broken folds.  They are few, and a
field of mail's own follows, and after that another or an empty line: more than a line of text that
looks like a field.  Before the first field, any may follow an mbox line.  There may be a byte order
mark, too.

SMTP and LMTP write down what they found: such lines become fields, and text gets its empty line
(`mailproto.smtp`).  APPEND keeps a message octet for octet, since clients compare what they gave
with what they get (RFC 9051 6.3.12); its header section is read by the same rule.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["BYTE_ORDER_MARK", "HeaderSection", "header_section", "is_mbox_line", "may_be_header"]

MAX_GAPS = 9
"""Stretches of lines that are no fields, in one header section; the next ends it."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# So long names are none (RFC 5322 2.1.1), and what may be one need not be kept for longer.
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

# What stands before a field, most often nothing.
_AT_START = re.compile(
    rb"%b%b(?:(?=%b:)|%b(?=%b))" % (_MARK, _MBOX_LINES, _NAME, _OTHER_LINES, _SOME_OF_MAIL)
)
_LATER = re.compile(rb"(?=%b:)|%b%b(?=%b)" % (_NAME, _MBOX_LINES, _OTHER_LINES, _SOME_OF_MAIL))
_UNDECIDED = re.compile(
    rb"%b%b%b(?:%b)?(?:%b|[^\n]{0,998}+)\Z" % (_MARK, _MBOX_LINES, _OTHER_LINES, _ONE_OF_MAIL, _NAME)
)

_IS_MBOX_LINE = re.compile(_MBOX_LINE)


class HeaderSection(NamedTuple):
    """A header section, or some of it.

    :ivar end: offset after its last field; 0 if there is none.
    :ivar gaps: (start, stop) of the stretches before that in which no fields are: whole lines, the
        first perhaps after a byte order mark.
    """

    end: int
    gaps: list[tuple[int, int]]


def header_section(octets: bytes, *, begun: bool = False, gaps_before: int = 0) -> HeaderSection:
    """The header section with which ``octets`` begin.

    :param begun: whether fields stand before them.
    :param gaps_before: how many gaps are among those.
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


def is_mbox_line(line: bytes) -> bool:
    """Whether ``line``, with its line end, is one that begins messages in mbox files."""
    return bool(_IS_MBOX_LINE.fullmatch(line))


def may_be_header(begun: bytes) -> bool:
    """Whether what begins with no field, by `header_section`, does so only because more is to come.

    False for whatever is longer than 30,000 octets.
    """
    return bool(_UNDECIDED.match(begun))
