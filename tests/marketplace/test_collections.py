"""Collections, comparisons, leaderboards and the pages of authors."""

import pytest
from django.urls import reverse

from governance.services import NotAllowed
from marketplace import services as marketplace
from marketplace.models import Collection, CollectionItem, Plan, Template
from marketplace.views import comparing, templates
from tests.conftest import person
from training.models import Category

pytestmark = pytest.mark.usefixtures("shared_template")


@pytest.fixture
def second(alice, judy, model) -> Template:
    made = marketplace.publish_template(
        owner=alice,
        model=model,
        name="Second reader",
        description="The same, again.",
        category=Category.VISION,
        plan=Plan.FREE,
    )
    return marketplace.approve_template(actor=judy, template=made)


@pytest.fixture
def kept(bob, template, second) -> Collection:
    collection = marketplace.make_collection(owner=bob, name="Readers")
    for one in (template, second):
        marketplace.collect_template(actor=bob, collection=collection, template=one)
    return collection


def slugs(collection):
    return list(collection.items.values_list("template__slug", flat=True))


def test_bob_puts_his_templates_in_order(bob, kept):
    first, last = kept.items.all()
    marketplace.move_item(actor=bob, item=last, is_up=True)
    assert slugs(kept) == ["second-reader", "digit-reader"]
    last.refresh_from_db()
    marketplace.move_item(actor=bob, item=last, is_up=True)
    assert slugs(kept) == ["second-reader", "digit-reader"]


def test_keeping_twice_changes_the_note(bob, kept, template):
    marketplace.collect_template(actor=bob, collection=kept, template=template, note="The best.")
    assert kept.items.count() == 2
    assert kept.items.first().note == "The best."


def test_a_private_collection_is_its_owners_alone(client, bob, mallory, kept):
    for user, status in ((bob, 200), (mallory, 404)):
        client.force_login(user)
        assert client.get(kept.get_absolute_url()).status_code == status
    with pytest.raises(NotAllowed):
        marketplace.leave_out(actor=mallory, item=kept.items.first())
    item = reverse("marketplace:change_item", args=[kept.pk, kept.items.first().pk])
    assert client.post(item, {"act": "remove"}).status_code == 404
    assert CollectionItem.objects.count() == 2


def test_bob_keeps_reorders_publishes_and_deletes_on_the_pages(client, bob, template, second):
    client.force_login(bob)
    for one in (template, second):
        address = reverse("marketplace:collect", args=[one.slug])
        own = Collection.objects.first()
        client.post(address, {"collection": own.pk} if own else {"name": "Mine", "note": "Good"})
    mine = Collection.objects.get()
    item = reverse("marketplace:change_item", args=[mine.pk, mine.items.last().pk])
    client.post(item, {"act": "up"})
    assert slugs(mine) == ["second-reader", "digit-reader"]
    edit = reverse("marketplace:edit_collection", args=[mine.pk])
    client.post(edit, {"name": "Ours", "description": "", "is_public": "on"})
    client.logout()
    assert "Ours" in client.get(reverse("marketplace:collections")).content.decode()
    client.force_login(bob)
    client.post(reverse("marketplace:delete_collection", args=[mine.pk]))
    assert not Collection.objects.exists()


def test_a_name_is_used_once_and_must_be_given(client, bob, kept, template):
    with pytest.raises(marketplace.InvalidCollection, match="already"):
        marketplace.make_collection(owner=bob, name="Readers ")
    client.force_login(bob)
    answer = client.post(reverse("marketplace:collect", args=[template.slug]), {"name": " "})
    assert "give a new one a name" in answer.content.decode()


def test_the_collection_page_asks_the_same_for_many_as_for_one(
    client, bob, kept, django_assert_max_num_queries
):
    client.force_login(bob)
    client.get(kept.get_absolute_url())  # which writes down the session
    with django_assert_max_num_queries(12):
        client.get(kept.get_absolute_url())


def test_two_templates_stand_side_by_side_with_what_was_measured(client, template, second):
    address = reverse("marketplace:compare")
    page = client.get(address, {"t": [template.slug, second.slug, "nothing"]}).content.decode()
    assert "There is no template “nothing”" in page
    assert page.count("best</span>") >= 2  # the same figures: both are
    assert f"{template.shown.validation.accuracy:.4g}"[:5] in page
    assert client.get(address).status_code == 200


def test_who_names_a_template_by_its_address_finds_it_among_many_of_a_name(
    client, alice, judy, template, second
):
    named = marketplace.start_template(owner=alice, model=template.shown.model, name="Twins")
    Template.objects.filter(pk=second.pk).update(name=template.slug)  # as if to stand in its way
    client.force_login(alice)
    asked = {"t": [template.slug, "Twins"]}
    page = client.get(reverse("marketplace:compare"), asked).content.decode()
    assert template.get_absolute_url() in page
    assert named.get_absolute_url() in page
    assert second.get_absolute_url() not in page


def test_five_templates_are_too_many_to_compare(template):
    with pytest.raises(marketplace.TooManyTemplates, match="at most 4"):
        marketplace.compare_templates(templates=[template] * 5)


def test_private_templates_are_not_compared_by_others(client, alice, model, mallory):
    draft = marketplace.start_template(owner=alice, model=model, name="Secret")
    client.force_login(mallory)
    page = client.get(reverse("marketplace:compare"), {"t": draft.slug}).content.decode()
    assert f"There is no template “{draft.slug}”" in page


def test_the_board_of_a_dataset_has_verified_figures_and_shares_places(
    client, template, second, digits
):
    board = marketplace.leaderboard_of(dataset=digits)
    assert board.metric == "accuracy" and not board.lower_is_better
    assert [place.number for place in board.places] == [1, 1]
    assert all(place.is_level for place in board.places)
    assert board.places[0].value == template.shown.validation.accuracy
    page = client.get(reverse("marketplace:leaderboard", args=[digits.slug])).content.decode()
    assert template.name in page and second.name in page
    assert digits.name in client.get(reverse("marketplace:leaderboards")).content.decode()


def test_an_author_is_shown_once_they_offer_something(client, alice, template):
    carol = person("carol")
    page = client.get(reverse("marketplace:author", args=[alice.username])).content.decode()
    assert template.name in page
    assert client.get(reverse("marketplace:author", args=[carol.username])).status_code == 404


def test_what_an_author_offers_and_what_alice_has_is_paged(
    client, alice, template, second, monkeypatch
):
    monkeypatch.setattr(comparing, "PAGE_SIZE", 1)
    monkeypatch.setattr(templates, "PAGE_SIZE", 1)
    client.force_login(alice)
    for address, more in (
        (reverse("marketplace:author", args=["alice"]), "?page=2"),
        (reverse("marketplace:mine"), "?show=offered"),
    ):
        page = client.get(address).content.decode()
        assert (template.name in page) != (second.name in page)
        assert f'href="{more}"' in page
    pages = [
        client.get(reverse("marketplace:mine"), {"show": "offered", "page": number})
        for number in (1, 2)
    ]
    assert all("Bought" not in page.content.decode() for page in pages)
    assert {page.context["offered"][0] for page in pages} == {template, second}
