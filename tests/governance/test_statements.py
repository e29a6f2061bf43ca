"""What is read by a statement written once is what Django reads."""

import pytest
from django.forms.models import model_to_dict

from governance import services as governance
from governance.models import ApiKey, Notice, Scope, Statement, User

BOTH = Statement(
    "SELECT {0}, {1}, 7 FROM governance_apikey t0 JOIN governance_user t1 ON t1.id = t0.owner_id "
    "WHERE t0.prefix = %s",
    (ApiKey, User),
)


def test_rows_are_those_of_a_queryset_and_are_saved_like_them(alice):
    made, _ = governance.create_api_key(owner=alice, name="k", scopes=[Scope.PREDICT, Scope.TRAIN])
    key, owner, seven = BOTH.first(made.prefix)
    for read, stored in ((key, ApiKey.objects.get()), (owner, User.objects.get(pk=alice.pk))):
        assert read == stored
        assert vars(read) | {"_state": None} == vars(stored) | {"_state": None}
        assert model_to_dict(read) == model_to_dict(stored)
    assert seven == 7
    key.name = "another"
    key.save()
    assert ApiKey.objects.get().name == "another"
    assert BOTH.first("nobody") is None


def test_a_model_whose_values_django_converts_is_not_read_so(alice):
    with pytest.raises(AssertionError, match="Notice.data needs its value converted"):
        Statement("SELECT {0} FROM governance_notice t0 WHERE t0.user_id = %s", (Notice,)).first(
            alice.pk
        )
