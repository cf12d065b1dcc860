"""What clients of mail protocols share, whatever they speak.

For those who use a client: `ServerAddress` says where a server is and on what terms, `Client` is
what a client of every protocol can do, `ClientError` is the root of what can go wrong, and
`ClientPool` does many things over a few connections.

For those who write one: a `Client` has a `ClientSession`, which has a `ClientConnection` and says
what is said when; `sign_in` does SASL in the words of a `SASLDialect`.
"""

from mailproto.client._address import Credentials, ServerAddress
from mailproto.client._client import Client
from mailproto.client._connection import ClientConnection, ConnectionListener
from mailproto.client._errors import (
    AuthenticationRefused,
    AuthenticationUnavailable,
    ClientError,
    CommandRefused,
    ConnectFailed,
    ConnectionLost,
    GreetingRefused,
    ProtocolViolation,
    QueueTimeout,
    ServerReply,
    ServerTimeout,
    ServerUntrusted,
    ServiceClosing,
    TLSFailed,
    TLSUnavailable,
)
from mailproto.client._job import Job
from mailproto.client._opening import aborting
from mailproto.client._pool import ClientPool
from mailproto.client._sasl import SASLAnswer, SASLDialect, SASLStatus, choose_mechanisms, sign_in
from mailproto.client._session import GREETING, ClientSession
from mailproto.client._timeouts import ClientTimeouts
from mailproto.client._turns import Turn

__all__ = [
    "GREETING",
    "AuthenticationRefused",
    "AuthenticationUnavailable",
    "Client",
    "ClientConnection",
    "ClientError",
    "ClientPool",
    "ClientSession",
    "ClientTimeouts",
    "CommandRefused",
    "ConnectFailed",
    "ConnectionListener",
    "ConnectionLost",
    "Credentials",
    "GreetingRefused",
    "Job",
    "ProtocolViolation",
    "QueueTimeout",
    "SASLAnswer",
    "SASLDialect",
    "SASLStatus",
    "ServerAddress",
    "ServerReply",
    "ServerTimeout",
    "ServerUntrusted",
    "ServiceClosing",
    "TLSFailed",
    "TLSUnavailable",
    "Turn",
    "aborting",
    "choose_mechanisms",
    "sign_in",
]
