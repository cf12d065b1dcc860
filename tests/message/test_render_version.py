"""`RENDER_VERSION` is raised with every change of what `summarise` makes."""

from __future__ import annotations

from hashlib import sha256

from twisted.trial.unittest import SynchronousTestCase

from mailproto.message import RENDER_VERSION, summarise

MESSAGES = (
    b"",
    b"\r\n",
    b"no header\r\n",
    b"Subject: plain\r\n\r\nText.\r\n",
    b"\xef\xbb\xbfSubject: a mark\n\nlines that end in LF\n",
    b"From: Bob <bob@example.org>, =?utf-8?q?Zo=C3=AB?= <zoe@example.org>\r\n"
    b"Sender: carol@example.net\r\nReply-To: list: a@x, b@y;\r\nTo: undisclosed-recipients:;\r\n"
    b'Cc: (comment) "quo\\"ted" <@route,@other:d@[192.0.2.1]>\r\nBcc: broken <\r\n'
    b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nSubject: folded\r\n and \xff octets\r\n"
    b'In-Reply-To: Your message of <1@x> (today)\r\n <2@x>\r\nMessage-ID: <"3" @ x>\r\n\r\n',
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\nContent-Language: en, de\r\n\r\n'
    b"preamble\r\n--b\r\nContent-Type: text/plain; charset=utf-8; name*0=a; name*1=b\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\nContent-ID: <4@x>\r\nContent-MD5: x\r\n\r\n=C3=A4\r\n"
    b'--b\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; filename="a\\"b"\r\n\r\n'
    b"Subject: inside\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\none\r\n--c\r\n"
    b"Content-Type: text/html\r\nContent-Location: x\r\n\r\n<p>two</p>\r\n--c--\r\n--b--\r\nepilogue\r\n",
    b"Content-Type: multipart/mixed; boundary=never\r\nMIME-Version: 1.0\r\n\r\nno parts\r\n",
    b"Content-Type: nonsense\r\n\r\n\x00\xff\r\n",
    b"Subject: "
    + b"word " * 2000
    + b"\r\nFrom: "
    + b"a@b, " * 3000
    + b"\r\nTo: (x) a@b"
    + b", (x) a@b" * 2000
    + b"\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\nContent-ID: 1\r\n\r\na\r\n" * 5000,
)

KNOWN = {1: "2899dc0bd4a31de8", 2: "26faa5fc1b156f21"}
"""By version; of the summaries of `MESSAGES`."""


class RenderVersionTests(SynchronousTestCase):
    def test_what_is_rendered_differently_has_another_version(self) -> None:
        """Where it fails: raise `RENDER_VERSION`, so that stores render anew, and add the hash."""
        digest = sha256()
        for message in MESSAGES:
            for rendered in summarise(message):
                digest.update(b"%d:%b" % (len(rendered), rendered))
        self.assertEqual(digest.hexdigest()[:16], KNOWN.get(RENDER_VERSION))
