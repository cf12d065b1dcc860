"""The choice of the mechanisms that a server may offer."""

from __future__ import annotations

from collections.abc import Iterable

from mailproto._arguments import wrong_type, wrong_value
from mailproto.auth._server_mechanisms import (
    CramMD5,
    External,
    Login,
    OAuthBearer,
    Plain,
    ScramSHA1,
    ScramSHA1Plus,
    ScramSHA256,
    ScramSHA256Plus,
    ServerMechanism,
    XOAuth2,
)

__all__ = ["DEFAULT_MECHANISMS", "SERVER_MECHANISMS", "server_mechanisms"]

SERVER_MECHANISMS: tuple[type[ServerMechanism], ...] = (
    External,
    ScramSHA256Plus,
    ScramSHA1Plus,
    ScramSHA256,
    ScramSHA1,
    OAuthBearer,
    XOAuth2,
    CramMD5,
    Plain,
    Login,
)
"""All mechanisms, best first, because many clients choose the first one that they know."""

DEFAULT_MECHANISMS = tuple(
    mechanism for mechanism in SERVER_MECHANISMS if not mechanism.binds and mechanism is not CramMD5
)
"""The mechanisms that are offered by default.

The -PLUS mechanisms are left out, because clients with Cyrus SASL choose them and then cannot bind to TLS
1.3.  So is CRAM-MD5: whoever listens can guess the password from its digest, and the server must know the
password itself.
"""


def server_mechanisms(chosen: Iterable[str | type[ServerMechanism]]) -> tuple[type[ServerMechanism], ...]:
    """The chosen mechanisms, best first; mechanisms of your own come before those of `SERVER_MECHANISMS`.

    :param chosen: names, in any case, and mechanisms.
    :raises ValueError: there is no mechanism of that name; the message lists all names.
    :raises TypeError: it is not a sequence of these.
    """
    if isinstance(chosen, str | bytes) or not isinstance(chosen, Iterable):
        hint = f"write [{chosen!r}]" if isinstance(chosen, str) else ""
        raise wrong_type("mechanisms", chosen, "a list such as ['PLAIN', 'LOGIN']", hint)
    known = {mechanism.name: mechanism for mechanism in SERVER_MECHANISMS}
    found: dict[type[ServerMechanism], None] = {}
    for one in chosen:
        if isinstance(one, str):
            mechanism = known.get(one.upper())
            if mechanism is None:
                raise wrong_value("each of mechanisms", one, f"one of {', '.join(known)}")
        elif isinstance(one, type) and issubclass(one, ServerMechanism):
            mechanism = one
        else:
            raise wrong_type(
                "each of mechanisms", one, "a name such as 'PLAIN', or a subclass of ServerMechanism"
            )
        found[mechanism] = None
    own = [mechanism for mechanism in found if mechanism not in SERVER_MECHANISMS]
    return (*own, *(mechanism for mechanism in SERVER_MECHANISMS if mechanism in found))
