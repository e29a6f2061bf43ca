"""What a configuration does to the pictures that train, in words."""

from collections.abc import Mapping
from typing import Any


def said(config: Mapping[str, Any]) -> str:
    """Such as "moved by up to 1 pixel, mirrored every second time"; empty where nothing is done."""
    asked = config.get("training", {}).get("augmentation", {})
    found = []
    if shift := asked.get("shift"):
        found.append(f"moved by up to {shift} {'pixel' if shift == 1 else 'pixels'} to each side")
    if asked.get("flip"):
        found.append("mirrored left to right every second time")
    found += [
        f"{name} changed by up to {asked[name]:.0%}"
        for name in ("contrast", "brightness")
        if asked.get(name)
    ]
    return ", ".join(found)
