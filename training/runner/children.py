"""Processes of ours that a worker starts, where one ended without an answer: its owner is told how,
and our log what it complained of, which names files and machines of ours.
"""

import structlog

log = structlog.get_logger()
COMPLAINT_LENGTH_MAX = 2_000


def how_it_ended(name: str, returncode: int, complaint: str) -> str:
    """In words that may be shown; the rest is logged."""
    words = complaint.strip()[-COMPLAINT_LENGTH_MAX:]
    log.error("child_died", child=name, returncode=returncode, words=words)
    return f"signal {-returncode}" if returncode < 0 else f"code {returncode}"
