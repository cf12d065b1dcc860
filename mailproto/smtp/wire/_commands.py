"""Parsing command lines into events, by a table of verbs (RFC 5321 4.1.1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial

from mailproto.model import NULL_PATH, Address
from mailproto.smtp.wire._errors import SMTPSyntaxError
from mailproto.smtp.wire._events import (
    Auth,
    Bdat,
    Command,
    Data,
    Etrn,
    Expn,
    Hello,
    Help,
    Mail,
    Noop,
    OwnCommand,
    Quit,
    Rcpt,
    Rset,
    StartTLS,
    Vrfy,
)
from mailproto.smtp.wire._grammar import parse_parameters, parse_path
from mailproto.smtp.wire._limits import SMTPWireLimits
from mailproto.smtp.wire._xclient import parse_xclient

__all__ = ["VERBS", "command_parser", "parse_command"]

REMEMBERED = 512
"""How many parsed command lines are cached; the least recently used ones are dropped."""

_MEMORABLE = 128
"""The most octets of a line that is cached."""

_GREETING = re.compile(rb"(?:EHLO|HELO|LHLO)[ \t]", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_CONTROL_OR_TAB = re.compile("[\x00-\x1f\x7f-\x9f]")
_WORDS = re.compile(r"([^ \t]*+)[ \t]*+(.*)", re.DOTALL)
_HTTP = re.compile(r"[A-Z]+ \S+ HTTP/[0-9.]+|CONNECT \S+", re.IGNORECASE | re.ASCII)
_BASE64_WORD = re.compile(r"[!-~]+")
_CHUNK = re.compile(r" *([0-9]{1,18})(?: +(LAST))?", re.IGNORECASE | re.ASCII)
_NODE = re.compile(r"@?[A-Za-z0-9](?:[A-Za-z0-9\-.]*+(?<![\-.]))?|#[!-~]+")
_MECHANISM = re.compile(r"[A-Za-z0-9\-_]{1,20}")


@lru_cache(maxsize=8)
def command_parser(
    limits: SMTPWireLimits, *, strict: bool = False, own: frozenset[str] = frozenset()
) -> Callable[[bytes], Command]:
    """`parse_command` with a cache: servers get the same lines again and again.

    Such lines are DATA, and commands with addresses of users and names of neighbouring servers.
    AUTH is not cached, because it has secrets; nor are the commands of ``own``, which may have some.
    """
    remembered = lru_cache(maxsize=REMEMBERED)(lambda line: parse_command(line, limits, strict=strict))

    def parse(line: bytes) -> Command:
        if len(line) > _MEMORABLE or line[:1] in b"Aa":
            return parse_command(line, limits, strict=strict)
        return remembered(line)

    def parse_own(line: bytes) -> Command:
        verb = line.replace(b"\t", b" ").partition(b" ")[0]
        if verb.upper().decode("ascii", "replace") in own:
            return parse_command(line, limits, strict=strict, own=own)
        return parse(line)

    return parse_own if own else parse


def parse_command(
    line: bytes, limits: SMTPWireLimits, *, strict: bool = False, own: frozenset[str] = frozenset()
) -> Command:
    """Parse a line without its CRLF; white space at its end is ignored (RFC 5321 4.1.1).

    :param strict: take only what RFC 5321 allows.  Otherwise any number of spaces and tabs may
        separate words, and paths may be odd (`parse_path`).
    :param own: verbs in upper case that become an `OwnCommand`.
    :raises SMTPSyntaxError: the line is not a valid command; nothing else is raised, for any octets.
    """
    # A client's name may be in any charset; an octet that is not UTF-8 is shown as "\xe9".
    errors = "backslashreplace" if not strict and _GREETING.match(line) else "strict"
    try:
        text = line.decode(errors=errors).rstrip(" \t")
    except UnicodeDecodeError:
        raise SMTPSyntaxError(500, "5.5.2", "Commands are ASCII or UTF-8") from None
    if not text.isprintable() and (_CONTROL_OR_TAB if strict else _CONTROL).search(text):
        raise SMTPSyntaxError(500, "5.5.2", "Control character in a command")
    if strict:
        verb, _, rest = text.partition(" ")
    else:
        verb, rest = _WORDS.fullmatch(text).groups()  # type: ignore[union-attr]  # any text does
    if verb.upper() in own:
        return OwnCommand(verb.upper(), rest.strip(" \t"))
    parsers = _STRICT_PARSERS if strict else _PARSERS
    parse = parsers.get(verb) or parsers.get(verb.upper())
    if parse is None:
        # A web browser was made to send this (a cross-protocol attack); more such lines would come.
        if _HTTP.match(text):
            raise SMTPSyntaxError(421, "4.7.0", "This is no web server", fatal=True)
        raise SMTPSyntaxError(500, "5.5.2", "Command not recognised")
    try:
        return parse(rest, limits)
    except SMTPSyntaxError as error:
        error.verb = verb.upper()
        raise


def _mail(rest: str, limits: SMTPWireLimits, *, strict: bool = False) -> Command:
    if rest[:5].upper() != "FROM:":
        raise SMTPSyntaxError(501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]")
    path, parameters = _path(rest[5:], limits, "5.1.7", strict=strict)
    if path and not path.domain:
        raise SMTPSyntaxError(501, "5.1.7", "A sender's address needs a domain")
    return Mail(path, parse_parameters(parameters))


def _rcpt(rest: str, limits: SMTPWireLimits, *, strict: bool = False) -> Command:
    if rest[:3].upper() != "TO:":
        raise SMTPSyntaxError(501, "5.5.4", "Syntax: RCPT TO:<address> [parameters]")
    path, parameters = _path(rest[3:], limits, "5.1.3", strict=strict)
    if path is NULL_PATH:
        raise SMTPSyntaxError(501, "5.1.3", "Nobody has the null address")
    return Rcpt(path, parse_parameters(parameters))


def _path(text: str, limits: SMTPWireLimits, enhanced: str, *, strict: bool) -> tuple[Address, str]:
    # White space after the colon is forbidden (RFC 5321 3.3), but common and harmless.
    return parse_path(text if strict else text.lstrip(" \t"), limits, enhanced, strict=strict)


def _hello(verb: str) -> Callable[[str, SMTPWireLimits], Command]:
    """The parser of a greeting; the client's name is not checked (RFC 5321 4.1.4)."""

    def parse(rest: str, limits: SMTPWireLimits) -> Command:
        name = rest.replace("\t", " ").strip(" ")
        if not name:
            raise SMTPSyntaxError(501, "5.5.4", f"Syntax: {verb} domain")
        if len(name.encode()) > limits.domain:
            raise SMTPSyntaxError(501, "5.5.4", f"The name after {verb} is too long")
        return Hello(verb, name)

    return parse


def _alone(verb: str, event: Command) -> Callable[[str, SMTPWireLimits], Command]:
    """The parser of a command without arguments."""

    def parse(rest: str, limits: SMTPWireLimits) -> Command:
        if rest:
            raise SMTPSyntaxError(501, "5.5.4", f"{verb} takes no argument")
        return event

    return parse


def _auth(rest: str, limits: SMTPWireLimits) -> Command:
    mechanism, initial = _WORDS.fullmatch(rest).groups()  # type: ignore[union-attr]  # any text does
    if not _MECHANISM.fullmatch(mechanism) or (initial and not _BASE64_WORD.fullmatch(initial)):
        raise SMTPSyntaxError(501, "5.5.4", "Syntax: AUTH mechanism [initial-response]")
    return Auth(mechanism.upper(), initial.encode() if initial else None)


def _bdat(rest: str, limits: SMTPWireLimits) -> Command:
    """Parse BDAT; if its size is not valid, no octets can be skipped, and commands follow."""
    match = _CHUNK.fullmatch(rest.replace("\t", " "))
    if not match:
        raise SMTPSyntaxError(501, "5.5.4", "Syntax: BDAT size [LAST]")
    return Bdat(int(match[1]), match[2] is not None)


def _asking(verb: str, event: type[Vrfy | Expn]) -> Callable[[str, SMTPWireLimits], Command]:
    """The parser of VRFY and EXPN: a string, and perhaps SMTPUTF8."""

    def parse(rest: str, limits: SMTPWireLimits) -> Command:
        rest = rest.replace("\t", " ")
        name, _, parameter = rest.rpartition(" ")
        utf8 = parameter.upper() == "SMTPUTF8" and bool(name.strip())
        if not utf8:
            name = rest
        if not name:
            raise SMTPSyntaxError(501, "5.5.4", f"Syntax: {verb} name")
        return event(name.strip(), utf8)

    return parse


def _etrn(rest: str, limits: SMTPWireLimits) -> Command:
    if not _NODE.fullmatch(rest) or len(rest) > limits.domain:
        raise SMTPSyntaxError(501, "5.5.4", "Syntax: ETRN domain, @domain or #queue")
    return Etrn(rest)


def _noop(rest: str, limits: SMTPWireLimits) -> Command:
    return Noop()


def _help(rest: str, limits: SMTPWireLimits) -> Command:
    return Help(rest)


def _not_implemented(rest: str, limits: SMTPWireLimits) -> Command:
    raise SMTPSyntaxError(502, "5.5.1", "Command not implemented")


_PARSERS: dict[str, Callable[[str, SMTPWireLimits], Command]] = {
    "HELO": _hello("HELO"),
    "EHLO": _hello("EHLO"),
    "LHLO": _hello("LHLO"),
    "MAIL": _mail,
    "RCPT": _rcpt,
    "DATA": _alone("DATA", Data()),
    "BDAT": _bdat,
    "RSET": _alone("RSET", Rset()),
    "NOOP": _noop,
    "VRFY": _asking("VRFY", Vrfy),
    "HELP": _help,
    "QUIT": _alone("QUIT", Quit()),
    "STARTTLS": _alone("STARTTLS", StartTLS()),
    "AUTH": _auth,
    "XCLIENT": parse_xclient,
    "EXPN": _asking("EXPN", Expn),
    "ETRN": _etrn,
    "TURN": _not_implemented,
    "SEND": _not_implemented,
    "SOML": _not_implemented,
    "SAML": _not_implemented,
}

_STRICT_PARSERS: dict[str, Callable[[str, SMTPWireLimits], Command]] = {
    **_PARSERS,
    "MAIL": partial(_mail, strict=True),
    "RCPT": partial(_rcpt, strict=True),
}

VERBS = frozenset(verb for verb, parse in _PARSERS.items() if parse is not _not_implemented)
"""The commands that are built in."""
