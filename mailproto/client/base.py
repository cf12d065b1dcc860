"""To write a client for another protocol.

A `mailproto.client.Client` has a `ClientSession`, which orders the commands and has a `ClientConnection`.
`sign_in` does SASL with the commands of a `SASLDialect`.
"""

from mailproto.client._connection import ClientConnection, ConnectionListener
from mailproto.client._job import Job
from mailproto.client._opening import aborting
from mailproto.client._routes import host_and_port
from mailproto.client._sasl import SASLAnswer, SASLDialect, SASLStatus, choose_mechanisms, sign_in
from mailproto.client._session import GREETING, ClientSession
from mailproto.client._turns import Turn

__all__ = [
    "GREETING",
    "ClientConnection",
    "ClientSession",
    "ConnectionListener",
    "Job",
    "SASLAnswer",
    "SASLDialect",
    "SASLStatus",
    "Turn",
    "aborting",
    "choose_mechanisms",
    "host_and_port",
    "sign_in",
]
