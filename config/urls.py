"""One include per app, the documentation, and what the site serves to machines: health, metrics,
the API's schema.
"""

from django.contrib import admin
from django.urls import include, path
from django.views.decorators.cache import cache_page
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from config import docs, health, problems, sdk
from marketplace.views.home import home

# Half a second of work for anybody who asks, and the same until the next release.
schema = cache_page(300)(SpectacularAPIView.as_view(permission_classes=[]))

urlpatterns = [
    path("", home, name="home"),
    path("", include("marketplace.urls")),
    path("", include("clusters.urls")),
    path("", include("training.urls")),
    path("", include("billing.urls")),
    path("", include("governance.urls")),
    path("account/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    # /docs/
    path("docs/", docs.index, name="guides"),
    path("docs/<slug:slug>/", docs.page, name="guide"),
    path("sdk/neural-sdk.tgz", sdk.package, name="sdk"),
    # /api/
    path("api/schema/", schema, name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(permission_classes=[]), name="docs"),
    path("problems/<slug:code>/", problems.problem_page, name="problem"),
    # for those who run it
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("v2/health/live", health.healthz, name="v2_health_live"),
    path("v2/health/ready", health.readyz, name="v2_health_ready"),
]

handler400 = "config.errors.bad_request"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
