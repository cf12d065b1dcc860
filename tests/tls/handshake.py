"""TLS in memory."""

from __future__ import annotations

import contextlib
from pathlib import Path

from OpenSSL import SSL


def handshake(
    server: SSL.Connection,
    version: int | None = None,
    *,
    trust_root: Path | None = None,
    pair: tuple[Path, Path] | None = None,
    ciphers: str | None = None,
) -> SSL.Connection:
    """A client that has shaken hands with ``server``.

    :param version: the newest that the client speaks.
    :param trust_root: what the client holds the server's certificate against; None not to look at it.
    :param pair: the files of the client's own certificate and key.
    :param ciphers: those that the client offers in TLS 1.2, as OpenSSL writes them.
    """
    return shake_hands(server, _client(version, trust_root, pair, ciphers))


def shake_hands(server: SSL.Connection, client: SSL.Connection) -> SSL.Connection:
    """``client``, when both have done it."""
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(4):
        for one, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65536))
    return client


def _client(
    version: int | None, trust_root: Path | None, pair: tuple[Path, Path] | None, ciphers: str | None
) -> SSL.Connection:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if ciphers is not None:
        context.set_cipher_list(ciphers.encode())
    if pair is not None:
        context.use_certificate_file(str(pair[0]))
        context.use_privatekey_file(str(pair[1]))
    if trust_root is not None:
        context.load_verify_locations(str(trust_root))
        context.set_verify(SSL.VERIFY_PEER)
    if version is not None:
        context.set_max_proto_version(version)
    return SSL.Connection(context, None)
