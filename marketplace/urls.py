"""Addresses of the marketplace."""

from django.urls import path

from marketplace.api import batches as api_batches
from marketplace.api import collections as api_collections
from marketplace.api import deployments as api_deployments
from marketplace.api import discussions as api_discussions
from marketplace.api import inference
from marketplace.api import leaderboards as api_leaderboards
from marketplace.api import metrics as api_metrics
from marketplace.api import offers as api_offers
from marketplace.api import peer_reviews as api_peer_reviews
from marketplace.api import predictions as api_predictions
from marketplace.api import purchases as api_purchases
from marketplace.api import reviews as api_reviews
from marketplace.api import routes as api_routes
from marketplace.api import saved_searches as api_saved_searches
from marketplace.api import templates as api_templates
from marketplace.api import version_states as api_version_states
from marketplace.api import versions as api_versions
from marketplace.views import (
    batches,
    catalogue,
    collections,
    comparing,
    dashboards,
    deploying,
    deployments,
    discussions,
    downloads,
    drafts,
    offers,
    peer_reviews,
    publishing,
    reviews,
    routes,
    saved_searches,
    templates,
    trials,
    versions,
)

app_name = "marketplace"
urlpatterns = [
    # /templates/
    path("templates/", catalogue.catalogue, name="catalogue"),
    path("templates/mine/", templates.mine, name="mine"),
    path("templates/new/", publishing.new_template, name="new_template"),
    path("templates/<slug:slug>/", offers.template, name="template"),
    path("templates/<slug:slug>/versions/<int:number>/", offers.template, name="version"),
    path(
        "templates/<slug:slug>/versions/<int:number>/files/<slug:kind>/",
        downloads.take_file,
        name="take_file",
    ),
    path(
        "templates/<slug:slug>/versions/<int:number>/files/<slug:kind>/make/",
        downloads.make_file,
        name="make_file",
    ),
    path("templates/<slug:slug>/try/", trials.try_template, name="try"),
    path("templates/<slug:slug>/try/model.wasm", trials.model_here, name="model_here"),
    path("templates/<slug:slug>/try/prepare/", trials.prepare_here, name="prepare_here"),
    path("templates/<slug:slug>/tries/", trials.allow_tries, name="allow_tries"),
    path("downloads/<str:token>/", downloads.download, name="download"),
    path("templates/<slug:slug>/buy/", templates.buy_template, name="buy"),
    path("templates/<slug:slug>/deploy/", templates.deploy_template, name="deploy"),
    path("templates/<slug:slug>/reviews/", reviews.reviews, name="reviews"),
    path("templates/<slug:slug>/reviews/write/", reviews.review_template, name="review"),
    path("templates/<slug:slug>/reviews/<uuid:review_id>/vote/", reviews.vote, name="vote"),
    path("templates/<slug:slug>/reviews/<uuid:review_id>/reply/", reviews.reply, name="reply"),
    path("templates/<slug:slug>/discussion/", discussions.discussion, name="discussion"),
    path("templates/<slug:slug>/discussion/new/", discussions.new_thread, name="new_thread"),
    path("templates/<slug:slug>/discussion/<uuid:thread_id>/", discussions.thread, name="thread"),
    path(
        "templates/<slug:slug>/discussion/<uuid:thread_id>/lead/",
        discussions.lead_thread,
        name="lead_thread",
    ),
    path(
        "templates/<slug:slug>/discussion/<uuid:thread_id>/<uuid:post_id>/edit/",
        discussions.edit_post,
        name="edit_post",
    ),
    path(
        "templates/<slug:slug>/discussion/<uuid:thread_id>/<uuid:post_id>/accept/",
        discussions.accept_answer,
        name="accept_answer",
    ),
    path("templates/<slug:slug>/collect/", collections.collect, name="collect"),
    # /collections/
    path("collections/", collections.collections, name="collections"),
    path("collections/new/", collections.new_collection, name="new_collection"),
    path("collections/<uuid:collection_id>/", collections.collection, name="collection"),
    path(
        "collections/<uuid:collection_id>/edit/",
        collections.edit_collection,
        name="edit_collection",
    ),
    path(
        "collections/<uuid:collection_id>/delete/",
        collections.delete_collection,
        name="delete_collection",
    ),
    path(
        "collections/<uuid:collection_id>/items/<int:item_id>/",
        collections.change_item,
        name="change_item",
    ),
    # /saved-searches/
    path("saved-searches/", saved_searches.saved_searches, name="saved_searches"),
    path("saved-searches/new/", saved_searches.new_search, name="new_search"),
    path("saved-searches/<uuid:saved_id>/", saved_searches.saved_search, name="saved_search"),
    path("saved-searches/<uuid:saved_id>/edit/", saved_searches.edit_search, name="edit_search"),
    path("saved-searches/<uuid:saved_id>/alerts/", saved_searches.set_alerts, name="set_alerts"),
    path(
        "saved-searches/<uuid:saved_id>/delete/",
        saved_searches.delete_search,
        name="delete_search",
    ),
    # templates beside each other
    path("compare/", comparing.compare, name="compare"),
    path("leaderboards/", comparing.leaderboards, name="leaderboards"),
    path("leaderboards/<slug:slug>/", comparing.leaderboard, name="leaderboard"),
    path("authors/<str:username>/", comparing.author, name="author"),
    # publishing
    path("templates/<slug:slug>/draft/", drafts.draft, name="draft"),
    path("templates/<slug:slug>/draft/discard/", publishing.discard_draft, name="discard_draft"),
    path("templates/<slug:slug>/draft/<slug:step>/", drafts.step, name="draft_step"),
    path("templates/<slug:slug>/versions/", versions.versions, name="versions"),
    path("templates/<slug:slug>/versions/new/", publishing.new_version, name="new_version"),
    path(
        "templates/<slug:slug>/versions/<int:number>/review/",
        peer_reviews.peer_review,
        name="peer_review",
    ),
    path(
        "templates/<slug:slug>/versions/<int:number>/review/try/",
        peer_reviews.peer_try,
        name="peer_try",
    ),
    path(
        "templates/<slug:slug>/versions/<int:number>/reproductions/",
        peer_reviews.reproductions,
        name="reproductions",
    ),
    path(
        "templates/<slug:slug>/versions/<int:number>/reproductions/new/",
        peer_reviews.reproduce,
        name="reproduce",
    ),
    path("reviews/", peer_reviews.peer_reviews, name="peer_reviews"),
    path(
        "templates/<slug:slug>/versions/<int:number>/<slug:act>/",
        versions.change_version,
        name="change_version",
    ),
    path("templates/<slug:slug>/withdraw/", versions.withdraw_template, name="withdraw_template"),
    path("models/<uuid:model_id>/publish/", publishing.publish, name="publish"),
    # /deployments/
    path("deployments/", deployments.deployments, name="deployments"),
    path("deployments/new/", deploying.deploy_several, name="deploy_several"),
    path("deployments/<uuid:deployment_id>/", deployments.deployment, name="deployment"),
    path(
        "deployments/<uuid:deployment_id>/stop/",
        deployments.stop_deployment,
        name="stop_deployment",
    ),
    path(
        "deployments/<uuid:deployment_id>/start/",
        deployments.start_deployment,
        name="start_deployment",
    ),
    path("deployments/<uuid:deployment_id>/settings/", deployments.settings, name="settings"),
    path("deployments/<uuid:deployment_id>/dashboard/", dashboards.dashboard, name="dashboard"),
    path("deployments/<uuid:deployment_id>/calls/", dashboards.calls, name="calls"),
    path(
        "deployments/<uuid:deployment_id>/calls/inputs/",
        dashboards.log_inputs,
        name="log_inputs",
    ),
    path("deployments/<uuid:deployment_id>/versions/", routes.routes, name="routes"),
    path(
        "deployments/<uuid:deployment_id>/versions/canary/",
        routes.start_canary,
        name="start_canary",
    ),
    path(
        "deployments/<uuid:deployment_id>/versions/promote/",
        routes.promote_canary,
        name="promote_canary",
    ),
    path(
        "deployments/<uuid:deployment_id>/versions/abort/",
        routes.abort_canary,
        name="abort_canary",
    ),
    path("deployments/<uuid:deployment_id>/versions/rollback/", routes.roll_back, name="roll_back"),
    # /batches/
    path("batches/", batches.batches, name="batches"),
    path("batches/new/", batches.new_batch, name="new_batch"),
    path("batches/results/<str:token>/", batches.batch_result, name="batch_result"),
    path("batches/<uuid:batch_id>/", batches.batch, name="batch"),
    path("batches/<uuid:batch_id>/stream/", batches.batch_stream, name="batch_stream"),
    path("batches/<uuid:batch_id>/accept/", batches.accept_batch, name="accept_batch"),
    path("batches/<uuid:batch_id>/cancel/", batches.cancel_batch, name="cancel_batch"),
    path("batches/<uuid:batch_id>/delete/", batches.delete_batch, name="delete_batch"),
    path("batches/<uuid:batch_id>/take/", batches.take_result, name="take_result"),
    # /api/v1/
    path("api/v1/templates", api_templates.Templates.as_view(), name="api_templates"),
    path(
        "api/v1/templates/<uuid:template_id>",
        api_offers.OneTemplate.as_view(),
        name="api_template",
    ),
    path("api/v1/templates/<uuid:template_id>/files", api_offers.Files.as_view(), name="api_files"),
    path(
        "api/v1/templates/<uuid:template_id>/files/<slug:kind>/link",
        api_offers.FileLink.as_view(),
        name="api_file_link",
    ),
    path("api/v1/templates/drafts", api_versions.Drafts.as_view(), name="api_drafts"),
    path(
        "api/v1/templates/<uuid:template_id>/versions",
        api_versions.Versions.as_view(),
        name="api_versions",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/versions/<int:number>",
        api_versions.OneVersion.as_view(),
        name="api_version",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/versions/<int:number>/peer-review",
        api_peer_reviews.OnePeerReview.as_view(),
        name="api_peer_review",
    ),
    path("api/v1/peer-reviews", api_peer_reviews.PeerReviews.as_view(), name="api_peer_reviews"),
    path(
        "api/v1/peer-reviews/waiting",
        api_peer_reviews.WaitingVersions.as_view(),
        name="api_waiting_versions",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/versions/<int:number>/submit",
        api_version_states.SubmitVersion.as_view(),
        name="api_submit_version",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/versions/<int:number>/recall",
        api_version_states.RecallVersion.as_view(),
        name="api_recall_version",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/versions/<int:number>/publish",
        api_version_states.PublishVersion.as_view(),
        name="api_publish_version",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/versions/<int:number>/deprecation",
        api_version_states.DeprecateVersion.as_view(),
        name="api_deprecate_version",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/versions/<int:number>/withdrawal",
        api_version_states.WithdrawVersion.as_view(),
        name="api_withdraw_version",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/withdrawal",
        api_version_states.WithdrawTemplate.as_view(),
        name="api_withdraw_template",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/purchases",
        api_purchases.Purchases.as_view(),
        name="api_purchases",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/deployments",
        api_deployments.TemplateDeployments.as_view(),
        name="api_template_deployments",
    ),
    # /api/v1/deployments
    path("api/v1/deployments", api_deployments.Deployments.as_view(), name="api_deployments"),
    path(
        "api/v1/deployments/quote",
        api_deployments.QuoteDeployments.as_view(),
        name="api_quote_deployments",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>",
        api_deployments.OneDeployment.as_view(),
        name="api_deployment",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/stop",
        api_deployments.StopDeployment.as_view(),
        name="api_stop_deployment",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/start",
        api_deployments.StartDeployment.as_view(),
        name="api_start_deployment",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/routes",
        api_routes.Routes.as_view(),
        name="api_routes",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/canary",
        api_routes.Canary.as_view(),
        name="api_canary",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/canary/promote",
        api_routes.PromoteCanary.as_view(),
        name="api_promote_canary",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/rollback",
        api_routes.RollBack.as_view(),
        name="api_roll_back",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/predict",
        api_predictions.PredictDeployed.as_view(),
        name="api_predict_deployed",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/metrics",
        api_metrics.Metrics.as_view(),
        name="api_metrics",
    ),
    path(
        "api/v1/deployments/<uuid:deployment_id>/calls",
        api_metrics.Calls.as_view(),
        name="api_calls",
    ),
    # /api/v1/batches
    path("api/v1/batches", api_batches.Batches.as_view(), name="api_batches"),
    path("api/v1/batches/<uuid:batch_id>", api_batches.OneBatch.as_view(), name="api_batch"),
    path(
        "api/v1/batches/<uuid:batch_id>/accept",
        api_batches.AcceptBatch.as_view(),
        name="api_accept_batch",
    ),
    path(
        "api/v1/batches/<uuid:batch_id>/cancel",
        api_batches.CancelBatch.as_view(),
        name="api_cancel_batch",
    ),
    path(
        "api/v1/batches/<uuid:batch_id>/link",
        api_batches.LinkBatch.as_view(),
        name="api_link_batch",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/ratings",
        api_reviews.Ratings.as_view(),
        name="api_ratings",
    ),
    path(
        "api/v1/templates/<uuid:template_id>/threads",
        api_discussions.Threads.as_view(),
        name="api_threads",
    ),
    path(
        "api/v1/threads/<uuid:thread_id>/posts", api_discussions.Posts.as_view(), name="api_posts"
    ),
    path("api/v1/collections", api_collections.Collections.as_view(), name="api_collections"),
    path(
        "api/v1/collections/<uuid:collection_id>",
        api_collections.OneCollection.as_view(),
        name="api_collection",
    ),
    path(
        "api/v1/collections/<uuid:collection_id>/items",
        api_collections.Items.as_view(),
        name="api_collection_items",
    ),
    path(
        "api/v1/saved-searches",
        api_saved_searches.SavedSearches.as_view(),
        name="api_saved_searches",
    ),
    path(
        "api/v1/saved-searches/<uuid:saved_id>",
        api_saved_searches.OneSavedSearch.as_view(),
        name="api_saved_search",
    ),
    path(
        "api/v1/leaderboards/<slug:slug>",
        api_leaderboards.OneLeaderboard.as_view(),
        name="api_leaderboard",
    ),
    path(
        "api/v1/models/<uuid:model_id>/predict",
        api_predictions.Predict.as_view(),
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
