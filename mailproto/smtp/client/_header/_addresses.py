"""Writing fields of addresses (RFC 5322 3.4) and of phrases, without damage to an address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailproto.message import parse_addresses, unquote
from mailproto.message._words import (
    WORD_MAX,
    NeedsUTF8,
    Token,
    Unencodable,
    decoded_words,
    encoded_words,
    must_be_encoded,
)
from mailproto.model import Address
from mailproto.smtp.client._header._structured import (
    COMMENT,
    QUOTED,
    SPECIAL,
    WORD,
    Lexeme,
    comment,
    lexemes,
    require,
)
from mailproto.smtp.client._message import to_address
from mailproto.smtp.wire import UnsafeArgument, ascii_domain

__all__ = ["address_list", "addresses_of"]


def addresses_of(value: bytes) -> list[Address]:
    """The addresses in a field, in order, by SMTP's stricter grammar.

    :param value: the field after its name and colon, folded or not, in UTF-8.
    :raises ValueError: something in it is not an address, so that an address might be missed.
    """
    return [
        to_address(str(Address(_text(mailbox.local), _text(mailbox.host))))
        for mailbox in parse_addresses(value, strict=True)
        if mailbox.local is not None and mailbox.host is not None
    ]


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise ValueError(f"an address that is not in UTF-8: {octets[:100]!r}") from None


def address_list(value: bytes, *, utf8: bool, as_groups: bool = False) -> Iterator[Token]:
    """The value with A-labels, and with encoded words in names and comments; the rest is unchanged.

    :param value: on one line; it may be something else than addresses.
    :param as_groups: whether addresses that have no such form become the names of groups without members, so
        that people can read them (RFC 6857 3.1.7).
    :raises NeedsUTF8: an address in it can be written in UTF-8 only.
    :raises Unencodable: something in it is not even UTF-8.
    """
    is_after_encoded = False
    for space, text in _elements(value, utf8, as_groups):
        is_encoded = text[:2] == b"=?" and text[-2:] == b"?="
        # Encoded words have white space around them (RFC 2047 5 (3)).
        yield space or (b" " if is_encoded or is_after_encoded else b""), text
        is_after_encoded = is_encoded


def _elements(value: bytes, utf8: bool, as_groups: bool) -> Iterator[Token]:
    element: list[Lexeme] = []
    in_angle = False
    may_be_group = as_groups  # but not within another one
    for lexeme in lexemes(value):
        if lexeme.kind == SPECIAL:
            in_angle = lexeme.text == b"<" or (in_angle and lexeme.text != b">")
            if lexeme.text in b",;:" and not in_angle:
                yield from _element(element, utf8, may_be_group)
                yield lexeme.space, lexeme.text
                element = []
                if lexeme.text in b";:":
                    may_be_group = as_groups and lexeme.text == b";"
                continue
        if not element:
            lexeme = lexeme._replace(space=lexeme.space or b" ")
        element.append(lexeme)
    yield from _element(element, utf8, may_be_group)


def _element(element: Sequence[Lexeme], utf8: bool, may_be_group: bool) -> Iterator[Token]:
    if not may_be_group:
        yield from _written(element, utf8)
        return
    try:
        tokens = list(_written(element, utf8))
    except (NeedsUTF8, Unencodable):
        text = b"".join([lexeme.space + lexeme.text for lexeme in element]).strip()
        tokens = [(b" ", word) for word in encoded_words(*decoded_words(text))]
        tokens += [(b" ", b":"), (b"", b";")]
    yield from tokens


def _written(element: Sequence[Lexeme], utf8: bool) -> Iterator[Token]:
    """An element between commas: a name, an address, or both."""
    specials = [lexeme.text if lexeme.kind == SPECIAL else b"" for lexeme in element]
    if b"<" in specials:
        start = specials.index(b"<") + 1
        stop = specials.index(b">", start) if b">" in specials[start:] else len(element)
        yield from _phrase(element[:start], utf8)
        yield from _address(element[start:stop], specials[start:stop], utf8)
        yield from _phrase(element[stop:], utf8)
    elif b"@" in specials:
        yield from _address(element, specials, utf8)
    else:
        yield from _phrase(element, utf8)


def _phrase(lexemes: Sequence[Lexeme], utf8: bool) -> Iterator[Token]:
    """Words; all words between two comments are encoded together, if they must be."""
    run: list[Lexeme] = []
    for lexeme in lexemes:
        if lexeme.kind in (WORD, QUOTED) or (lexeme.kind == SPECIAL and lexeme.text not in b"<>"):
            run.append(lexeme)
            continue
        yield from _words(run, utf8)
        run = []
        if lexeme.kind == COMMENT:
            yield from comment(lexeme, utf8=utf8)
        else:
            yield lexeme.space, lexeme.text
    yield from _words(run, utf8)


def _words(run: Sequence[Lexeme], utf8: bool) -> Iterator[Token]:
    if not any(must_be_encoded(text, utf8=utf8) or len(text) > WORD_MAX for _, _, text in run):
        yield from ((space, text) for space, _, text in run)
        return
    text = b"".join(
        [
            (b" " if index and (space or kind != SPECIAL) else b"")
            + (unquote(text[1:-1]) if kind == QUOTED else text)
            for index, (space, kind, text) in enumerate(run)
        ]
    )
    space = run[0].space
    for word in encoded_words(*decoded_words(text)):
        yield space, word
        space = b" "


def _address(lexemes: Sequence[Lexeme], specials: Sequence[bytes], utf8: bool) -> Iterator[Token]:
    """An address, or anything else in angle brackets."""
    at = max((index for index, special in enumerate(specials) if special == b"@"), default=-1)
    domain = b"".join([text for _, kind, text in lexemes[at + 1 :] if kind == WORD])
    has_labels = not utf8 and not domain.isascii() and (at >= 0 or b"." in domain)
    if has_labels:
        domain = _a_labels(domain)
    for index, lexeme in enumerate(lexemes):
        space, kind, text = lexeme
        if kind == COMMENT:
            yield from comment(lexeme, utf8=utf8)
        elif has_labels and index > at and kind == WORD:
            if domain:
                yield space, domain
            domain = b""
        else:
            require(text, utf8=utf8)
            yield space, text


def _a_labels(domain: bytes) -> bytes:
    require(domain, utf8=True)
    try:
        return ascii_domain(domain.decode()).encode()
    except UnsafeArgument:
        raise NeedsUTF8 from None
