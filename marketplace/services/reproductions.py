"""Having a version's training run again, by who reviews it or has it. They pay what it costs; the
answer is for everybody who may see the version.
"""

from dataclasses import dataclass

from governance.models import Role, User
from governance.services import NotAllowed, Refusal
from marketplace.models import TemplateVersion
from marketplace.services.peer_reviews import conflict_of, is_qualified
from marketplace.services.purchases import may_deploy
from training import services as training
from training.models import Reproduction


@dataclass(frozen=True, kw_only=True)
class Again:
    """What is known of running it again, and what one more costs at most."""

    summary: training.Reproduced
    runs: list[Reproduction]
    credits: str = ""
    obstacle: str = ""  # why it cannot be run again here

    @property
    def is_running(self) -> bool:
        return any(not run.is_over for run in self.runs)


RUNS_SHOWN = 10


def may_reproduce(user: User, version: TemplateVersion) -> bool:
    """The author; who may review it while it waits; who has the template, once it was out."""
    if version.template.owner_id == user.pk:
        return True
    if version.is_waiting:
        is_moderator = user.has_role(Role.MODERATOR, Role.SENIOR_MODERATOR)
        return is_moderator or (is_qualified(user) and not conflict_of(user, version))
    return version.published_at is not None and may_deploy(user, version.template)


def again_of(version: TemplateVersion) -> Again:
    model = version.model
    runs = list(model.reproductions.select_related("owner", "job")[:RUNS_SHOWN])
    summary = training.count_reproductions(model=model)
    try:
        quote = training.quote_reproduction(model=model)
    except Refusal as refusal:
        return Again(summary=summary, runs=runs, obstacle=str(refusal))
    return Again(summary=summary, runs=runs, credits=quote.credits)


def reproduce_version(*, actor: User, version: TemplateVersion) -> Reproduction:
    """Run the training of its model again; one under way is returned instead of a second."""
    if not may_reproduce(actor, version):
        raise NotAllowed(
            "Who has a template, or reviews it, may have it reproduced: get it on its page first."
        )
    if version.model.owner_id == actor.pk:
        return training.reproduce_model(actor=actor, model=version.model)
    return training.reproduce_for(asker=actor, model=version.model)
