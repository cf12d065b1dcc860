"""Twisted protocols for SMTP, POP3 and IMAP over pluggable backends: see README.md."""

__version__ = "0.1.0"
