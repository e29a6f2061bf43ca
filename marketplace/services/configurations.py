"""What people set on a deployment: `custom_config`, read whole, every mistake with its path.

The same names are used by the API, the form and a later change. What is left out keeps its default,
so that nothing at all is a configuration, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billing.models import MICROCREDITS
from governance.services import Refusal
from kernels.fields import Choice, Field, Reader, Real, Whole, shown
from marketplace.models import (
    BATCH_LIMIT_MAX,
    DEPLOYMENT_NAME_LENGTH_MAX,
    TIMEOUT_MS_MAX,
    Deployment,
)

ROUTES_MAX = 8
CREDITS_MAX = 1_000_000
PATH = "custom_config"


class InvalidDeployment(Refusal):
    """A setting of a deployment is not known or out of range; the text says what would do."""

    status = 422


SETTINGS: dict[str, Field] = {
    "batch_limit": Whole(1, BATCH_LIMIT_MAX),
    "timeout_ms": Whole(1, TIMEOUT_MS_MAX),
    "aggregation": Choice(Deployment.Aggregation.values),
    "follows": Choice(Deployment.Follows.values),
    "spend_period": Choice(Deployment.SpendPeriod.values),
}
TARGETS: dict[str, Field] = {"version": Whole(1, 1_000_000), "share": Whole(1, 100)}
CHANGEABLE = ("name", *SETTINGS, "spend_cap")
FINE_TUNE: dict[str, Field] = {
    "epochs": Whole(1, 100_000),
    "learning_rate": Real(1e-9, 10.0),
    "seed": Whole(0, 2**63 - 1),
}
KNOWN = (*CHANGEABLE, "version", "routes", "fine_tune")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A version by its number, and its share of the calls in percent."""

    version: int
    share: int


@dataclass(frozen=True, kw_only=True)
class FineTune:
    """What the version's weights are trained further on, and how; None as they were trained."""

    dataset: str
    epochs: int | None = None
    learning_rate: float | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Config:
    """`settings` are columns of a deployment; of the rest nothing means the usual."""

    settings: dict[str, Any]
    version: int | None
    routes: tuple[Target, ...]
    fine_tune: FineTune | None


def read_config(given: object) -> Config:
    """What to deploy, and how. Raises InvalidDeployment."""
    reader = Reader()
    section = reader.section(given, PATH, (), KNOWN)
    settings = settings_in(reader, section)
    version = reader.fields(section, PATH, {"version": TARGETS["version"]}).get("version")
    routes = routes_in(reader, section)
    if routes and "version" in section:
        reader.refuse(f"{PATH}.version", "leave it out: routes already say which versions answer")
    fine_tune = fine_tune_in(reader, section)
    refuse(reader)
    return Config(settings=settings, version=version, routes=routes, fine_tune=fine_tune)


def read_settings(given: object) -> dict[str, Any]:
    """What to change of a deployment that is there, by column. Raises InvalidDeployment."""
    reader = Reader()
    section = reader.section(given, "", (), CHANGEABLE)
    found = settings_in(reader, section, path="")
    if "name" in found and not found["name"]:
        reader.refuse("name", "must not be empty; leave it out to keep the name")
    refuse(reader)
    return found


def read_routes(given: object) -> tuple[Target, ...]:
    """Which versions answer which shares. Raises InvalidDeployment."""
    reader = Reader()
    found = routes_in(reader, {"routes": given}, path="")
    refuse(reader)
    return found


def refuse(reader: Reader) -> None:
    if reader.problems:
        raise InvalidDeployment(
            "; ".join(map(str, reader.problems)),
            invalid_parameters=[
                {"field": each.path, "reason": each.reason} for each in reader.problems
            ],
        )


def path_of(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def settings_in(reader: Reader, section: Mapping[str, Any], path: str = PATH) -> dict[str, Any]:
    found = reader.fields(section, path, SETTINGS)
    if "name" in section:
        name = section["name"]
        if not isinstance(name, str) or not name.isprintable():
            reader.refuse(
                path_of(path, "name"),
                f"must be text that people can see, in one line, not {shown(name)}",
            )
        elif len(name) > DEPLOYMENT_NAME_LENGTH_MAX:
            reader.refuse(
                path_of(path, "name"),
                f"has {len(name):,} letters; at most {DEPLOYMENT_NAME_LENGTH_MAX}",
            )
        else:
            found["name"] = name.strip()
    if section.get("spend_cap") is not None:
        cap = reader.fields(section, path, {"spend_cap": Real(0, CREDITS_MAX)})
        if "spend_cap" in cap:
            found["spend_cap_microcredits"] = round(cap["spend_cap"] * MICROCREDITS)
    elif "spend_cap" in section:
        found["spend_cap_microcredits"] = None
    return found


def routes_in(reader: Reader, section: Mapping[str, Any], path: str = PATH) -> tuple[Target, ...]:
    if "routes" not in section:
        return ()
    name, given = path_of(path, "routes"), section["routes"]
    if not isinstance(given, list) or not 1 <= len(given) <= ROUTES_MAX:
        reader.refuse(name, f"must be a list of 1 to {ROUTES_MAX} objects with version and share")
        return ()
    found = []
    for place, each in enumerate(given):
        at = f"{name}[{place}]"
        values = reader.fields(reader.section(each, at, tuple(TARGETS)), at, TARGETS)
        if len(values) == len(TARGETS):
            found.append(Target(**values))
    if len(found) == len(given):
        check_targets(reader, name, found)
    return tuple(found)


def fine_tune_in(reader: Reader, section: Mapping[str, Any]) -> FineTune | None:
    if "fine_tune" not in section:
        return None
    path = f"{PATH}.fine_tune"
    given = reader.section(section["fine_tune"], path, ("dataset",), tuple(FINE_TUNE))
    found = reader.fields(given, path, FINE_TUNE)
    dataset = given.get("dataset")
    if "dataset" in given and not isinstance(dataset, str):
        reader.refuse(f"{path}.dataset", f"must be the slug of a dataset, not {shown(dataset)}")
    return FineTune(dataset=str(dataset), **found)


def check_targets(reader: Reader, name: str, found: list[Target]) -> None:
    total = sum(each.share for each in found)
    if total != 100:
        reader.refuse(name, f"the shares must sum to 100 percent, not {total}")
    versions = [each.version for each in found]
    if len(set(versions)) < len(versions):
        reader.refuse(name, "a version stands there twice; give it one share")
