"""Alice's own pictures: from a zip to a network that was shown each of them a little otherwise."""

import io
import json
import re
import zipfile

import numpy as np
import pytest
from django.urls import reverse
from PIL import Image

from tests.training.test_finetuning import read
from tests.training.test_studio import Visitor
from training import services as training
from training.models import Dataset, Job, Model
from training.runner import chunks, validations
from training.runner.pictures import PictureRefused, opened

SIDE = 16


def bars(count: int = 40) -> bytes:
    """A zip of grey pictures with an upright or a lying bar somewhere."""
    rng, made = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(count):
            pixels = rng.integers(0, 60, (SIDE, SIDE)).astype(np.uint8)
            at = int(rng.integers(3, SIDE - 3))
            pixels[(slice(None), at) if number % 2 else (at, slice(None))] = 250
            picture = io.BytesIO()
            Image.fromarray(pixels).save(picture, "PNG")
            archive.writestr(f"{('lying', 'upright')[number % 2]}/{number}.png", picture.getvalue())
    return made.getvalue()


@pytest.fixture
def pictures(alice, in_this_process) -> Dataset:
    file = io.BytesIO(bars())
    return read(training.upload_dataset(owner=alice, file=file, file_name="bars.zip", name="Bars"))


@pytest.fixture
def studio(client, alice, pictures) -> Visitor:
    client.force_login(alice)
    return Visitor(client, dataset=pictures.slug, start="small")


def test_alice_chooses_how_her_pictures_are_changed_and_every_page_says_it(
    client, alice, pictures, studio
):
    assert studio.config["training"]["augmentation"] == {"shift": 2}
    flipped = {"training.augmentation.flip": "true", "training.augmentation.contrast": "0.2"}
    studio.press("start", **flipped | {"training.epochs": "2"})
    job = Job.objects.get()
    assert job.config["training"]["augmentation"] == {"shift": 2, "flip": True, "contrast": 0.2}
    chunks.run_turn()
    model = Model.objects.get(job=job)
    validations.validate_model(str(model.validations.get().pk))
    said = (
        "moved by up to 2 pixels to each side, mirrored left to right every second time, "
        "contrast changed by up to 20%"
    )
    for address in (job.get_absolute_url(), model.get_absolute_url()):
        assert (
            f"Training pictures anew in every epoch: {said}" in client.get(address).content.decode()
        )
    assert said in training.write_card(model=model)
    assert model.validations.get().receipt["augmentation"] == job.config["training"]["augmentation"]
    page = client.get(pictures.get_absolute_url()).content.decode()
    assert "None is stored: each job says in its settings" in page


def test_what_cannot_be_done_stands_beside_its_input(studio):
    studio.press("check", **{"training.augmentation.shift": "16"})
    reason = "16 would move pictures of (16, 16) out of sight; at most 15"
    assert f'id="training-augmentation-shift-error">{reason}' in studio.page
    studio.press("check", **{"training.augmentation.shift": "", "training.augmentation.flip": ""})
    assert "augmentation" not in studio.config["training"]
    assert studio.answer.context["preview"].problems == ()


def test_a_table_is_offered_no_augmentation_and_says_what_is_wrong_with_one(client, alice, digits):
    client.force_login(alice)
    studio = Visitor(client, dataset="digits")
    assert "training.augmentation" not in studio.page
    config = studio.config
    config["training"]["augmentation"] = {"shift": 1}
    studio.press("apply", config=json.dumps(config))
    assert "is of pictures, and these rows are (64,); leave it out" in studio.page
    studio.press("check", **{"training.augmentation.shift": ""})
    assert studio.answer.context["preview"].problems == ()


def test_over_the_api_it_is_refused_by_its_path(client, alice, pictures):
    config = training.starting_points(dataset=pictures)[0].config
    config["training"]["augmentation"] = {"shift": 2, "crop": 3}
    client.force_login(alice)
    answer = client.post(
        reverse("training:api_jobs"),
        {"dataset": pictures.slug, "config": config, "tier": "nano"},
        content_type="application/json",
    )
    assert answer.status_code == 422
    assert answer.json()["invalid_parameters"][0]["field"] == "training.augmentation.crop"


@pytest.mark.parametrize("content", [b"", b"hello"])
def test_what_mallory_sends_as_a_picture_is_refused_whatever_size_the_model_sees(content):
    """A process reads each, which takes half a second: why it refuses may be as long as pixels."""
    with pytest.raises(PictureRefused, match="is no picture that is read here") as refused:
        opened([content], (8, 8, 1))
    told = len(json.dumps({"refused": str(refused.value), "at": 0}))
    with pytest.raises(PictureRefused, match=re.escape(str(refused.value))):
        opened([content], (1, told, 1))
    good = io.BytesIO()
    Image.new("L", (8, 8), 7).save(good, "PNG")
    with pytest.raises(PictureRefused) as refused:
        opened([good.getvalue(), content], (8, 8, 1))
    assert refused.value.at == 1
