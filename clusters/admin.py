"""What operators see of clusters. Services and workers change them, the admin only shows."""

from django.contrib import admin

from clusters.models import Cluster, Contribution, Node, Round
from governance.admin import DeskAdmin


@admin.register(Cluster)
class ClusterAdmin(DeskAdmin):
    list_display = ["name", "owner", "topology", "consensus", "state", "created_at"]
    list_filter = ["state"]
    search_fields = ["id", "name", "owner__username"]
    list_select_related = ["owner"]


@admin.register(Node)
class NodeAdmin(DeskAdmin):
    list_display = ["cluster", "number", "role", "state", "shard", "heartbeat_at"]
    list_filter = ["role", "state"]
    search_fields = ["id", "cluster__name"]
    list_select_related = ["cluster"]


@admin.register(Round)
class RoundAdmin(DeskAdmin):
    list_display = ["session", "number", "state", "result_sha256", "created_at", "ended_at"]
    list_filter = ["state"]
    search_fields = ["session__job__id", "base_sha256", "result_sha256"]
    list_select_related = ["session__job", "session__cluster"]


@admin.register(Contribution)
class ContributionAdmin(DeskAdmin):
    list_display = ["round", "node", "kind", "part", "status", "attempt", "is_excluded", "sha256"]
    list_filter = ["kind", "status", "is_excluded"]
    search_fields = ["sha256", "request_id"]
    list_select_related = ["round", "node"]
