"""What a network can begin with: for data of any shape, and in a tier that is enough."""

import pytest

from kernels import config
from kernels.data import DataShape, Target
from tests.training.counting import calls_of
from tests.training.test_studio import Visitor
from training import services as training
from training.models import Dataset, Tier, Work
from training.services import starts


def test_a_start_has_a_tier_that_is_enough_for_it():
    """Also where a row is so wide that the smallest network is no small one."""
    rows = {"train_rows": 28, "validation_rows": 6, "test_rows": 6, "status": Work.Status.DONE}
    wide = Dataset(columns=2_000, classes=["iris", "rose"], **rows)
    tiers = {start.name: start.tier for start in training.starting_points(dataset=wide)}
    assert tiers["small"] == Tier.MINI
    assert tiers["empty"] == Tier.NANO


@pytest.mark.parametrize("made", [starts.small_config, starts.empty_config])
@pytest.mark.parametrize(
    "shape",
    [
        DataShape((7,), Target.MARKS, 3),
        DataShape((1, 1, 3), Target.VALUES, 1),
        DataShape((9, 5, 3), Target.CLASSES, 2),
        DataShape((6, 2), Target.STEP_CLASSES, 4),
        DataShape((6,), Target.NEXT, 9, vocabulary=9),
        DataShape((6,), Target.CLASSES, 3, vocabulary=9),
    ],
)
def test_there_is_a_start_for_data_of_any_shape(made, shape):
    assert config.parse(made(shape, 20), shape).data == shape


def test_what_alice_could_begin_with_is_not_priced_until_she_chooses_it(client, alice, digits):
    client.force_login(alice)
    studio = Visitor(client, dataset="digits")
    assert calls_of("quote_job", studio.type) == 1  # of the network that stands there
    assert calls_of("quote_job", lambda: studio.press("check")) == 1
    assert calls_of("quote_job", lambda: studio.press("load", start="small")) == 2
