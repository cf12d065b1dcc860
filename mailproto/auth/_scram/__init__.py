"""SCRAM (RFC 5802, RFC 7677): keys, proofs, and the messages of both sides, without I/O."""

from mailproto.auth._scram._client import MAX_ITERATIONS, MIN_ITERATIONS, ScramClientExchange
from mailproto.auth._scram._keys import (
    SCRAM_ALGORITHMS,
    ScramAlgorithm,
    ScramKeys,
    parse_scram_keys,
    proof_matches,
    scram_keys,
)
from mailproto.auth._scram._messages import MAX_SCRAM_MESSAGE, escape_name, unescape_name
from mailproto.auth._scram._server import ScramProofParts, ScramServerExchange

__all__ = [
    "MAX_ITERATIONS",
    "MAX_SCRAM_MESSAGE",
    "MIN_ITERATIONS",
    "SCRAM_ALGORITHMS",
    "ScramAlgorithm",
    "ScramClientExchange",
    "ScramKeys",
    "ScramProofParts",
    "ScramServerExchange",
    "escape_name",
    "parse_scram_keys",
    "proof_matches",
    "scram_keys",
    "unescape_name",
]
