"""Composing a network, as a person does it without scripts; and what scripts get while one types.

The forms that are posted are read from the pages, as a browser does.
"""

import re
from html.parser import HTMLParser

import pytest
from django.test import Client
from django.urls import reverse

from billing import services as billing
from tests.training.uploads import bring
from training import services as training
from training.models import Dataset, Job, Tier, Work
from training.runner import datasets

HERE = reverse("training:new_job")


class FormReader(HTMLParser):
    """What a browser would post of the studio's form, without the button."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.buttons: list[str] = []
        self.select = self.textarea = ""
        self.feed(page[page.index('id="studio-form"') - 20 :].partition("</form>")[0] + "</form>")

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attributes}
        name = found.get("name", "")
        if tag == "button" and "disabled" not in found:
            self.buttons.append(found["value"])
        elif tag == "input" and (found.get("type") != "checkbox" or "checked" in found):
            self.values[name] = found.get("value", "")
        elif tag == "select":
            self.select = name
        elif tag == "option":
            value = found.get("value")
            self.option = "" if value is None else value
            self.is_bare = value is None
            if "selected" in found or self.select not in self.values:
                self.values[self.select] = self.option
                self.takes_text = self.is_bare
        elif tag == "textarea":
            self.textarea = name
            self.values[name] = ""

    def handle_data(self, data: str) -> None:
        if self.textarea:
            self.values[self.textarea] += data
        elif self.select and getattr(self, "takes_text", False):
            self.values[self.select] = data
            self.takes_text = False

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.textarea = ""
        if tag == "select":
            self.select = ""


class Visitor:
    """Somebody at the studio, whose browser has no scripts."""

    def __init__(self, client, **asked: str) -> None:
        self.client = client
        self.show(client.get(HERE, asked))

    def show(self, answer) -> None:
        self.answer = answer
        self.page = answer.content.decode()
        if answer.status_code == 200:
            self.form = FormReader(self.page)

    def press(self, action: str, **typed: str) -> None:
        assert action in self.form.buttons
        self.show(self.client.post(HERE, self.form.values | typed | {"action": action}))

    def type(self, **headers: str) -> str:
        """What scripts send while one types, and what comes back."""
        answer = self.client.post(HERE, self.form.values, headers={"HX-Request": "true"})
        return answer.content.decode()

    @property
    def config(self):
        return self.answer.context["studio"].config

    @property
    def layers(self) -> list[str]:
        return [layer["type"] for layer in self.config["architecture"]["layers"]]


def at(layer: int, key: str) -> str:
    return f"architecture.layers[{layer}].params.{key}"


@pytest.fixture
def studio(client, alice, digits) -> Visitor:
    client.force_login(alice)
    return Visitor(client, dataset="digits")


# ------------------------------------------------------------------------------------- to begin


def test_alice_finds_the_preset_of_her_data_and_what_each_layer_takes(studio):
    assert studio.layers == ["input", "hidden", "dropout", "output"]
    assert studio.form.values[at(1, "size")] == "128"
    said = re.search(r'id="architecture-layers-1-said">(.*?)</div>', studio.page, re.DOTALL)[1]
    assert "8,320 parameters" in said
    assert "% of memory" in said
    assert "credits at most" in studio.page
    assert '<tspan class="word">dropout</tspan>' in studio.page


def test_alice_starts_training_what_she_composed(studio):
    studio.press("start", **{at(1, "size"): "16", "name": "Mine", "training.epochs": "3"})
    job = Job.objects.get()
    assert studio.answer.url == job.get_absolute_url()
    assert (job.name, job.epochs, job.parameters) == ("Mine", 3, 64 * 16 + 16 + 16 * 10 + 10)
    assert job.config["architecture"]["layers"][1]["params"] == {"size": 16, "activation": "relu"}


def test_what_the_page_shows_is_what_it_posts(studio):
    before = studio.form.values
    studio.press("check")
    del before["csrfmiddlewaretoken"], studio.form.values["csrfmiddlewaretoken"]
    assert studio.form.values == before
    assert studio.answer.context["summary"] == []


def test_a_double_click_starts_one_job(client, alice, digits):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    studio = Visitor(browser, dataset="digits")
    studio.press("start")
    first = studio.answer.url
    studio.press("start")
    assert studio.answer.url == first
    studio.press("start", seed="3")  # from the same page, and something else
    assert studio.answer.url != first
    assert {job.seed for job in alice.jobs.all()} == {0, 3}
    Visitor(browser, dataset="digits").press("start")  # shown anew, so it is meant
    assert alice.jobs.count() == 3


@pytest.mark.parametrize("start", ["small", "empty", "digits-vae", "digits-gan"])
def test_alice_starts_from_something_else_and_it_trains(studio, start):
    studio.press("load", start=start)
    assert studio.answer.context["preview"].problems == ()
    studio.press("start")
    assert Job.objects.get().parameters > 0


def test_alice_starts_from_her_earlier_job(studio, client, job, mallory):
    again = Visitor(client, **{"from": str(job.pk)})
    assert again.form.values[at(1, "size")] == "32"
    assert again.form.values["seed"] == "1"
    studio.press("load", start=f"job-{job.pk}")
    assert studio.form.values[at(1, "size")] == "32"
    client.force_login(mallory)
    assert client.get(HERE, {"from": str(job.pk)}).status_code == 404
    assert client.get(HERE, {"from": "nonsense"}).status_code == 404


def test_alice_trains_her_model_further_and_mallory_cannot(client, alice, model, mallory):
    client.force_login(alice)
    further = Visitor(client, parent=str(model.pk))
    assert f'Begins from the weights of <a href="{model.get_absolute_url()}">' in further.page
    further.press("up.layers.1")
    further.press("down.layers.0")
    further.press("start")
    assert Job.objects.exclude(pk=model.job_id).get().parent == model
    client.force_login(mallory)
    assert client.get(HERE, {"parent": str(model.pk)}).status_code == 404


@pytest.mark.parametrize("slug", ["iris", "diabetes", "co2", "digit-pictures", "cartpole"])
@pytest.mark.parametrize("start", ["", "small", "empty", "autoencoder", "vae", "gan"])
def test_every_start_on_every_kind_of_data_can_be_priced(client, alice, slug, start):
    made = training.add_bundled_dataset(slug=slug)
    datasets.prepare_dataset(str(made.pk))
    client.force_login(alice)
    studio = Visitor(client, dataset=slug, start=start)
    assert studio.answer.context["dataset"] == made
    assert studio.answer.context["preview"].problems == ()
    assert studio.answer.context["preview"].quote is not None


def test_one_class_alone_is_nothing_to_tell_apart(client, alice, in_this_process):
    content = "".join(["a,kind\n", *(f"{row}.5,rose\n" for row in range(40))]).encode()
    roses = bring(alice, content, "csv", name="Roses")
    client.force_login(alice)
    studio = Visitor(client, dataset=roses.slug)
    [problem] = studio.answer.context["preview"].problems
    assert problem.path == "dataset"
    assert "every row of “Roses” is “rose”" in problem.reason
    studio.press("start")
    assert not alice.jobs.exists()


def test_without_data_the_studio_says_what_it_waits_for(client, alice):
    client.force_login(alice)
    assert "No data yet" in client.get(HERE).content.decode()


# ------------------------------------------------------------------------------- the list of layers


def test_alice_adds_a_layer_before_the_end_and_goes_on_in_it(studio):
    studio.press("add.layers", **{"kind.layers": "dense"})
    assert studio.layers == ["input", "hidden", "dropout", "dense", "output"]
    field = re.search(rf'<input name="{re.escape(at(3, "units"))}"[^>]*>', studio.page)[0]
    assert "autofocus" in field


def test_alice_moves_a_layer_and_the_focus_goes_with_it(studio):
    studio.press("up.layers.2")
    assert studio.layers == ["input", "dropout", "hidden", "output"]
    assert studio.form.values[at(1, "rate")] == "0.2"
    button = re.search(r'<button[^>]*value="up.layers.1"[^>]*>', studio.page)[0]
    assert "autofocus" in button
    studio.press("down.layers.1")
    assert studio.layers == ["input", "hidden", "dropout", "output"]
    assert "up.layers.0" not in studio.form.buttons
    assert "down.layers.3" not in studio.form.buttons


def test_alice_duplicates_and_removes_layers(studio):
    studio.press("copy.layers.1", **{at(1, "size"): "99"})
    assert studio.layers == ["input", "hidden", "hidden", "dropout", "output"]
    assert studio.form.values[at(2, "size")] == "99"
    studio.press("remove.layers.3")
    studio.press("remove.layers.0")
    assert studio.layers == ["hidden", "hidden", "output"]
    for _ in range(3):
        studio.press("remove.layers.0")
    assert studio.layers == []
    assert "must be a list of 1 to 64 layers" in studio.page


def test_a_gan_has_a_second_list_for_its_discriminator(studio):
    studio.press("check", **{"architecture.type": "gan"})
    studio.press("remove.layers.0")
    studio.press("add.discriminator", **{"kind.discriminator": "dense"})
    architecture = studio.config["architecture"]
    assert architecture["discriminator"] == [
        {"type": "dense", "params": {"units": 64, "activation": "relu"}}
    ]
    assert "Generator" in studio.page
    assert "architecture.latent" in studio.form.values
    studio.press("check", **{"architecture.type": "feedforward"})
    assert "discriminator" not in studio.config["architecture"]


# ------------------------------------------------------------------------------ what is wrong where


def test_a_wrong_number_is_said_beside_its_field_and_everything_typed_stays(studio):
    studio.press("start", **{at(1, "size"): "many", "name": "Mine", "training.momentum": "2"})
    assert studio.answer.status_code == 200
    assert not Job.objects.exists()
    said = (
        'id="architecture-layers-1-params-size-error">must be a whole number, not &#x27;many&#x27;<'
    )
    assert said in studio.page
    assert studio.form.values[at(1, "size")] == "many"
    assert studio.form.values["training.momentum"] == "2"
    assert studio.form.values["name"] == "Mine"
    summary = studio.page.partition('id="error-summary"')[2].partition("</div>")[0]
    assert "autofocus" in summary
    assert 'href="#architecture-layers-1-params-size">2. hidden, Size</a>' in summary
    assert 'href="#training-momentum"' in summary


def test_a_layer_that_does_not_fit_is_said_at_the_layer_and_those_before_keep_their_shapes(studio):
    studio.press("add.layers", **{"kind.layers": "attention"})
    said = re.findall(r'id="architecture-layers-(\d)-said">(.*?)</div>', studio.page, re.DOTALL)
    assert "takes sequences" in dict(said)["3"]
    assert "128" in dict(said)["1"]
    assert "–" in dict(said)["4"]


def test_a_tier_that_is_too_small_is_said_at_the_tier_with_the_one_that_fits(studio):
    studio.press("start", **{at(1, "size"): "2000"})
    assert not Job.objects.exists()
    assert "choose mini" in studio.page.partition('id="tier-error"')[2].partition("</div>")[0]
    studio.press("start", tier="mini")
    assert Job.objects.get().tier == Tier.MINI


def test_what_was_typed_is_kept_when_the_wallet_is_too_empty(studio, alice):
    billing.hold(owner=alice, amount_microcredits=99_500_000, key="rent", reason="Rent")
    studio.press("start", name="My long name")
    assert not Job.objects.exists()
    assert studio.form.values["name"] == "My long name"
    assert "credits" in studio.answer.context["summary"][0][2]


def test_a_seed_that_is_too_large_is_shown_at_the_seed(studio):
    studio.press("start", seed=str(2**63))
    assert [place for place, _, _ in studio.answer.context["summary"]] == ["id_seed"]
    assert studio.form.values["seed"] == str(2**63)
    [said] = studio.answer.context["form"].errors["seed"]
    assert said.startswith(f"{2**63} is too large: it must be ")


def test_data_of_one_name_are_told_apart(client, alice, digits):
    for version in (1, 2):
        Dataset.objects.create(
            owner=alice,
            slug=f"plants-{version}",
            name="Plants",
            version=version,
            status=Work.Status.DONE,
        )
    client.force_login(alice)
    page = client.get(HERE).content.decode()
    assert "Plants, version 1 of" in page
    assert "Plants, version 2 of" in page
    assert f">{digits.name} ({digits.rows:,} rows)<" in page


# ---------------------------------------------------------------------------------- while one types


def test_while_alice_types_only_what_was_worked_out_comes_back(studio):
    studio.form.values[at(1, "size")] = "64"
    answer = studio.type()
    assert 'id="quote"' in answer
    assert '<div class="layer-said" id="architecture-layers-1-said" hx-swap-oob="true">' in answer
    assert "4,160 parameters" in answer
    names = set(re.findall(r'<(?:input|select|textarea)[^>]* name="([^"]*)"', answer))
    assert names == {"config", "known"}  # the same network as text, which nobody is typing in
    assert not Job.objects.exists()


def test_while_alice_types_nonsense_it_is_said_in_its_place(studio):
    studio.form.values["training.epochs"] = "0"
    answer = studio.type()
    place = 'id="training-epochs-error" hx-swap-oob="true">must be from 1 to 10,000, not 0</div>'
    assert place in answer


def test_while_alice_types_in_the_text_the_layers_follow(studio):
    changed = studio.form.values["config"].replace("128", "77")
    studio.form.values["config"] = changed
    answer = studio.type()
    assert 'id="composer" hx-swap-oob="true"' in answer
    assert f'name="{at(1, "size")}" id="architecture-layers-1-params-size" value="77"' in answer
    assert "<textarea" not in answer
    studio.form.values["config"] = "{"
    answer = studio.type()
    assert 'id="config-error" hx-swap-oob="true">line 1, column 2' in answer


def test_no_other_data_are_taken_for_those_that_alice_asks_for(client, alice, bob, digits):
    def plants(owner, slug: str, status: str) -> Dataset:
        return Dataset.objects.create(owner=owner, slug=slug, name="Plants", status=status)

    client.force_login(alice)
    for slug in (plants(bob, "of-bob", Work.Status.DONE).slug, "nowhere"):
        assert client.get(f"{HERE}?dataset={slug}").status_code == 404
    for status, how in (
        (Work.Status.FAILED, "could not be read"),
        ("running", "is still being read"),
    ):
        mine = plants(alice, f"mine-{status}", status)
        answer = client.get(f"{HERE}?dataset={mine.slug}", follow=True)
        assert answer.redirect_chain == [(mine.get_absolute_url(), 302)]
        assert f"“Plants” {how}, so nothing" in answer.content.decode()
