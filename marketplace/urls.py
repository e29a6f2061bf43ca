"""Addresses of the marketplace."""

from django.urls import path

from marketplace.api import deployments as api_deployments
from marketplace.api import predictions as api_predictions
from marketplace.api import purchases as api_purchases
from marketplace.api import templates as api_templates
from marketplace.views import catalogue, deployments, offers, publishing, templates

app_name = "marketplace"
urlpatterns = [
    # /templates/
    path("templates/", catalogue.catalogue, name="catalogue"),
    path("templates/mine/", templates.mine, name="mine"),
    path("templates/<slug:slug>/", offers.template, name="template"),
    path("templates/<slug:slug>/versions/<int:number>/", offers.template, name="version"),
    path("templates/<slug:slug>/buy/", templates.buy_template, name="buy"),
    path("templates/<slug:slug>/deploy/", templates.deploy_template, name="deploy"),
    path("models/<uuid:model_id>/publish/", publishing.publish, name="publish"),
    # /deployments/
    path("deployments/", deployments.deployments, name="deployments"),
    path("deployments/<uuid:deployment_id>/", deployments.deployment, name="deployment"),
    path(
        "deployments/<uuid:deployment_id>/stop/",
        deployments.stop_deployment,
        name="stop_deployment",
    ),
    # /api/v1/
    path("api/v1/templates", api_templates.Templates.as_view(), name="api_templates"),
    path(
        "api/v1/templates/<uuid:template_id>/purchases",
        api_purchases.Purchases.as_view(),
        name="api_purchases",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/deployments",
        api_deployments.Deployments.as_view(),
        name="api_deployments",
    ),
    path(
        "api/v1/models/<uuid:model_id>/predict",
        api_predictions.Predict.as_view(),
        name="api_predict",
    ),
]
