"""Addresses of the marketplace."""

from marketplace.urls import pages, programs

app_name = "marketplace"
urlpatterns = [*pages.urlpatterns, *programs.urlpatterns]
