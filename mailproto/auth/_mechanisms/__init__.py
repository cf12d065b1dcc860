"""SASL's mechanisms as a server speaks them, one file a family."""

from mailproto.auth._mechanisms._base import Challenge, ServerMechanism
from mailproto.auth._mechanisms._cram_md5 import CramMD5
from mailproto.auth._mechanisms._external import External
from mailproto.auth._mechanisms._oauth import OAuthBearer, XOAuth2
from mailproto.auth._mechanisms._plain import Login, Plain
from mailproto.auth._mechanisms._scram import ScramSHA1, ScramSHA1Plus, ScramSHA256, ScramSHA256Plus

__all__ = ["SERVER_MECHANISMS", "Challenge", "ServerMechanism"]

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
