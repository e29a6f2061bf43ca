"""Plain text, of which a network learns what comes next."""

from pathlib import Path

from training.runner.readers.content import Bounds, FileRefused, Text
from training.runner.readers.encodings import decode


def read_text(path: Path, bounds: Bounds) -> Text:
    """The text. Raises FileRefused."""
    text = decode(path.read_bytes())
    if len(text) > bounds.values:
        raise FileRefused(f"has {len(text):,} characters; at most {bounds.values:,}.")
    return Text(text)
