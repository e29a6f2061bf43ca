"""Lets Django find the site's own commands and templates."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "config"
    label = "site"
