"""Whole sessions in the style of servers in use, made up by us.

What was seen in public reports is in `test_seen`.
"""

from __future__ import annotations

from mailproto.auth import Password
from mailproto.client.errors import AuthenticationRefused
from tests.pop3.client.dialogue import ClientTestCase

ALICE = Password("alice", "secret")
MESSAGE = "S: Subject: hi\nS:\nS: Hi\nS: .\n"

GMAIL = (
    "Gpop ready for requests from 192.0.2.1 d2e1a72fcca58-71abc",
    """
    S: +OK Capability list follows
    S: USER
    S: RESP-CODES
    S: EXPIRE 0
    S: LOGIN-DELAY 300
    S: TOP
    S: UIDL
    S: X-GOOGLE-RICO
    S: SASL PLAIN XOAUTH2 OAUTHBEARER
    S: .
    C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
    S: +OK Welcome.
    C: STAT
    S: +OK 1 18
    C: LIST
    S: +OK 1 messages (18 bytes)
    S: 1 18
    S: .
    C: UIDL
    S: +OK
    S: 1 GmailId17e1a2b3c4d5e6f7
    S: .
    C: RETR 1
    S: +OK message follows
    """,
    "+OK Farewell.",
)
EXCHANGE = (
    "The Microsoft Exchange POP3 service is ready. [QgBOADAAUABSADAAMQBDAEEAMAAwADAANQAuAGUAdQBy]",
    """
    S: +OK
    S: TOP
    S: UIDL
    S: SASL NTLM GSSAPI
    S: USER
    S: .
    C: USER alice
    S: +OK
    C: PASS secret
    S: +OK User successfully logged on.
    C: STAT
    S: +OK 1 2048
    C: LIST
    S: +OK 1 2048
    S: 1 2048
    S: .
    C: UIDL
    S: +OK
    S: 1 17
    S: .
    C: RETR 1
    S: +OK
    """,
    "+OK Microsoft Exchange Server POP3 server signing off.",
)
COURIER = (
    "Hello there.",
    """
    S: +OK Here's what I can do:
    S: SASL LOGIN
    S: STLS
    S: TOP
    S: USER
    S: LOGIN-DELAY 10
    S: PIPELINING
    S: UIDL
    S: IMPLEMENTATION Courier Mail Server
    S: .
    C: AUTH LOGIN
    S: + VXNlcm5hbWU6
    C: YWxpY2U=
    S: + UGFzc3dvcmQ6
    C: c2VjcmV0
    S: +OK logged in.
    C: STAT
    C: LIST
    C: UIDL
    C: RETR 1
    S: +OK 1 18
    S: +OK POP3 clients that break here, they violate STD53.
    S: 1 18
    S: .
    S: +OK POP3 clients that break here, they violate STD53.
    S: 1 UID1-1795901806
    S: .
    S: +OK 18 octets follow.
    """,
    "+OK Bye-bye.",
)
QPOPPER = (
    "Qpopper (version 4.1.0) at pop.example starting.  <4242.1795901806@pop.example>",
    """
    S: -ERR Unknown command: "capa".
    C: USER alice
    S: +OK Password required for alice.
    C: PASS secret
    S: +OK alice has 1 visible message (0 hidden) in 18 octets.
    C: STAT
    S: +OK 1 18
    C: LIST
    S: +OK 1 visible messages (18 octets)
    S: 1 18
    S: .
    C: UIDL
    S: +OK uidl command accepted.
    S: 1 !2n"!0o?!!WC9"!Y2~"!
    S: .
    C: RETR 1
    S: +OK 18 octets
    """,
    "+OK Pop server at pop.example signing off.",
)
CYRUS = (
    "pop.example Cyrus POP3 2.4.17-Debian server ready <1234567890.1795901806@pop.example>",
    """
    S: +OK List of capabilities follows
    S: SASL CRAM-MD5
    S: EXPIRE NEVER
    S: LOGIN-DELAY 0
    S: TOP
    S: UIDL
    S: PIPELINING
    S: RESP-CODES
    S: AUTH-RESP-CODE
    S: USER
    S: IMPLEMENTATION Cyrus POP3 server v2.4.17-Debian
    S: .
    C: AUTH CRAM-MD5
    S: + PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+
    C: YWxpY2UgNzMzYmE4N2U2NGVkN2U0NDFmMDYyYzRhYzZkYjAxMDM=
    S: +OK Mailbox locked and ready SESSIONID=<pop.example-1-1>
    C: STAT
    C: LIST
    C: UIDL
    C: RETR 1
    S: +OK 1 18
    S: +OK scan listing follows
    S: 1 18
    S: .
    S: +OK unique-id listing follows
    S: 1 1241234567.1
    S: .
    S: +OK Message follows
    """,
    "+OK",
)
COREMAIL = (
    "Welcome to coremail Mail Pop3 Server (163coms[10774b260cc7a37d26d71b52404dcf5cs])",
    """
    S: +OK Capability list follows
    S: TOP
    S: USER
    S: PIPELINING
    S: UIDL
    S: LANG
    S: UTF8
    S: SASL PLAIN
    S: STLS
    S: .
    C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
    S: +OK 1 message(s) [18 byte(s)]
    C: STAT
    C: LIST
    C: UIDL
    C: RETR 1
    S: +OK 1 18
    S: +OK 1 18
    S: 1 18
    S: .
    S: +OK 1 18
    S: 1 1tbiAQAAAA0DXk5sNwAAs5
    S: .
    S: +OK 18 octets
    """,
    "+OK core mail",
)


class WholeSessionTests(ClientTestCase):
    def test_sessions(self) -> None:
        for greeting, dialogue, farewell in (GMAIL, EXCHANGE, COURIER, QPOPPER, CYRUS, COREMAIL):
            with self.subTest(server=greeting):
                client = self.connect()
                client.capa()
                signed_in = client.authenticate(ALICE)
                stat, sizes, ids, message = client.stat(), client.list(), client.uidl(), client.retr(1)
                lines = "\n".join(line.strip() for line in dialogue.strip().splitlines())
                done = client.commit()
                end = f"C: QUIT\nS: {farewell}\nC closes"
                self.converse(f"S: +OK {greeting}\nC: CAPA\n{lines}\n{MESSAGE}{end}")
                self.result(signed_in)
                self.assertEqual(self.result(stat)[0], 1)
                self.assertEqual(list(self.result(sizes)), [1])
                self.assertEqual(list(self.result(ids)), [1])
                self.assertEqual(self.result(message), b"Subject: hi\r\n\r\nHi\r\n")
                self.assertIsNone(self.result(done))

    def test_refusals(self) -> None:
        for said, is_permanent in (
            ("-ERR [AUTH] Username and password not accepted.", True),
            ("-ERR Logon failure: unknown user name or bad password.", True),
            ("-ERR Login failed.", True),
            ('-ERR [AUTH] Password supplied for "alice" is incorrect.', True),
            ("-ERR [IN-USE] Unable to lock maildrop: Mailbox is locked by POP server", False),
            ("-ERR [SYS/TEMP] System error, please try again later.", False),
            ("-ERR [LOGIN-DELAY] minimum time between mail checks violation", False),
            ("-ERR", True),
        ):
            client = self.connect("S: +OK\nC: CAPA\nS: -ERR")
            result = client.authenticate(ALICE)
            self.converse(f"C: USER alice\nS: +OK\nC: PASS secret\nS: {said}")
            self.assertEqual(self.error(result, AuthenticationRefused).is_permanent, is_permanent)
