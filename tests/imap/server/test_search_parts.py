"""SEARCH in all parts of messages: fields of MIME, broken headers, reports, and addresses."""

from __future__ import annotations

from tests.imap.server.dialogue import DialogueTestCase

ATTACHMENT = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b'--b\r\nContent-Type: application/pdf; name="invoice.pdf"\r\n'
    b"Content-Disposition: attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe.pdf\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n"
)
NO_HEADER = b"no header here, only text\r\nmore\r\n"
NO_COLON = b"Subject: x\r\nline without a colon oddword\r\nTo: t@x\r\n\r\nbelow\r\n"
REPORT = (
    b"Content-Type: multipart/report; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    b"Reporting-MTA: dns; mta.example\r\n\r\nFinal-Recipient: rfc822;zzz@example\r\n"
    b"--b\r\nContent-Type: message/rfc822-headers\r\n\r\nSubject: returned\r\n"
    b"--b\r\nContent-Type: message/external-body; access-type=x\r\n\r\n"
    b"Content-Type: text/plain\r\n\r\nphantom\r\n"
    b"--b--\r\n"
)
ADDRESSES = (
    b"From: <user-from (comment)@ (comment) domain.org>\r\n"
    b"To: groupname: groupuser1@domain.org, groupuser2@domain.org;, groupname2: groupuser3@domain.org;\r\n"
    b"Cc: RealCc <user-cc@domain.org>, second <two@x>\r\n\r\nx\r\n"
)


class PartTests(DialogueTestCase):
    def test_what_is_found_where(self) -> None:
        """Issue 14, fault 2."""
        for octets in (ATTACHMENT, NO_HEADER, NO_COLON, REPORT, ADDRESSES):
            self.inbox.add(octets, (), 0)
        self.sign_in(select="INBOX")
        for keys, found in {
            "TEXT invoice.pdf": " 1",
            "BODY invoice.pdf": "",
            "TEXT application/pdf": " 1",
            "HEADER Content-Disposition attachment": "",
            'TEXT "no header here"': " 2",
            "BODY only": " 2",
            "TEXT oddword": " 3",
            "BODY oddword": "",
            "BODY below": " 3",
            "TEXT reporting-mta": " 4",
            "BODY zzz@example": " 4",
            "TEXT returned": " 4",
            "SUBJECT returned": "",
            "TEXT phantom": " 4",
            "FROM user-from@domain.org": " 5",
            "FROM ser-fro": " 5",
            "TO groupname2": " 5",
            "TO groupuser1@domain": " 5",
            "TO groupuser4": "",
            "CC realcc": " 5",
            "CC two@x": " 5",
            'HEADER Cc ""': " 5",
            'TEXT ""': " 1 2 3 4 5",
        }.items():
            self.talk(f"C: a SEARCH {keys}\nS: * SEARCH{found}\nS: a OK SEARCH completed")
