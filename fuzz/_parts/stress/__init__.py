"""Clients that do at random what mail clients do with IMAP, and believe only what they are told."""
