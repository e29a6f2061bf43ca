"""A model in the formats of others, made by a worker when somebody who may have it asks."""

import uuid

from django.db import models

from governance.models import User
from training.models.networks import Model
from training.models.work import Work


class Export(Work):
    """One file made of a model, kept under the SHA-256 of its bytes. `scan` is what was found in
    it when it was made.
    """

    class Kind(models.TextChoices):
        ONNX = "onnx", "ONNX"
        WASM = "wasm", "WebAssembly"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="exports")
    asker = models.ForeignKey(  # whose place it takes, where that is not the model's owner
        User, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )
    kind = models.CharField(max_length=8, choices=Kind)
    sha256 = models.CharField(max_length=64, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    scan = models.JSONField(default=dict)

    class Meta:
        ordering = ["kind"]
        constraints = [
            models.UniqueConstraint(fields=["model", "kind"], name="one_export_per_kind"),
            models.CheckConstraint(
                condition=~models.Q(status=Work.Status.DONE)
                | (~models.Q(sha256="") & models.Q(size_bytes__gt=0)),
                name="export_is_done_only_with_a_file",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.model}"
