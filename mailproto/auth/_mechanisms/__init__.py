"""SASL's mechanisms as a server speaks them, one file a family."""

from collections.abc import Iterable

from mailproto.auth._mechanisms._base import Challenge, ServerMechanism
from mailproto.auth._mechanisms._cram_md5 import CramMD5
from mailproto.auth._mechanisms._external import External
from mailproto.auth._mechanisms._oauth import OAuthBearer, XOAuth2
from mailproto.auth._mechanisms._plain import Login, Plain
from mailproto.auth._mechanisms._scram import ScramSHA1, ScramSHA1Plus, ScramSHA256, ScramSHA256Plus

__all__ = ["DEFAULT_MECHANISMS", "SERVER_MECHANISMS", "Challenge", "ServerMechanism", "server_mechanisms"]

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
"""All that there are, best first: many clients take the first that they know."""

DEFAULT_MECHANISMS = tuple(mechanism for mechanism in SERVER_MECHANISMS if not mechanism.binds)
"""Those that are offered unless others are chosen.

The -PLUS forms are left out: Cyrus SASL's clients choose them and then have nothing to bind to.
"""


def server_mechanisms(names: Iterable[str]) -> tuple[type[ServerMechanism], ...]:
    """Those of `SERVER_MECHANISMS` that are called so, in any case; best first.

    :raises ValueError: it is no name of any; all names are in the message.
    """
    wanted = {name.upper() for name in names}
    known = {mechanism.name for mechanism in SERVER_MECHANISMS}
    for name in sorted(wanted - known):
        raise ValueError(f"{name!r} is none of {', '.join(each.name for each in SERVER_MECHANISMS)}")
    return tuple(mechanism for mechanism in SERVER_MECHANISMS if mechanism.name in wanted)
