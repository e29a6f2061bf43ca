"""Datasets: rows that people or packages brought, and how they become the rows of a network."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.urls import reverse

from governance.models import User
from kernels.data import DataShape, Target
from training.models.work import NAME_LENGTH_MAX, Work

FILE_NAME_LENGTH_MAX = 200
DESCRIPTION_LENGTH_MAX = 5_000


class Category(models.TextChoices):
    """What is asked of a network: of its data, its job, itself, and whatever sells it."""

    CLASSIFICATION = "classification", "Classification"
    REGRESSION = "regression", "Regression"
    TIMESERIES = "timeseries", "Time series"
    NLP = "nlp", "Language"
    VISION = "vision", "Vision"
    ANOMALY = "anomaly", "Anomaly"
    GENERATIVE = "generative", "Generative"
    REINFORCEMENT = "reinforcement", "Reinforcement"
    CUSTOM = "custom", "Custom"


class DatasetQuerySet(models.QuerySet["Dataset"]):
    def visible_to(self, user: User | None) -> "DatasetQuerySet":
        """Bundled data for everyone, a person's own for that person."""
        return self.filter(models.Q(owner=None) | models.Q(owner=user))

    def of(self, user: User) -> "DatasetQuerySet":
        return self.filter(owner=user)

    def newest(self) -> "DatasetQuerySet":
        """Of each family the last version."""
        later = Dataset.objects.filter(
            family=models.OuterRef("family"), version__gt=models.OuterRef("version")
        )
        return self.exclude(models.Exists(later))

    def own_first(self) -> "DatasetQuerySet":
        """What people brought, the last first, before what is bundled, by name."""
        brought_at = models.Case(models.When(owner__isnull=False, then="created_at"))
        return self.order_by(brought_at.desc(nulls_last=True), "name", "pk")

    def with_namesakes(self) -> "DatasetQuerySet":
        """Each with how many among these bear its name, for `Dataset.told_apart`."""
        alike = models.Window(models.Count("pk"), partition_by=models.F("name"))
        return self.annotate(namesakes=alike)

    def ready(self) -> "DatasetQuerySet":
        return self.filter(status=Work.Status.DONE)


class Dataset(Work):
    """Rows with targets, stored once under the SHA-256 of their bytes. The row does not change once
    a job refers to it: a corrected schema makes the next version of its family.

    `recipe` says how what people write becomes the numbers of a row (`training.runner.recipes`),
    `shape` what a network is given, `report` what was found in the rows. `asked` is the recipe
    before rows were looked at: what a person stated, or what was guessed of the columns. What it
    leaves open is measured on the rows that train, anew each time the file is read.
    """

    class Format(models.TextChoices):
        BUNDLED = "bundled", "Bundled"
        CSV = "csv", "CSV"
        TSV = "tsv", "TSV"
        PARQUET = "parquet", "Parquet"
        JSONL = "jsonl", "JSON lines"
        NPZ = "npz", "NumPy archive"
        NPY = "npy", "NumPy array"
        ZIP = "zip", "Zip of pictures"
        TEXT = "text", "Plain text"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="datasets")
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=NAME_LENGTH_MAX)
    description = models.TextField(blank=True)
    source = models.CharField(max_length=200, blank=True)
    licence = models.CharField(max_length=120, blank=True)
    category = models.CharField(max_length=16, choices=Category, default=Category.CLASSIFICATION)
    format = models.CharField(max_length=8, choices=Format, default=Format.BUNDLED)
    family = models.UUIDField(db_default=RandomUUID(), editable=False)
    version = models.PositiveIntegerField(default=1)
    upload_sha256 = models.CharField(max_length=64, blank=True)  # the bytes as they were brought
    upload_name = models.CharField(max_length=FILE_NAME_LENGTH_MAX, blank=True)
    upload_bytes = models.BigIntegerField(default=0)
    asked = models.JSONField(default=dict)
    recipe = models.JSONField(default=dict)
    shape = models.JSONField(default=dict)
    split = models.JSONField(default=dict)
    # recipe, asked and split by which rows were there before these were tried in their place
    last_schema = models.JSONField(default=dict)
    report = models.JSONField(default=dict)
    sha256 = models.CharField(max_length=64, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    rows = models.PositiveIntegerField(default=0)
    columns = models.PositiveIntegerField(default=0)
    features = ArrayField(models.CharField(max_length=80), default=list)
    classes = ArrayField(models.CharField(max_length=80), default=list)
    class_balance = ArrayField(models.PositiveIntegerField(), default=list)
    image_shape = ArrayField(models.PositiveSmallIntegerField(), null=True)  # height, width
    split_seed = models.PositiveIntegerField(default=0)  # one split for all, so scores compare
    train_rows = models.PositiveIntegerField(default=0)
    validation_rows = models.PositiveIntegerField(default=0)
    test_rows = models.PositiveIntegerField(default=0)

    objects = DatasetQuerySet.as_manager()

    class Meta:
        ordering = ["name", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["family", "version"], name="one_row_per_version"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("training:dataset", args=[self.slug])

    @property
    def told_apart(self) -> str:
        """Its name; where others bear it, too, also the version, the day and the address' end."""
        if getattr(self, "namesakes", 1) == 1:
            return self.name
        day = self.created_at.strftime("%-d %b %Y, %H:%M")
        return f"{self.name}, version {self.version} of {day}, …{self.slug[-8:]}"

    def is_visible_to(self, user: User | None) -> bool:
        """What `DatasetQuerySet.visible_to` asks of many: a stranger must not read a row of it."""
        return self.owner_id is None or (user is not None and self.owner_id == user.pk)

    @property
    def data_shape(self) -> DataShape:
        """What an example is, and what is asked of it, as networks know it."""
        if not self.shape:  # rows that were prepared when all data were tables
            return DataShape.table(self.columns, len(self.classes))
        return DataShape(
            input=tuple(self.shape["input"]),
            target=Target(self.shape["target"]),
            size=self.shape["size"],
            vocabulary=self.shape.get("vocabulary", 0),
        )
