"""`manage.py reproduce`: alice, or who keeps the site, makes a model again in a terminal."""

import json
import time
import uuid

import pytest
from django.core.management import CommandError, call_command

from config import worker
from training.models import Job, Reproduction, Work


@pytest.mark.django_db(transaction=True)
def test_a_model_is_made_again_by_a_real_worker(start_worker, model, mallory, capsys):
    """Above a second: a worker starts."""
    start_worker()
    give_up_at = time.monotonic() + worker.START_SECONDS
    while not worker.is_running():
        assert time.monotonic() < give_up_at, "the worker never answered"
    with pytest.raises(CommandError, match="Only the owner"):
        call_command("reproduce", str(model.pk), "--user", "mallory")
    assert Job.objects.count() == 1
    call_command("reproduce", str(model.pk), "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["is_identical"] is True
    assert found["weights_sha256_again"] == found["weights_sha256"] == model.weights_sha256
    assert found["differences"] == []
    assert "weights" in found["compared"]
    assert found["cost_credits"] > 0
    call_command("reproduce", str(model.pk), "--user", "alice")
    assert "Made again: identical" in capsys.readouterr().out
    assert Reproduction.objects.filter(status=Work.Status.DONE).count() == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["no-id"], "is no id"),
        ([str(uuid.uuid4())], "there is no model"),
    ],
)
def test_what_is_no_model_is_said_to_be_none(db, arguments, reason):
    with pytest.raises(CommandError, match=reason):
        call_command("reproduce", *arguments)


def test_who_is_not_here_pays_nothing(trained):
    with pytest.raises(CommandError, match="nobody called 'zoe'"):
        call_command("reproduce", str(trained.pk), "--user", "zoe")
    assert Job.objects.count() == 1
