"""The moderators' desk, one noun a file. Django finds it here and nobody calls it."""

from marketplace.admin import queue, records, talk, templates

__all__ = ["queue", "records", "talk", "templates"]
