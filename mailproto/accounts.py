"""Account names: which are one though they are written differently, and which cannot be had.

The rule is for whatever looks an account up: directories, checkers, deliveries, owners of
addresses.  It is wider than RFC 8265's UsernameCaseMapped, and for a reason:

- SCRAM's clients send a name that SASLprep (RFC 4013) has been at, so that composed and
  decomposed, fullwidth and halfwidth, ligatures and superscripts are one before we see them
  (NFKC).  If they were not one here, an account with such a name could not sign in.
- Case is folded (``str.casefold``), not lowered: ``ß`` is ``ss`` and a final sigma a sigma,
  because that is what they become in capitals.  No language has rules of its own: a Turkish
  ``ı`` is no ``i``.
- Folding and NFKC are done twice, each undoes some of the other (Unicode 3.13, D146).
- The domain is compared as domains are (`mailproto.domains.canonical_domain`).

What cannot be seen is no spelling: a name with it is another name, and no account is made with it.
"""

from __future__ import annotations

import re
import unicodedata

from mailproto.domains import canonical_domain, is_valid_international
from mailproto.errors import InvalidAccountName

__all__ = ["MAX_COMPARED", "account_key", "account_keys", "check_account_name", "full_name", "invisible_in"]

MAX_COMPARED = 1024
"""Characters of a name that has other spellings; a longer one is only equal to itself.

Normalization takes a time that grows with the square of the combining marks.
"""

_DETAIL = "+"
_JOINERS = re.compile("[\u200c\u200d]")

# Default_Ignorable_Code_Point (Unicode 5.21), and what has no ink and is no space for Unicode:
# the blank of Braille, the null notehead of music, the filler of Khitan.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U00016fe4\U0001bca0-\U0001bca3\U0001d159"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_UNSEEN_CATEGORIES = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"))


def account_key(name: str) -> str:
    """The one form of all spellings of an account's name; of any text, even one that is no name."""
    if name.isascii():
        return _with_bare_domain(name.lower())
    if len(name) > MAX_COMPARED:
        return name
    local, at, domain = unicodedata.normalize("NFKC", name).rpartition("@")
    return f"{_folded(local)}@{_domain_key(domain)}" if at else _folded(domain)


def account_keys(local: str, domain: str) -> list[str]:
    """The keys of the accounts that an address may lead to, best first.

    ``alice+anything@`` is ``alice@``, unless an account of the whole name exists.
    """
    keys = [account_key(f"{local}@{domain}")]
    own, _, domain = keys[0].rpartition("@")
    base, detail, _ = own.partition(_DETAIL)
    if base and detail:
        keys.append(f"{base}@{domain}")
    return keys


def full_name(name: str, domain: str) -> str:
    """A name without a domain with ``domain``, as Dovecot's default realm has it; any other as it is."""
    return f"{name}@{domain}" if name and domain and "@" not in account_key(name) else name


def check_account_name(name: str) -> str:
    """``name`` as an account may have it: composed (NFC), as it is otherwise.

    :raises InvalidAccountName: it is empty or too long, some of it cannot be seen, looks like a
        space or like an ``@``, or is nothing that Unicode knows.
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
    """The first character of a name that cannot be seen, as ``U+200B (ZERO WIDTH SPACE)``, or ""."""
    # What a spelling of it has, it has, too: a diaeresis that stands alone is a space with one (NFKC).
    for spelling in (name, unicodedata.normalize("NFKC", name)):
        for character in dict.fromkeys(_without_joiners(spelling)):
            if _INVISIBLE.match(character) or unicodedata.category(character) in _UNSEEN_CATEGORIES:
                return _called(character)
    return ""


def _without_joiners(name: str) -> str:
    """Without those that a domain needs between letters of some scripts (RFC 5892 A.1, A.2)."""
    local, at, domain = name.rpartition("@")
    if at and not domain.isascii() and is_valid_international(domain):
        domain = _JOINERS.sub("", domain)
    return local + at + domain


def _folded(text: str) -> str:
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFKC", text.casefold())


def _domain_key(domain: str) -> str:
    """IDNA leaves out what cannot be seen (UTS 46 4); here it makes another name in a domain, too."""
    return _folded(domain) if _INVISIBLE.search(_JOINERS.sub("", domain)) else canonical_domain(domain)


def _with_bare_domain(name: str) -> str:
    return name.rstrip(".") if "@" in name else name


def _called(character: str) -> str:
    """In ASCII: it may be what makes a line unreadable."""
    number = f"U+{ord(character):04X}"
    try:
        return f"{number} ({unicodedata.name(character)})"
    except ValueError:  # controls and what is not assigned
        return number
