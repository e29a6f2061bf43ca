"""Templates and their versions, purchases, deployments; reviews, discussions, collections."""

from marketplace.models.batches import (
    Batch,
    BatchChunk,
    BatchQuerySet,
)
from marketplace.models.collections import (
    Collection,
    CollectionItem,
    CollectionQuerySet,
)
from marketplace.models.deployments import (
    BATCH_LIMIT_MAX,
    DEPLOYMENT_NAME_LENGTH_MAX,
    TIMEOUT_MS_MAX,
    Deployment,
    DeploymentQuerySet,
    Route,
    RouteSet,
)
from marketplace.models.discussions import (
    Post,
    PostQuerySet,
    Thread,
    ThreadQuerySet,
)
from marketplace.models.downloads import (
    Download,
)
from marketplace.models.features import (
    Feature,
    FeatureQuerySet,
)
from marketplace.models.listings import (
    Listing,
    Overview,
    Projection,
    Sampled,
    Word,
)
from marketplace.models.peer_reviews import (
    PeerReview,
    PeerReviewQuerySet,
)
from marketplace.models.purchases import (
    Purchase,
    PurchaseQuerySet,
)
from marketplace.models.reviews import (
    Review,
    ReviewQuerySet,
    ReviewRevision,
    Vote,
)
from marketplace.models.searches import (
    SavedMatch,
    SavedSearch,
    SavedSearchQuerySet,
)
from marketplace.models.served import (
    Call,
    Served,
)
from marketplace.models.templates import (
    CHANGELOG_LENGTH_MAX,
    DESCRIPTION_LENGTH_MAX,
    NAME_LENGTH_MAX,
    REASON_LENGTH_MAX,
    SUMMARY_LENGTH_MAX,
    TRIES_MAX,
    Gone,
    Plan,
    Template,
    TemplateQuerySet,
    TemplateVersion,
    TemplateVersionQuerySet,
)

__all__ = [
    "BATCH_LIMIT_MAX",
    "Batch",
    "BatchChunk",
    "BatchQuerySet",
    "CHANGELOG_LENGTH_MAX",
    "Call",
    "Collection",
    "CollectionItem",
    "CollectionQuerySet",
    "DEPLOYMENT_NAME_LENGTH_MAX",
    "DESCRIPTION_LENGTH_MAX",
    "Deployment",
    "DeploymentQuerySet",
    "Download",
    "Feature",
    "FeatureQuerySet",
    "Gone",
    "Listing",
    "NAME_LENGTH_MAX",
    "Overview",
    "PeerReview",
    "PeerReviewQuerySet",
    "Plan",
    "Post",
    "PostQuerySet",
    "Projection",
    "Purchase",
    "PurchaseQuerySet",
    "REASON_LENGTH_MAX",
    "Review",
    "ReviewQuerySet",
    "ReviewRevision",
    "Route",
    "RouteSet",
    "SUMMARY_LENGTH_MAX",
    "Sampled",
    "SavedMatch",
    "SavedSearch",
    "SavedSearchQuerySet",
    "Served",
    "TIMEOUT_MS_MAX",
    "TRIES_MAX",
    "Template",
    "TemplateQuerySet",
    "TemplateVersion",
    "TemplateVersionQuerySet",
    "Thread",
    "ThreadQuerySet",
    "Vote",
    "Word",
]
