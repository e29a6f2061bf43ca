"""Addresses of the marketplace."""

from django.urls import path

from marketplace import api, views

app_name = "marketplace"
urlpatterns = [
    # /templates/
    path("templates/", views.catalogue, name="catalogue"),
    path("templates/mine/", views.mine, name="mine"),
    path("templates/<slug:slug>/", views.template, name="template"),
    path("templates/<slug:slug>/buy/", views.buy_template, name="buy"),
    path("templates/<slug:slug>/deploy/", views.deploy_template, name="deploy"),
    path("models/<uuid:model_id>/publish/", views.publish, name="publish"),
    # /deployments/
    path("deployments/", views.deployments, name="deployments"),
    path("deployments/<uuid:deployment_id>/", views.deployment, name="deployment"),
    path("deployments/<uuid:deployment_id>/stop/", views.stop_deployment, name="stop_deployment"),
    # /api/v1/
    path("api/v1/templates", api.Templates.as_view(), name="api_templates"),
    path(
        "api/v1/templates/<uuid:template_id>/purchases",
        api.Purchases.as_view(),
        name="api_purchases",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/deployments",
        api.Deployments.as_view(),
        name="api_deployments",
    ),
    path("api/v1/models/<uuid:model_id>/predict", api.Predict.as_view(), name="api_predict"),
]
