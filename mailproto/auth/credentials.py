"""What clients prove, as ``twisted.cred`` credentials, for checkers of your own."""

from mailproto.auth._credentials import (
    ApopDigest,
    BearerToken,
    ClientCertificate,
    IApopDigest,
    IBearerToken,
    IClientCertificate,
    IClientPassword,
    IProxyLogin,
    IScramChecker,
    IScramProof,
    ProxyLogin,
    ScramProof,
)
from mailproto.auth._scram import ScramKeys

__all__ = [
    "ApopDigest",
    "BearerToken",
    "ClientCertificate",
    "IApopDigest",
    "IBearerToken",
    "IClientCertificate",
    "IClientPassword",
    "IProxyLogin",
    "IScramChecker",
    "IScramProof",
    "ProxyLogin",
    "ScramKeys",
    "ScramProof",
]
