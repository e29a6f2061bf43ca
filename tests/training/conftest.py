"""What tests of training share."""

import pytest

from training.runner import reading, uploads


@pytest.fixture
def in_this_process(monkeypatch) -> None:
    """Files are read without a process of their own, which would take two seconds a file; that
    process has tests of its own.
    """
    monkeypatch.setattr(uploads, "run", lambda folder, *, on_wait: reading.work(folder))
