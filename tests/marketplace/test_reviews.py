"""Reviews: who may write one, what counts, and what others find of it."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from governance import services as governance
from governance.models import Notice
from governance.services import NotAllowed
from marketplace import services as marketplace
from marketplace.models import Review, ReviewRevision
from marketplace.models.reviews import Z
from marketplace.services import reviews
from tests.conftest import person

pytestmark = pytest.mark.usefixtures("shared_template")


@pytest.fixture
def bobs(bob, template) -> Review:
    marketplace.buy_template(buyer=bob, template=template)
    return marketplace.review_template(
        reviewer=bob, template=template, rating=4, text="Reads my digits."
    )


def test_bob_rates_what_he_bought_and_alice_is_told(alice, bobs, template):
    rating = marketplace.rating_of(template)
    assert (rating.mean, rating.count) == (4.0, 1)
    assert Notice.objects.of(alice).filter(type="template.reviewed").count() == 1


def test_who_does_not_have_it_cannot_rate_it(alice, mallory, template):
    for person_, said in ((mallory, "buy or deploy"), (alice, "of their own")):
        with pytest.raises(marketplace.NotAUser, match=said):
            marketplace.review_template(reviewer=person_, template=template, rating=1)
    assert marketplace.rating_of(template).mean is None


@pytest.mark.parametrize("rating", [0, 6, -1])
def test_stars_are_one_to_five_at_the_service_and_in_the_database(bob, bobs, template, rating):
    with pytest.raises(marketplace.InvalidReview, match="rating"):
        marketplace.review_template(reviewer=bob, template=template, rating=rating)
    with pytest.raises(IntegrityError), transaction.atomic():
        Review.objects.filter(pk=bobs.pk).update(rating=rating % 7)


def test_bob_changes_his_mind_and_the_history_stays(bob, bobs, template):
    changed = marketplace.review_template(
        reviewer=bob, template=template, rating=2, text="It fails on sevens."
    )
    assert changed.pk == bobs.pk
    assert marketplace.rating_of(template).mean == 2.0
    assert ReviewRevision.objects.values_list("rating", "text").get() == (4, "Reads my digits.")


def test_saying_the_same_twice_leaves_no_history(bob, bobs, template):
    marketplace.review_template(reviewer=bob, template=template, rating=4, text="Reads my digits.")
    assert not ReviewRevision.objects.exists()


def test_a_burst_waits_for_a_moderator_and_then_counts(judy, bob, template, monkeypatch):
    marketplace.buy_template(buyer=bob, template=template)
    # A burst of one: making twenty people would prove the same and take a minute.
    monkeypatch.setattr(reviews, "BURST", 0)
    held = marketplace.review_template(reviewer=bob, template=template, rating=5)
    assert held.held_at is not None
    assert marketplace.rating_of(template).count == 0
    marketplace.release_review(actor=judy, review=held)
    assert marketplace.rating_of(template).count == 1


def test_old_reviews_are_no_burst(bob, template, monkeypatch):
    monkeypatch.setattr(reviews, "BURST", 1)
    marketplace.buy_template(buyer=bob, template=template)
    first = marketplace.review_template(reviewer=bob, template=template, rating=5)
    Review.objects.filter(pk=first.pk).update(created_at=first.created_at - timedelta(hours=2))
    carol = person("carol")
    marketplace.buy_template(buyer=carol, template=template)
    assert marketplace.review_template(reviewer=carol, template=template, rating=5).held_at is None


def test_a_hidden_review_does_not_count(judy, bobs, template):
    governance.hide(actor=judy, subject=bobs, reason="Insults.")
    assert marketplace.rating_of(template).count == 0


def test_a_vote_can_be_cast_changed_and_taken_back(mallory, bobs):
    for said, counts in ((True, (1, 0)), (False, (0, 1)), (None, (0, 0))):
        review = marketplace.vote_on_review(voter=mallory, review=bobs, is_helpful=said)
        assert (review.helpful, review.unhelpful) == counts


def test_nobody_votes_in_their_own_matter(alice, bob, bobs):
    for voter in (alice, bob):
        with pytest.raises(NotAllowed):
            marketplace.vote_on_review(voter=voter, review=bobs, is_helpful=True)


@pytest.mark.parametrize(("helpful", "unhelpful"), [(0, 0), (0, 3), (1, 0), (10, 1), (90, 60)])
def test_reviews_stand_by_wilsons_lower_bound(bobs, helpful, unhelpful):
    Review.objects.filter(pk=bobs.pk).update(helpful=helpful, unhelpful=unhelpful)
    bobs.refresh_from_db()
    votes = helpful + unhelpful
    expected = 0.0
    if helpful:
        share = helpful / votes
        spread = Z * ((share * (1 - share) + Z * Z / (4 * votes)) / votes) ** 0.5
        expected = (share + Z * Z / (2 * votes) - spread) / (1 + Z * Z / votes)
    assert bobs.helpfulness == pytest.approx(expected, abs=1e-12)


@given(st.dictionaries(st.integers(1, 5), st.integers(0, 1_000)))
def test_the_bayesian_mean_lies_between_the_prior_and_the_mean(by_stars):
    rating = marketplace.Rating(by_stars=by_stars)
    mean = rating.total / rating.count if rating.count else 3.5
    assert min(mean, 3.5) - 1e-9 <= rating.bayesian <= max(mean, 3.5) + 1e-9


def test_alice_replies_and_bob_is_told(alice, bob, mallory, bobs):
    with pytest.raises(NotAllowed):
        marketplace.reply_to_review(actor=mallory, review=bobs, text="Buy mine.")
    replied = marketplace.reply_to_review(actor=alice, review=bobs, text="Thank you.")
    assert replied.reply == "Thank you."
    assert Notice.objects.of(bob).filter(type="template.answered").count() == 1


def test_bob_writes_and_votes_on_the_page(client, bob, mallory, template):
    marketplace.buy_template(buyer=bob, template=template)
    client.force_login(bob)
    write = reverse("marketplace:review", args=[template.slug])
    assert "needs attention" in client.post(write, {"text": "!"}).content.decode()
    client.post(write, {"rating": 5, "text": "It <b>works</b>."})
    page = client.get(template.get_absolute_url()).content.decode()
    assert "It &lt;b&gt;works&lt;/b&gt;." in page
    review = Review.objects.get()
    client.force_login(mallory)
    vote = reverse("marketplace:vote", args=[template.slug, review.pk])
    client.post(vote, {"is_helpful": "yes"})
    part = client.post(vote, {"is_helpful": "no"}, headers={"HX-Request": "true"})
    assert "0 of 1 found this helpful" in part.content.decode()


def test_the_reviews_page_asks_the_database_the_same_for_many_as_for_one(
    client, bob, bobs, template, django_assert_max_num_queries
):
    address = reverse("marketplace:reviews", args=[template.slug])
    client.force_login(bob)
    client.get(address)
    for name in ("carol", "dave", "erin"):
        buyer = person(name)
        marketplace.buy_template(buyer=buyer, template=template)
        marketplace.review_template(reviewer=buyer, template=template, rating=3)
    with django_assert_max_num_queries(12):
        page = client.get(address, {"sort": "newest"}).content.decode()
    assert page.index("erin") < page.index("carol")
