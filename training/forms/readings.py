"""What a posted studio says: its list of inputs, or its text where that was changed.

List and text are the same configuration. `known` is what both said when the page was made, so that
it is seen which of them a person has changed since.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from training.forms import literals
from training.forms.compositions import Config, NotComposable, composed, config_of, digest

TEXT_MAX = 200_000


@dataclass(frozen=True)
class Reading:
    """`text` is kept as it was typed where it says something else than `config`, with the reason in
    `error`; `raw` is what it says where that can be read but not shown as a list.
    """

    config: Config
    text: str = ""
    error: str = ""
    raw: object = None
    is_of_text: bool = False


def read(posted: Mapping[str, str], action: str) -> Reading:
    listed, text = config_of(posted), posted.get("config", "")
    if action == "discard" or not text.strip():
        return Reading(listed)
    if len(text) > TEXT_MAX:
        return Reading(listed, text, f"has {len(text):,} characters, at most {TEXT_MAX:,}.")
    try:
        raw = literals.read(text)
    except literals.NotALiteral as error:
        return Reading(listed, text, str(error))
    try:
        written = composed(raw)
    except NotComposable:
        return Reading(listed, text, raw=raw)
    known = posted.get("known", "")
    if digest(written) in (known, digest(listed)):
        return Reading(listed)
    if action != "apply" and known and digest(listed) != known:
        reason = "The layers were changed as well as this text; apply the text, or discard it."
        return Reading(listed, text, reason)
    return Reading(written, is_of_text=True)
