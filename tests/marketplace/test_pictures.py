"""Pictures of alice's, in colours, from a zip to answers about pictures that nobody had seen."""

import base64
import io

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from marketplace import services as marketplace
from marketplace.models import Deployment, Plan
from tests.conftest import CARD
from tests.training.uploads import archive, bring
from training import services as training
from training.models import Category, Model, Tier
from training.runner import chunks, validations

SIZE = (12, 8)  # width, height
RNG = np.random.default_rng(0)


def coloured(channel: int, kind: str = "PNG", *, size=SIZE, turned: bool = False) -> bytes:
    pixels = RNG.integers(0, 90, (size[1], size[0], 3)).astype(np.uint8)
    pixels[..., channel] += 150
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6 if turned else 1
    Image.fromarray(pixels).save(file, kind, exif=exif)
    return file.getvalue()


@pytest.fixture
def deployment(alice, judy, settings) -> Deployment:
    settings.TRAINING_READER = []
    files = {
        f"{name}/{number}.png": coloured(channel)
        for number in range(30)
        for name, channel in (("blue", 2), ("red", 0))
    }
    pictures = bring(alice, archive(files), "zip")
    config = training.starting_points(dataset=pictures)[0].config
    config["training"] |= {"epochs": 6, "learning_rate": 0.01}
    job = training.submit_job(owner=alice, dataset=pictures, config=config, tier=Tier.NANO)
    chunks.run_turn()
    model = Model.objects.get(job=job)
    validations.validate_model(str(model.validations.get().pk))
    training.document_model(actor=alice, model=model, **CARD)
    template = marketplace.publish_template(
        owner=alice,
        model=model,
        name="Red or blue",
        description="Of which colour a picture is.",
        category=Category.VISION,
        plan=Plan.STANDARD,
        price_microcredits=1,
        call_price_microcredits=1_000,
    )
    marketplace.approve_template(actor=judy, template=template)
    return marketplace.deploy_template(owner=alice, template=template)


def test_alice_asks_about_pictures_as_files_on_the_page_and_over_the_api(client, alice, deployment):
    client.force_login(alice)
    here, api = deployment.get_absolute_url(), f"/api/v1/models/{deployment.model_id}/predict"
    page = client.get(here).content.decode()
    assert "brought to 12 × 8 pixels" in page
    assert page.count('<img class="pixels" src="data:image/png;base64,') == 9  # of the test part
    assert "data-pad=" not in page
    lying = coloured(0, "JPEG", size=(300, 400), turned=True)
    answer = client.post(here, {"picture": SimpleUploadedFile("a.jpg", lying)}).content.decode()
    assert "<b>red</b>" in answer
    broken = SimpleUploadedFile("b.jpg", lying[:900])
    said = client.post(here, {"picture": broken}).content.decode()
    assert "Picture: is damaged" in said

    def asked(rows):
        return client.post(api, {"input_data": rows}, content_type="application/json")

    text = base64.b64encode(coloured(2)).decode()
    several = [f"data:image/png;base64,{text}", {"picture": text}, [[[0.9, 0, 0]] * 12] * 8]
    found = asked(several).json()["predictions"]
    assert [one["label"] for one in found] == ["blue", "blue", "red"]
    assert asked(text).json()["predictions"] == found[:1]
    for rows, fault in (
        ([text, "no picture"], "input_data[1].picture: 'no picture' is no picture in Base64"),
        ("", "input_data[0].picture: '' is no picture in Base64"),
        ([text, "data:image/png;base64,"], "input_data[1].picture: 'data:image/png;base64,' is no"),
        ([text, "aGVsbG8="], "input_data[1].picture: is no picture that is read here (PNG"),
    ):
        refused = asked(rows)
        assert refused.status_code == 422
        assert fault in refused.json()["detail"]
