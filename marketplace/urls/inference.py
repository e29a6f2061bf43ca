"""Addresses that programs ask by the thousand, so they are looked for first."""

from django.urls import path

from marketplace.api import inference, predictions

urlpatterns = [
    path(
        "api/v1/deployments/<uuid:deployment_id>/predict",
        predictions.PredictDeployed.as_view(),
        name="api_predict_deployed",
    ),
    path(
        "api/v1/models/<uuid:model_id>/predict",
        predictions.Predict.as_view(),
        name="api_predict",
    ),
    path("v2", inference.server, name="v2"),
    path("v2/models/<str:name>", inference.ModelMetadata.as_view(), name="v2_model"),
    path("v2/models/<str:name>/ready", inference.ModelReady.as_view(), name="v2_ready"),
    path("v2/models/<str:name>/infer", inference.Infer.as_view(), name="v2_infer"),
    path(
        "v2/models/<str:name>/versions/<str:version>",
        inference.ModelMetadata.as_view(),
        name="v2_version",
    ),
    path(
        "v2/models/<str:name>/versions/<str:version>/ready",
        inference.ModelReady.as_view(),
        name="v2_version_ready",
    ),
    path(
        "v2/models/<str:name>/versions/<str:version>/infer",
        inference.Infer.as_view(),
        name="v2_version_infer",
    ),
]
