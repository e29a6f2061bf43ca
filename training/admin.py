"""What operators see of data, jobs and models. Services change them, the admin only shows."""

from django.contrib import admin

from governance.admin import DeskAdmin
from training.models import Dataset, Job, Model, Validation


@admin.register(Dataset)
class DatasetAdmin(DeskAdmin):
    list_display = ["name", "owner", "rows", "columns", "status", "created_at"]
    search_fields = ["name", "sha256"]


@admin.register(Job)
class JobAdmin(DeskAdmin):
    list_display = ["name", "owner", "tier", "status", "attempt", "steps_done", "created_at"]
    list_filter = ["status", "tier"]
    search_fields = ["id", "owner__username", "request_id"]
    list_select_related = ["owner"]


@admin.register(Model)
class ModelAdminPage(DeskAdmin):
    list_display = ["name", "owner", "parameters", "weights_sha256", "created_at"]
    search_fields = ["id", "sha256", "weights_sha256", "owner__username"]
    list_select_related = ["owner"]


@admin.register(Validation)
class ValidationAdmin(DeskAdmin):
    list_display = ["model", "status", "accuracy", "latency_p50_ms", "created_at"]
    list_filter = ["status"]
    list_select_related = ["model"]
