"""Clusters, their nodes, and the rounds in which nodes train one model.

A round, in the order in which its contributions come in:

    planned ──▶ dispatched ──▶ collecting ──▶ aggregating ──▶ verifying ──▶ committed
                                                   ▲              │
                                                   └── a lie ─────┘   (excluded; averaged again)
       any of these ──▶ aborted      (the job was cancelled, or cannot be done)

What moves it is a `Contribution`: what one node owes to the round. Contributions are `Work`, so
they are claimed with a lease, and `attempt` is the fence: one worker's result counts, whatever is
killed, delivered twice or late. A round moves on only in the transaction that records a
contribution, under the round's row lock, so no message and no process is needed to remember it.
"""

import uuid
from datetime import timedelta

from django.db import models
from django.db.models import Count, Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from governance.models import User
from training.models import NAME_LENGTH_MAX, Job, Work


class Topology(models.TextChoices):
    """Who exchanges with whom."""

    MESH = "mesh", "Mesh"
    RING = "ring", "Ring"
    STAR = "star", "Star"
    HIERARCHICAL = "hierarchical", "Hierarchical"


class Architecture(models.TextChoices):
    """The kind of network that the nodes train."""

    FEEDFORWARD = "feedforward", "Feedforward"
    TRANSFORMER = "transformer", "Transformer"
    CNN = "cnn", "CNN"
    RNN = "rnn", "RNN"
    GNN = "gnn", "GNN"
    HYBRID = "hybrid", "Hybrid"


class Consensus(models.TextChoices):
    """Why a round's result is believed."""

    PROOF_OF_LEARNING = "proof-of-learning", "Proof of learning"
    BYZANTINE = "byzantine", "Byzantine"
    RAFT = "raft", "Raft"
    GOSSIP = "gossip", "Gossip"


class ClusterQuerySet(models.QuerySet["Cluster"]):
    def of(self, user: User) -> "ClusterQuerySet":
        return self.filter(owner=user)

    def with_workers(self) -> "ClusterQuerySet":
        live = Q(nodes__role="worker", nodes__state__in=["deployed", "connected"])
        return self.annotate(workers=Count("nodes", filter=live)).order_by("-created_at")


class Cluster(models.Model):
    """Nodes that train together."""

    class State(models.TextChoices):
        INITIALIZING = "initializing", "Initializing"
        CONNECTED = "connected", "Connected"
        TRAINING = "training", "Training"
        TERMINATED = "terminated", "Terminated"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="clusters")
    name = models.CharField(max_length=NAME_LENGTH_MAX)
    topology = models.CharField(max_length=12, choices=Topology)
    architecture = models.CharField(max_length=12, choices=Architecture)
    consensus = models.CharField(max_length=20, choices=Consensus)
    daa_enabled = models.BooleanField("autonomous agents", default=False)
    wasm_optimization = models.BooleanField("SIMD kernels", default=True)
    state = models.CharField(max_length=12, choices=State, default=State.INITIALIZING)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    terminated_at = models.DateTimeField(null=True, editable=False)

    objects = ClusterQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("clusters:cluster", args=[self.pk])

    @property
    def is_over(self) -> bool:
        return self.state == self.State.TERMINATED

    @property
    def uptime(self) -> timedelta:
        return (self.terminated_at or timezone.now()) - self.created_at


class NodeQuerySet(models.QuerySet["Node"]):
    def live(self) -> "NodeQuerySet":
        return self.exclude(state=Node.State.TERMINATED)

    def connected(self, role: "Node.Role | None" = None) -> "NodeQuerySet":
        rows = self.filter(state=Node.State.CONNECTED)
        return rows if role is None else rows.filter(role=role)


class Node(models.Model):
    """A seat in a cluster: a sandbox of its own, a shard, a record of how it does.

    Its work is done by whichever worker of the site claims it, so a node outlives any process;
    `heartbeat_at` is when a worker last spoke for it.
    """

    class Role(models.TextChoices):
        WORKER = "worker", "Worker"
        PARAMETER_SERVER = "parameter_server", "Parameter server"
        AGGREGATOR = "aggregator", "Aggregator"
        VALIDATOR = "validator", "Validator"

    class State(models.TextChoices):
        DEPLOYED = "deployed", "Deployed"
        CONNECTED = "connected", "Connected"
        DISTRUSTED = "distrusted", "Distrusted"
        TERMINATED = "terminated", "Terminated"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="nodes")
    number = models.PositiveSmallIntegerField()
    role = models.CharField(max_length=20, choices=Role)
    state = models.CharField(max_length=12, choices=State, default=State.DEPLOYED)
    shard = models.PositiveSmallIntegerField(null=True)  # workers: which part of the rows
    heartbeat_at = models.DateTimeField(null=True)
    # What its last contribution measured.
    steps_per_second = models.FloatField(null=True)
    latency_seconds = models.FloatField(null=True)
    accuracy = models.FloatField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = NodeQuerySet.as_manager()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "number"], name="one_node_per_number"),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()} {self.number}"


class Session(models.Model):
    """One job trained by a cluster, cut into shards and rounds."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="sessions")
    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="session")
    shards = models.PositiveSmallIntegerField()
    local_steps = models.PositiveIntegerField()
    rounds_total = models.PositiveIntegerField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.job} on {self.cluster}"


class Round(models.Model):
    """One exchange: the state all begin at, and the state they agree on. Drawn above."""

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        DISPATCHED = "dispatched", "Dispatched"
        COLLECTING = "collecting", "Collecting"
        AGGREGATING = "aggregating", "Aggregating"
        VERIFYING = "verifying", "Verifying"
        COMMITTED = "committed", "Committed"
        ABORTED = "aborted", "Aborted"

    OVER = (State.COMMITTED, State.ABORTED)

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=12, choices=State, default=State.PLANNED)
    base_sha256 = models.CharField(max_length=64, blank=True)
    beacon = models.CharField(max_length=64, blank=True)  # chose what was re-executed
    result_sha256 = models.CharField(max_length=64, blank=True)
    validation_loss = models.FloatField(null=True)
    validation_accuracy = models.FloatField(null=True)
    down_bytes = models.PositiveBigIntegerField(default=0)  # from the centre to the nodes
    up_bytes = models.PositiveBigIntegerField(default=0)  # and back; both when it is committed
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    files_forgotten_at = models.DateTimeField(null=True, editable=False)  # only hashes are left

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="one_round_per_number"),
            models.CheckConstraint(
                condition=~Q(state="committed")
                | (~Q(base_sha256="") & ~Q(result_sha256="") & ~Q(beacon="")),
                name="round_is_committed_with_its_hashes",
            ),
        ]

    def __str__(self) -> str:
        return f"round {self.number}"

    @property
    def is_over(self) -> bool:
        return self.state in self.OVER

    @property
    def total_bytes(self) -> int:
        return self.down_bytes + self.up_bytes

    @property
    def seconds(self) -> float | None:
        return (self.ended_at - self.created_at).total_seconds() if self.ended_at else None


class Contribution(Work):
    """What one node owes to a round.

    `sha256` names the model file it made. For a validator it is what the re-execution of `subject`
    came to. Bytes are counted at the node's edge to the centre; the centre's own side is the same.
    """

    class Kind(models.TextChoices):
        BEGIN = "begin", "First weights"
        TRAIN = "train", "Local steps"
        AVERAGE = "average", "Average"
        VERIFY = "verify", "Re-execution"

    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="contributions")
    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="contributions")
    kind = models.CharField(max_length=8, choices=Kind)
    # The shard that was trained; for the others how often it was done before in this round.
    part = models.PositiveSmallIntegerField(default=0)
    subject = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="checks")
    sha256 = models.CharField(max_length=64, blank=True)
    is_excluded = models.BooleanField(default=False)  # a validator came to another hash
    loss = models.FloatField(null=True)
    accuracy = models.FloatField(null=True)
    compute_seconds = models.FloatField(default=0)
    received_bytes = models.PositiveBigIntegerField(default=0)
    sent_bytes = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["round", "kind", "part"], name="one_contribution_per_part"
            ),
        ]
        indexes = [
            # The sweep that hints contributions again looks only at the open ones.
            models.Index(
                fields=["created_at"],
                condition=Q(status__in=["queued", "leased", "running"]),
                name="open_contributions",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.node} in {self.round}"
