"""Tests of `mailproto.fetching`."""
