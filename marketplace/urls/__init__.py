"""Addresses of the marketplace."""

from marketplace.urls import inference, pages, programs

app_name = "marketplace"
urlpatterns = [*inference.urlpatterns, *pages.urlpatterns, *programs.urlpatterns]
