"""What people may ask of the marketplace. One noun per file; this list is its specification."""

from marketplace.services.decisions import (
    approve_template,
    reject_template,
    request_changes,
)
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
    MONTHLY_CALLS_MAX,
    InvalidTemplate,
    NotEditable,
    NotValidated,
    describe_template,
    price_version,
    publish_template,
    start_template,
    submit_version,
)

__all__ = [
    "AlreadyBought",
    "InvalidTemplate",
    "MONTHLY_CALLS_MAX",
    "NotDeployed",
    "NotEditable",
    "NotValidated",
    "OwnTemplate",
    "Usage",
    "approve_template",
    "buy_template",
    "deploy_template",
    "describe_template",
    "may_deploy",
    "predict",
    "predict_model",
    "price_version",
    "publish_template",
    "reject_template",
    "request_changes",
    "start_template",
    "stop_deployment",
    "submit_version",
    "usage",
]
