"""IMAP clients."""
