"""What a version changes against the one that is published: words, terms and figures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from billing import services as billing
from marketplace.models import TemplateVersion
from training import services as training
from training.models import Category

CELLS_MAX = 500_000  # lines × lines that are compared; more takes a worker too long
CARD = {"intended_use": "Intended use", "limits": "Limits", "ethics": "Ethical considerations"}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing before and after, as people read it. `before` is None where nothing was."""

    label: str
    before: str | None
    after: str
    is_text: bool = False  # of several lines

    @property
    def differs(self) -> bool:
        return self.before is not None and self.before != self.after

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Line by line: "-" was, "+" is, " " stays."""
        return line_by_line((self.before or "").splitlines(), self.after.splitlines())


def changes_of(*, version: TemplateVersion) -> list[Change]:
    """Everything that it says, beside what the version on offer says, where there is another; then
    what differs comes first.
    """
    before = version.template.current
    said = dict(facts(version))
    was = dict(facts(before)) if before is not None and before.pk != version.pk else None
    found = [
        Change(
            label=label,
            before=None if was is None else was.get(label, "–"),
            after=text,
            is_text=label in TEXTS,
        )
        for label, text in said.items()
    ]
    return sorted(found, key=lambda change: not change.differs)


def line_by_line(was: Sequence[str], now: Sequence[str]) -> list[tuple[str, str]]:
    """Between the lines that both begin and end with, those that stay in order. Where these are too
    many to compare, all went and all came.
    """
    start = alike(was, now)
    end = alike(was[start:][::-1], now[start:][::-1])
    went, came = was[start : len(was) - end], now[start : len(now) - end]
    if len(went) * len(came) > CELLS_MAX:
        between = [("-", line) for line in went] + [("+", line) for line in came]
    else:
        between = list(compared(went, came))
    stay = [(" ", line) for line in now]
    return stay[:start] + between + stay[len(now) - end :]


def alike(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def compared(was: Sequence[str], now: Sequence[str]) -> Iterator[tuple[str, str]]:
    """By their longest common subsequence, whose table has `was` × `now` cells whatever the lines
    are; the time of `difflib` grows with the cube where lines repeat.
    """
    left = [[0] * (len(now) + 1) for _ in range(len(was) + 1)]  # what both share from here on
    for i in reversed(range(len(was))):
        for j in reversed(range(len(now))):
            is_same = was[i] == now[j]
            left[i][j] = left[i + 1][j + 1] + 1 if is_same else max(left[i + 1][j], left[i][j + 1])
    i = j = 0
    while i < len(was) or j < len(now):
        if i < len(was) and j < len(now) and was[i] == now[j]:
            yield " ", now[j]
            i, j = i + 1, j + 1
        elif j == len(now) or (i < len(was) and left[i + 1][j] >= left[i][j + 1]):
            yield "-", was[i]
            i += 1
        else:
            yield "+", now[j]
            j += 1


TEXTS = {"Description", *CARD.values()}


def facts(version: TemplateVersion) -> Iterator[tuple[str, str]]:
    yield from words(version)
    yield from terms(version)
    yield from figures(version)


def words(version: TemplateVersion) -> Iterator[tuple[str, str]]:
    said = version.words
    yield "Name", said.get("name", "")
    yield "Summary", said.get("summary", "") or "–"
    yield "Category", str(Category(said["category"]).label) if said.get("category") else "–"
    yield "Description", said.get("description", "")
    card = training.card_of(model=version.model)
    yield "Licence", card.licence_terms or str(card.get_licence_display()) or "–"
    for name, label in CARD.items():
        yield label, getattr(card, name)


def terms(version: TemplateVersion) -> Iterator[tuple[str, str]]:
    yield "Plan", str(version.get_plan_display())
    yield "Once, credits", billing.credits(version.price_microcredits)
    yield "A prediction, credits", billing.credits(version.charged_microcredits)
    yield "Included each month", f"{version.monthly_calls:,}"
    yield "Files", ", ".join(version.files) or "none"
    yield "Example inputs", str(len(version.examples))


def figures(version: TemplateVersion) -> Iterator[tuple[str, str]]:
    model, validation = version.model, version.validation
    yield "Model", f"{model.name}, version {model.version}"
    yield "Data", f"{model.job.dataset.name}, version {model.job.dataset.version}"
    yield "Parameters", f"{model.parameters:,}"
    yield "Weights", model.weights_sha256[:16]
    if validation is None:
        return
    yield "Test rows", f"{validation.rows:,}" if validation.rows is not None else "–"
    for name, found in validation.metrics.items():
        yield name.replace("_", " ").capitalize(), f"{found['value']:.4g}"
    for label, value, unit in (
        ("Latency p50", validation.latency_p50_ms, "ms"),
        ("Size", validation.model_size_mb, "MB"),
    ):
        if value is not None:
            yield label, f"{value:.3g} {unit}"
