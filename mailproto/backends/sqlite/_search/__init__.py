"""The search index: a database of its own beside the store's, which may be deleted, and is built anew.

It has the header values and the decoded texts of each body, and is built behind deliveries: what is not in it
yet is read by whoever searches.
"""

from mailproto.backends.sqlite._search._index import SearchIndex

__all__ = ["SearchIndex"]
