"""The common base of mail clients, independent of the protocol.

To use a client: `ServerAddress` has a server's address, TLS policy and credentials; `Client` has the
methods that clients have in every protocol; `ClientError` is the base of all errors; `ClientPool` shares a
few connections between many jobs.

To write a client: a `Client` has a `ClientSession`, which orders the commands and has a
`ClientConnection`.  `sign_in` does SASL with the commands of a `SASLDialect`.
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
    NotOffered,
    OutOfOrder,
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
    "NotOffered",
    "OutOfOrder",
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
