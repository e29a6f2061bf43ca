"""Training that goes on from the weights of a model."""

import numpy as np
import pytest

from kernels import modelfile
from kernels.checkpoints import CheckpointRefused
from kernels.data import DataError
from tests.kernels.test_training import RICH, finished, network, trainer


def test_a_run_may_begin_at_the_weights_of_a_model(few, digits):
    """And its checkpoint then holds that model's standardisation, not the one of its own rows."""
    signature = modelfile.Signature(tuple(map(str, range(64))), tuple("0123456789"))
    first = trainer(digits)
    list(first.run(steps=20))
    model = modelfile.load(first.export(signature, {}))
    second, third = trainer(few), trainer(few)
    second.adopt(model)
    assert second.weights_sha256() == first.weights_sha256()
    assert second.validate() != trainer(few).validate()
    third.restore(second.checkpoint())
    assert third.validate() == second.validate()
    assert finished(third) == finished(second)
    with pytest.raises(CheckpointRefused, match="another configuration"):
        trainer(few, network(RICH)).adopt(model)


def parent_of(data, settings=None):
    """A model that was trained for some steps."""
    run = trainer(data, settings)
    list(run.run(steps=20))
    return modelfile.load(run.export(modelfile.Signature((), ()), {}))


def test_a_run_begun_from_a_parent_is_fine_tuned_to_the_same_bits(few, digits):
    parent = parent_of(digits)
    straight, cut, drawn = trainer(few), trainer(few), trainer(few)
    assert straight.begin_from(parent) == cut.begin_from(parent) == []
    list(cut.run(steps=3))
    following = trainer(few)
    with pytest.raises(CheckpointRefused, match="parent_sha256"):
        following.restore(cut.checkpoint())
    following.begin_from(parent)
    following.restore(cut.checkpoint())
    assert finished(following) == finished(straight) != finished(drawn)
    assert straight.provenance()["parent_sha256"] == modelfile.weights_sha256(parent.weights)
    assert "parent_sha256" not in drawn.provenance()


def test_weights_of_another_shape_stay_as_drawn_and_are_named(few, digits):
    """The parent's hidden layer has 12 units, the child's two have 12 and 9."""
    parent = parent_of(digits, network([{"type": "dense", "units": 12}]))
    layers = [{"type": "dense", "units": 12}, {"type": "dense", "units": 9}]
    child, drawn = trainer(few, network(layers)), trainer(few, network(layers))
    assert child.begin_from(parent) == [
        "dense1.weight",
        "dense1.bias",
        "dense2.weight",
        "dense2.bias",
    ]
    found, before = child.weights(), drawn.weights()
    assert np.array_equal(found["dense0.weight"], parent.arrays["dense0.weight"])
    assert np.array_equal(found["dense1.weight"], before["dense1.weight"])
    other = trainer(few, network([{"type": "dense", "units": 5}, {"type": "dense", "units": 9}]))
    with pytest.raises(DataError, match="parent: none of its weights"):
        other.begin_from(parent)
