"""A report about TLS (RFC 8460): for which addresses it is, its JSON, and a message that has it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import unquote

from mailproto._arguments import wrong_value
from mailproto.model import Address
from mailproto.relay._exchange import AppliedPolicy
from mailproto.relay._tls._counts import Fault, PolicyCounts

__all__ = ["ADDRESSES_LIMIT", "Reporter", "TLSReport", "check_reporter", "report_addresses"]

ADDRESSES_LIMIT: Final = 3
"""The most addresses that a domain's report is sent to."""

_RECORD = re.compile(rb"v=TLSRPTv1[ \t]*;[ \t]*rua=([!-:<-~]+)[ \t]*(?:;.*)?", re.DOTALL)
_URL = re.compile(r"https://[^/?#@\s\\]+(?:[/?][!-~]*)?", re.IGNORECASE)
_MAILTO = re.compile(r"mailto:([^?]+)(?:\?.*)?", re.IGNORECASE)


def report_addresses(texts: Sequence[bytes]) -> list[str]:
    """Where the TXT records of ``_smtp._tls.DOMAIN`` want reports (3): URLs of HTTPS, and mail addresses.

    :returns: none if there is not exactly one such record, or it is not valid.
    """
    found = [text for text in texts if re.match(rb"v=TLSRPTv1[ \t]*(?:;|\Z)", text)]
    match = _RECORD.fullmatch(found[0]) if len(found) == 1 and found[0].isascii() else None
    if match is None:
        return []
    addresses = []
    for word in match[1].decode("ascii").split(","):
        mailto = _MAILTO.fullmatch(word)
        if _URL.fullmatch(word):
            addresses.append(word)
        elif mailto is not None and _is_address(unquote(mailto[1])):
            addresses.append(unquote(mailto[1]))
    return addresses[:ADDRESSES_LIMIT]


def _is_address(text: str) -> bool:
    try:
        check_reporter(text)
    except ValueError:
        return False
    return True


def check_reporter(text: str) -> Address:
    """The address of who sends or gets a report.

    :raises ValueError: it is no mail address in ASCII with a domain.
    """
    address = Address.parse(text)
    if not text.isascii() or not address.domain:
        raise wrong_value("an address for reports", text, "a mail address in ASCII such as 'a@example.org'")
    return address


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports.

    :ivar organization: a name.
    :ivar contact: the mail address for questions; reports come from it.
    :ivar hostname: of the server that sends the mail.
    """

    organization: str
    contact: str
    hostname: str


@dataclass(frozen=True, slots=True)
class TLSReport:
    """The report of a day about one domain.

    :ivar id: unique among all of the reporter's.
    :ivar start, end: of the day, in seconds since 1970.
    """

    reporter: Reporter
    domain: str
    id: str
    start: int
    end: int
    policies: Mapping[AppliedPolicy, PolicyCounts]

    def json(self) -> bytes:
        """The report (4.4)."""
        content = {
            "organization-name": self.reporter.organization,
            "date-range": {"start-datetime": _time(self.start), "end-datetime": _time(self.end - 1)},
            "contact-info": self.reporter.contact,
            "report-id": self.id,
            "policies": [_policy(policy, counts) for policy, counts in self.policies.items()],
        }
        return json.dumps(content).encode()

    def packed(self) -> bytes:
        """The report, packed with gzip, always in the same way."""
        return gzip.compress(self.json(), mtime=0)

    @property
    def file_name(self) -> str:
        """As RFC 8460 5.1 says."""
        return f"{self.reporter.hostname}!{self.domain}!{self.start}!{self.end}!{self.id}.json.gz"

    def message(self, recipient: str, now: float) -> bytes:
        """The report as a message (5.3); TLS need not be as good for it as the domain demands (RFC 8689 5).

        :param recipient: a mail address.
        :param now: seconds since 1970.
        """
        reporter = self.reporter
        made = MIMEMultipart("report", policy=SMTP)
        made.set_param("report-type", "tlsrpt")
        made["From"] = reporter.contact
        made["To"] = recipient
        made["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
        made["Message-ID"] = f"<{self.id}@{reporter.hostname}>"
        subject = f"Report Domain: {self.domain} Submitter: {reporter.hostname} Report-ID: <{self.id}>"
        made["Subject"] = subject
        made["TLS-Report-Domain"] = self.domain
        made["TLS-Report-Submitter"] = reporter.hostname
        made["TLS-Required"] = "No"
        made["Auto-Submitted"] = "auto-generated"
        made.attach(
            MIMEText(
                f"How TLS went on {_time(self.start)[:10]} (UTC) when {reporter.organization} sent mail to"
                f" {self.domain}: the attached file has an aggregate report (RFC 8460).\n",
                "plain",
                "us-ascii" if reporter.organization.isascii() else "utf-8",
                policy=SMTP,
            )
        )
        part = MIMEApplication(self.packed(), "tlsrpt+gzip", policy=SMTP)
        part.add_header("Content-Disposition", "attachment", filename=self.file_name)
        made.attach(part)
        return made.as_bytes()


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _policy(policy: AppliedPolicy, counts: PolicyCounts) -> dict[str, Any]:
    about: dict[str, Any] = {"policy-type": policy.kind, "policy-domain": policy.domain}
    if policy.texts:
        about["policy-string"] = list(policy.texts)
    if policy.patterns:
        about["mx-host"] = list(policy.patterns)
    made: dict[str, Any] = {
        "policy": about,
        "summary": {
            "total-successful-session-count": counts.good,
            "total-failure-session-count": counts.bad,
        },
    }
    if counts.faults:
        made["failure-details"] = [_fault(fault, number) for fault, number in counts.faults.items()]
    return made


def _fault(fault: Fault, number: int) -> dict[str, Any]:
    optional = {
        "receiving-mx-hostname": fault.host,
        "receiving-ip": fault.address,
        "failure-reason-code": fault.reason,
    }
    return {
        "result-type": fault.result,
        **{name: value for name, value in optional.items() if value},
        "failed-session-count": number,
    }
