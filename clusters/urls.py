"""Addresses of clusters."""

from django.urls import path

from clusters import views
from clusters.api import clusters as cluster_api
from clusters.api import nodes, predictions, sessions

app_name = "clusters"
urlpatterns = [
    # /clusters/
    path("clusters/", views.clusters, name="clusters"),
    path("clusters/new/", views.new_cluster, name="new_cluster"),
    path("clusters/<uuid:cluster_id>/", views.cluster, name="cluster"),
    path("clusters/<uuid:cluster_id>/nodes/", views.deploy_node, name="deploy_node"),
    path("clusters/<uuid:cluster_id>/connect/", views.connect_nodes, name="connect_nodes"),
    path("clusters/<uuid:cluster_id>/train/", views.train_job, name="train_job"),
    path("clusters/<uuid:cluster_id>/terminate/", views.terminate, name="terminate"),
    # /api/v1/
    path("api/v1/clusters", cluster_api.Clusters.as_view(), name="api_clusters"),
    path("api/v1/clusters/<uuid:cluster_id>", cluster_api.OneCluster.as_view(), name="api_cluster"),
    path("api/v1/clusters/<uuid:cluster_id>/nodes", nodes.Nodes.as_view(), name="api_nodes"),
    path(
        "api/v1/clusters/<uuid:cluster_id>/connections",
        nodes.Connections.as_view(),
        name="api_connections",
    ),
    path(
        "api/v1/clusters/<uuid:cluster_id>/training",
        sessions.Training.as_view(),
        name="api_training",
    ),
    path(
        "api/v1/clusters/<uuid:cluster_id>/predict",
        predictions.Predict.as_view(),
        name="api_predict",
    ),
]
