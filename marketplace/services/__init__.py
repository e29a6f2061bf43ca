"""What people may ask of the marketplace. One noun per file; this list is its specification."""

from marketplace.services.deployments import (
    NotDeployed,
    Usage,
    deploy_template,
    predict,
    predict_model,
    stop_deployment,
    usage,
)
from marketplace.services.purchases import AlreadyBought, OwnTemplate, buy_template, may_deploy
from marketplace.services.templates import (
    InvalidTemplate,
    NotValidated,
    approve_template,
    publish_template,
    reject_template,
)

__all__ = [
    "AlreadyBought",
    "InvalidTemplate",
    "NotDeployed",
    "NotValidated",
    "OwnTemplate",
    "Usage",
    "approve_template",
    "buy_template",
    "deploy_template",
    "may_deploy",
    "predict",
    "predict_model",
    "publish_template",
    "reject_template",
    "stop_deployment",
    "usage",
]
