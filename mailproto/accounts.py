"""Account names: which spellings mean the same account, and which names are not allowed.

Everything that looks up an account uses this rule: directories, checkers, deliveries, and the check of a
sender's address.  It joins more spellings than RFC 8265's UsernameCaseMapped does:

- SCRAM clients prepare the name with SASLprep (RFC 4013), which includes NFKC: composed and decomposed,
  fullwidth and halfwidth letters, ligatures and superscripts arrive in one form.  If the rule kept them
  apart, an account with such a name could not sign in.
- Case is folded (``str.casefold``), not lowered: ``ß`` equals ``ss`` and a final sigma equals a sigma,
  because they are the same in capitals.  The rule is the same for all languages: a Turkish ``ı`` is not an
  ``i``.
- Folding and NFKC are done twice, because each undoes some of the other (Unicode 3.13, D146).
- The domain is compared as domains are (`mailproto.domains.canonical_domain`).

A name with an invisible character is another name, and no account can be created with it.
"""

from __future__ import annotations

import re
import unicodedata

from mailproto._invisible import INVISIBLE, called
from mailproto.domains import canonical_domain, is_valid_international
from mailproto.errors import InvalidAccountName

__all__ = ["MAX_COMPARED", "account_key", "account_keys", "check_account_name", "full_name", "invisible_in"]

MAX_COMPARED = 1024
"""Characters of the longest name that is normalized; a longer one is only equal to itself.

The time for normalization grows with the square of the number of combining marks.
"""

_DETAIL = "+"
_JOINERS = re.compile("[\u200c\u200d]")

_UNSEEN_CATEGORIES = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"))


def account_key(name: str) -> str:
    """The form that all spellings of an account's name have in common; takes any text."""
    if name.isascii():
        return _with_bare_domain(name.lower())
    if len(name) > MAX_COMPARED:
        return name
    local, at, domain = unicodedata.normalize("NFKC", name).rpartition("@")
    return f"{_folded(local)}@{_domain_key(domain)}" if at else _folded(domain)


def account_keys(local: str, domain: str) -> list[str]:
    """The keys of the accounts that may receive mail for an address, best first.

    ``alice+anything@`` also leads to ``alice@``, after an account of the whole name.
    """
    keys = [account_key(f"{local}@{domain}")]
    own, _, domain = keys[0].rpartition("@")
    base, detail, _ = own.partition(_DETAIL)
    if base and detail:
        keys.append(f"{base}@{domain}")
    return keys


def full_name(name: str, domain: str) -> str:
    """``name`` with ``domain`` added if it has none, like Dovecot's default realm."""
    return f"{name}@{domain}" if name and domain and "@" not in account_key(name) else name


def check_account_name(name: str) -> str:
    """Check a new account's name, and return it composed (NFC).

    :raises InvalidAccountName: the name is empty or too long, or has a character that is invisible, looks
        like a space or an ``@``, or is not assigned in Unicode.
    """
    if not name:
        raise InvalidAccountName
    if len(name) > MAX_COMPARED:
        raise InvalidAccountName("An account name cannot be that long")
    if unseen := invisible_in(name):
        raise InvalidAccountName(f"An account name cannot have {unseen}")
    if unicodedata.normalize("NFKC", name).count("@") != name.count("@"):
        raise InvalidAccountName("An account name cannot have what only looks like @")
    return unicodedata.normalize("NFC", name)


def invisible_in(name: str) -> str:
    """The first invisible character of a name, such as ``U+200B (ZERO WIDTH SPACE)``, or ""."""
    # NFKC may bring out a space: a diaeresis that stands alone becomes a space with a diaeresis.
    for spelling in (name, unicodedata.normalize("NFKC", name)):
        for character in dict.fromkeys(_without_joiners(spelling)):
            if INVISIBLE.match(character) or unicodedata.category(character) in _UNSEEN_CATEGORIES:
                return called(character)
    return ""


def _without_joiners(name: str) -> str:
    """``name`` without the joiners that a valid domain may have between some letters (RFC 5892 A.1,
    A.2)."""
    local, at, domain = name.rpartition("@")
    if at and not domain.isascii() and is_valid_international(domain):
        domain = _JOINERS.sub("", domain)
    return local + at + domain


def _folded(text: str) -> str:
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFKC", text.casefold())


def _domain_key(domain: str) -> str:
    """IDNA drops invisible characters (UTS 46 4); here they make another name in a domain, too."""
    return _folded(domain) if INVISIBLE.search(_JOINERS.sub("", domain)) else canonical_domain(domain)


def _with_bare_domain(name: str) -> str:
    return name.rstrip(".") if "@" in name else name
