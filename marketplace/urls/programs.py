"""Addresses for programs: the JSON door, and the protocol that inference servers share."""

from django.urls import path

from marketplace.api import (
    batches,
    collections,
    deployments,
    discussions,
    inference,
    leaderboards,
    metrics,
    offers,
    peer_reviews,
    predictions,
    purchases,
    reviews,
    routes,
    saved_searches,
    templates,
    version_states,
    versions,
)

urlpatterns = [
    # /api/v1/
    path("api/v1/templates", templates.Templates.as_view(), name="api_templates"),
    path(
        "api/v1/templates/<uuid:template_id>",
        offers.OneTemplate.as_view(),
        name="api_template",
    ),
    path("api/v1/templates/<uuid:template_id>/files", offers.Files.as_view(), name="api_files"),
    path(
        "api/v1/templates/<uuid:template_id>/files/<slug:kind>/link",
        offers.FileLink.as_view(),
        name="api_file_link",
    ),
    path("api/v1/templates/drafts", versions.Drafts.as_view(), name="api_drafts"),
    path(
        "api/v1/templates/<uuid:template_id>/versions",
        versions.Versions.as_view(),
        name="api_versions",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/versions/<int:number>",
        versions.OneVersion.as_view(),
        name="api_version",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/versions/<int:number>/peer-review",
        peer_reviews.OnePeerReview.as_view(),
        name="api_peer_review",
    ),
    path("api/v1/peer-reviews", peer_reviews.PeerReviews.as_view(), name="api_peer_reviews"),
    path(
        "api/v1/peer-reviews/waiting",
        peer_reviews.WaitingVersions.as_view(),
        name="api_waiting_versions",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/versions/<int:number>/submit",
        version_states.SubmitVersion.as_view(),
        name="api_submit_version",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/versions/<int:number>/recall",
        version_states.RecallVersion.as_view(),
        name="api_recall_version",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/versions/<int:number>/publish",
        version_states.PublishVersion.as_view(),
        name="api_publish_version",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/versions/<int:number>/deprecation",
        version_states.DeprecateVersion.as_view(),
        name="api_deprecate_version",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/versions/<int:number>/withdrawal",
        version_states.WithdrawVersion.as_view(),
        name="api_withdraw_version",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/withdrawal",
        version_states.WithdrawTemplate.as_view(),
        name="api_withdraw_template",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/purchases",
        purchases.Purchases.as_view(),
        name="api_purchases",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/deployments",
        deployments.TemplateDeployments.as_view(),
        name="api_template_deployments",
    ),
    # /api/v1/deployments
    path("api/v1/deployments", deployments.Deployments.as_view(), name="api_deployments"),
    path(
        "api/v1/deployments/quote",
        deployments.QuoteDeployments.as_view(),
        name="api_quote_deployments",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>",
        deployments.OneDeployment.as_view(),
        name="api_deployment",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/stop",
        deployments.StopDeployment.as_view(),
        name="api_stop_deployment",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/start",
        deployments.StartDeployment.as_view(),
        name="api_start_deployment",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/routes",
        routes.Routes.as_view(),
        name="api_routes",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/canary",
        routes.Canary.as_view(),
        name="api_canary",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/canary/promote",
        routes.PromoteCanary.as_view(),
        name="api_promote_canary",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/rollback",
        routes.RollBack.as_view(),
        name="api_roll_back",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/predict",
        predictions.PredictDeployed.as_view(),
        name="api_predict_deployed",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/metrics",
        metrics.Metrics.as_view(),
        name="api_metrics",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/calls",
        metrics.Calls.as_view(),
        name="api_calls",
    ),
    # /api/v1/batches
    path("api/v1/batches", batches.Batches.as_view(), name="api_batches"),
    path("api/v1/batches/<uuid:batch_id>", batches.OneBatch.as_view(), name="api_batch"),
    path(
        "api/v1/batches/<uuid:batch_id>/accept",
        batches.AcceptBatch.as_view(),
        name="api_accept_batch",
    ),
    path(
        "api/v1/batches/<uuid:batch_id>/cancel",
        batches.CancelBatch.as_view(),
        name="api_cancel_batch",
    ),
    path(
        "api/v1/batches/<uuid:batch_id>/link",
        batches.LinkBatch.as_view(),
        name="api_link_batch",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/ratings",
        reviews.Ratings.as_view(),
        name="api_ratings",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/threads",
        discussions.Threads.as_view(),
        name="api_threads",
    ),
    path("api/v1/threads/<uuid:thread_id>/posts", discussions.Posts.as_view(), name="api_posts"),
    path("api/v1/collections", collections.Collections.as_view(), name="api_collections"),
    path(
        "api/v1/collections/<uuid:collection_id>",
        collections.OneCollection.as_view(),
        name="api_collection",
    ),
    path(
        "api/v1/collections/<uuid:collection_id>/items",
        collections.Items.as_view(),
        name="api_collection_items",
    ),
    path(
        "api/v1/saved-searches",
        saved_searches.SavedSearches.as_view(),
        name="api_saved_searches",
    ),
    path(
        "api/v1/saved-searches/<uuid:saved_id>",
        saved_searches.OneSavedSearch.as_view(),
        name="api_saved_search",
    ),
    path(
        "api/v1/leaderboards/<slug:slug>",
        leaderboards.OneLeaderboard.as_view(),
        name="api_leaderboard",
    ),
    path(
        "api/v1/models/<uuid:model_id>/predict",
        predictions.Predict.as_view(),
        name="api_predict",
    ),
    # /v2/
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
