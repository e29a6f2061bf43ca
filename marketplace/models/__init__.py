"""Templates and their versions, purchases, deployments."""

from marketplace.models.deployments import Deployment, DeploymentQuerySet
from marketplace.models.purchases import Purchase, PurchaseQuerySet
from marketplace.models.templates import (
    DESCRIPTION_LENGTH_MAX,
    REASON_LENGTH_MAX,
    Gone,
    Plan,
    Template,
    TemplateQuerySet,
    TemplateVersion,
    TemplateVersionQuerySet,
)

__all__ = [
    "DESCRIPTION_LENGTH_MAX",
    "REASON_LENGTH_MAX",
    "Deployment",
    "DeploymentQuerySet",
    "Gone",
    "Plan",
    "Purchase",
    "PurchaseQuerySet",
    "Template",
    "TemplateQuerySet",
    "TemplateVersion",
    "TemplateVersionQuerySet",
]
