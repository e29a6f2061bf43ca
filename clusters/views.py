"""The pages of clusters."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from billing import services as billing
from clusters import services
from clusters.forms import ClusterForm, NodeForm, TrainForm
from clusters.models import Cluster, Contribution, Node, Session
from governance.models import User
from governance.views import MemberRequest, led_once, pressed_on
from training import services as training
from training.models import Tier, Work

PAGE_SIZE = 20
ROUNDS_SHOWN = 12


def own_cluster(request: MemberRequest, cluster_id: uuid.UUID) -> Cluster:
    found: Cluster = get_object_or_404(Cluster.objects.of(request.user), pk=cluster_id)
    return found


@login_required
@require_GET
def clusters(request: MemberRequest) -> HttpResponse:
    rows = Cluster.objects.of(request.user).with_workers()
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "clusters/clusters.html", {"page_obj": page})


@login_required
@require_http_methods(["GET", "POST"])
def new_cluster(request: MemberRequest) -> HttpResponse:
    form = ClusterForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return redirect(services.form_cluster(owner=request.user, **form.cleaned_data))
    return render(request, "clusters/new_cluster.html", {"form": form})


@login_required
@vary_on_headers("HX-Request")
@require_GET
def cluster(request: MemberRequest, cluster_id: uuid.UUID) -> HttpResponse:
    """A cluster, live: the fragment asks for itself again as long as it trains."""
    found = own_cluster(request, cluster_id)
    session = found.sessions.select_related("job__dataset", "job__model").first()
    nodes = found.nodes.all()
    context: dict[str, Any] = {
        "cluster": found,
        "nodes": nodes,
        "waiting": [node for node in nodes if node.state == Node.State.DEPLOYED],
        "session": session,
        "roles": services.WORKS["role"],
    }
    if session is not None:
        context |= progress(session)
    template = "clusters/cluster.html#progress" if request.htmx else "clusters/cluster.html"
    return render(request, template, context)


def progress(session: Session) -> dict[str, Any]:
    """The rounds of a session as tables and charts show them."""
    rounds = list(session.rounds.all())
    checks = Contribution.objects.filter(kind=Contribution.Kind.VERIFY, status=Work.Status.DONE)
    newest = session.rounds.order_by("-number").prefetch_related(
        Prefetch("contributions", checks.select_related("subject__node"), to_attr="checks")
    )
    measured = [round for round in rounds if round.validation_accuracy is not None]
    over = [round for round in rounds if round.is_over]
    return {
        "committed": sum(round.state == round.State.COMMITTED for round in rounds),
        "last": measured[-1] if measured else None,
        "newest": newest[:ROUNDS_SHOWN],
        "rounds": rounds,
        "total_bytes": sum(round.total_bytes for round in rounds),
        "accuracy": {
            "validation": [(round.number, round.validation_accuracy) for round in measured]
        },
        "traffic": {
            "to the nodes": [(round.number, round.down_bytes / 1e3) for round in over],
            "back": [(round.number, round.up_bytes / 1e3) for round in over],
        },
        "quote_hint": f"of at most {billing.credits(session.job.quote_microcredits)}",
        "rounds_hint": f"of {session.rounds_total:,}",
    }


@pressed_on("../")
def deploy_node(request: MemberRequest, cluster_id: uuid.UUID) -> HttpResponse:
    found = own_cluster(request, cluster_id)
    form = NodeForm(request.POST)
    if form.is_valid():
        node = services.deploy_node(actor=request.user, cluster=found, **form.cleaned_data)
        messages.success(request, f"{node} is deployed; connect it and it takes part.")
    else:
        messages.error(request, "role: " + " ".join(map(str, form.errors["role"])))
    return redirect(found)


@pressed_on("../")
def connect_nodes(request: MemberRequest, cluster_id: uuid.UUID) -> HttpResponse:
    found = own_cluster(request, cluster_id)
    return redirect(services.connect_nodes(actor=request.user, cluster=found))


@login_required
@require_http_methods(["GET", "POST"])
def train_job(request: MemberRequest, cluster_id: uuid.UUID) -> HttpResponse:
    found = own_cluster(request, cluster_id)
    form = TrainForm(request.POST or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect(led_once(request, lambda: begun(request.user, found, form)))
        except training.TierTooSmall as refusal:
            form.add_error("tier", str(refusal))
        except training.InvalidConfig as refusal:
            form.add_error(None, str(refusal))
    return render(request, "clusters/train.html", {"form": form, "cluster": found})


def begun(actor: User, cluster: Cluster, form: TrainForm) -> str:
    """The cluster's page, where the session that now trains is seen."""
    said = form.cleaned_data
    services.train_job(
        actor=actor,
        cluster=cluster,
        dataset=said["dataset"],
        config=form.config,
        tier=Tier(said["tier"]),
        local_epochs=said["local_epochs"],
        seed=said["seed"],
    )
    return cluster.get_absolute_url()


@pressed_on("../")
def terminate(request: MemberRequest, cluster_id: uuid.UUID) -> HttpResponse:
    found = own_cluster(request, cluster_id)
    services.terminate_cluster(actor=request.user, cluster=found)
    messages.success(request, f"The cluster “{found.name}” is terminated.")
    return redirect("clusters:clusters")
