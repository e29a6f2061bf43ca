"""Pages of governance, one noun a file, and what the pages of every app stand on."""

from governance.views.requests import (
    MemberRequest,
    PageRequest,
    View,
    led_once,
    pressed_on,
    visitor,
)

__all__ = ["MemberRequest", "PageRequest", "View", "led_once", "pressed_on", "visitor"]
