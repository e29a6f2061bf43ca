"""Addresses of clusters."""

from django.urls import path

from clusters import api, views

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
    path("api/v1/clusters", api.Clusters.as_view(), name="api_clusters"),
    path("api/v1/clusters/<uuid:cluster_id>", api.OneCluster.as_view(), name="api_cluster"),
    path("api/v1/clusters/<uuid:cluster_id>/nodes", api.Nodes.as_view(), name="api_nodes"),
    path(
        "api/v1/clusters/<uuid:cluster_id>/connections",
        api.Connections.as_view(),
        name="api_connections",
    ),
    path("api/v1/clusters/<uuid:cluster_id>/training", api.Training.as_view(), name="api_training"),
    path("api/v1/clusters/<uuid:cluster_id>/predict", api.Predict.as_view(), name="api_predict"),
]
