"""Networks that learn to act: alice trains one to keep a pole upright, in the platform."""

import copy

import gymnasium
import numpy as np
import pytest

from kernels import build, modelfile
from kernels import config as kernel_config
from kernels.checkpoints import CheckpointRefused
from kernels.limits import Limits
from kernels.predictor import Predictor
from training import services as training
from training.models import Dataset, Model, Tier, Work
from training.runner import blobs, cartpole, chunks, datasets, environments, episodes, validations
from training.runner.players import UNNAMED, Player
from training.runner.quotes import parse_config, rows_of
from training.services.presets import PRESETS


@pytest.fixture
def poles(db) -> Dataset:
    """The environment, which has no rows."""
    dataset = training.add_bundled_dataset(slug="cartpole")
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    return dataset


def preset(epochs, **training_settings):
    config = copy.deepcopy(dict(PRESETS["cartpole"]))
    config["training"] |= {"epochs": epochs, **training_settings}
    return config


def player(poles, epochs, seed=5):
    config = kernel_config.parse(preset(epochs), poles.data_shape)
    return Player(config, seed=seed, module=build.module(), limits=Limits())


def test_a_player_cut_and_restored_ends_in_the_same_bits_as_one_that_played_on(poles):
    straight = player(poles, 3)
    points = list(straight.run())
    cut, found = player(poles, 3), []
    while not cut.is_over:
        found += cut.run(seconds=0)
        following = player(poles, 3)
        following.restore(cut.checkpoint())
        cut = following
    assert [point.epoch for point in points] == [1, 2, 3]
    assert found == points
    assert cut.checkpoint() == straight.checkpoint()
    assert cut.export(UNNAMED, {}) == straight.export(UNNAMED, {})
    assert straight.trainer.weights_sha256() != player(poles, 3, seed=6).trainer.weights_sha256()


def test_who_says_stop_is_heard_when_the_iteration_is_over(poles):
    run = player(poles, 3)
    points = list(run.run(on_progress=lambda step: False))
    assert [point.epoch for point in points] == [1]
    assert run.step == run.trainer.steps_per_epoch


def test_a_checkpoint_from_within_an_iteration_is_refused(poles):
    run = player(poles, 3)
    list(run.trainer.run(steps=5))
    with pytest.raises(CheckpointRefused, match="must be the end of an iteration, not 5"):
        player(poles, 3).restore(run.checkpoint())


def test_a_policy_learns(poles):
    """Five iterations in half a second: from a pole that falls at once to one that stands."""
    points = list(player(poles, 5).run())
    assert points[0].train_metric < 40
    assert points[-1].train_metric > 4 * points[0].train_metric
    assert points[-1].validation_metric > 195
    assert {point.metric for point in points} == {"mean_return"}


def test_an_advantage_is_what_a_push_earned_beyond_others_of_its_age():
    """Two poles of POLES fall at the third push and at the 400th; all others stand to the end."""
    size = (cartpole.STEPS_MOST, environments.POLES)
    falls = np.zeros(size, np.bool_)
    falls[2, 0] = falls[399, 1] = True
    ages = np.tile(np.arange(cartpole.STEPS_MOST)[:, None], (1, environments.POLES))
    ages[3:, 0] -= 3
    ages[400:, 1] -= 400
    ends = falls | (ages == cartpole.STEPS_MOST - 1)
    nothing = np.zeros((*size, 4), np.float32)
    found = episodes.advantages(
        episodes.Played(nothing, np.zeros(size, np.uint32), ages, ends, falls)
    )
    # What follows a last end is never played out, so it teaches nothing.
    assert not found[3:, 0].any()
    assert not found[400:, 1].any()
    # The pushes before a fall are blamed the more the nearer they are, others of the age praised.
    assert (np.diff(found[:3, 0]) < 0).all()
    assert (np.diff(found[300:400, 1]) < 0).all()
    assert found[2, 0] < 0 < found[2, 2]
    assert found[399, 1] < 0 < found[399, 2]
    # At an age whose poles all stand to the end nobody earned more than others.
    assert np.abs(found[450, 2:]).max() < 1e-6
    # Means over an age are zero.
    assert abs(found[0].sum()) < 1e-4


def test_mean_returns_are_those_of_gymnasium_itself(poles):
    """A policy of few iterations: some of its episodes fall, so that returns differ."""
    run = player(poles, 2, seed=4)
    list(run.run())
    content = run.export(UNNAMED, {})
    predictor = Predictor(content, module=build.module())
    returns = episodes.evaluate(predictor, episodes=12, seed=30)
    assert len(set(returns.tolist())) > 3
    for number, found in enumerate(returns):
        game = gymnasium.make("CartPole-v1")
        seen, _ = game.reset(seed=30 + number)
        pushes, is_over = 0, False
        while not is_over:
            action = int(predictor.predict(seen[None]).argmax())
            seen, _, has_fallen, is_cut, _ = game.step(action)
            pushes, is_over = pushes + 1, has_fallen or is_cut
        assert found == pushes


def test_a_replay_shows_the_episode_that_was_measured(poles):
    run = player(poles, 2, seed=4)
    list(run.run())
    predictor = Predictor(run.export(UNNAMED, {}), module=build.module())
    shown = episodes.replay(predictor, seed=30)
    assert shown["return"] == episodes.evaluate(predictor, episodes=1, seed=30)[0]
    assert [len(shown[name]) for name in ("actions", "position", "angle")] == [
        shown["return"],
        shown["return"] + 1,
        shown["return"] + 1,
    ]
    ends = (abs(shown[name][-1]) > shown[f"{name}_most"] for name in ("position", "angle"))
    has_fallen = any(ends)
    assert has_fallen == (shown["return"] < cartpole.STEPS_MOST)
    start = cartpole.seeded_starts(1, seed=30)
    assert [shown["position"][0], shown["angle"][0]] == np.round(start[[0, 2], 0], 4).tolist()
    assert set(shown["actions"]) <= {0, 1}


def assert_it_is_measured(client, alice, model):
    """By 100 episodes of gymnasium's own, and one of them is shown."""
    validation = model.validations.get()
    validations.validate_model(str(validation.pk))
    validation.refresh_from_db()
    assert validation.status == Work.Status.DONE, validation.error_message
    mean = validation.metrics["mean_return"]["value"]
    predictor = Predictor(blobs.get(model.sha256), module=build.module())
    assert mean == episodes.evaluate(predictor, episodes=100, seed=1_000_000).mean()
    client.force_login(alice)
    page = client.get(model.get_absolute_url()).content.decode()
    assert page.count('class="pole"') == 12
    assert "One of its episodes" in page
    assert "100 episodes of CartPole-v1, each begun by a seed" in page


def test_alice_trains_a_player_as_any_other_job(client, alice, poles, settings):
    """Takes seconds: gymnasium steps its 2 × 100 episodes one by one, and all else is measured."""
    settings.TRAINING_CHUNK_SECONDS = 0
    job = training.submit_job(owner=alice, dataset=poles, config=preset(3), tier=Tier.NANO, seed=5)
    assert (job.metric, job.category) == ("mean_return", "reinforcement")
    for chunk in range(1, 4):
        chunks.run_turn()
        job.refresh_from_db()
        assert job.points.count() == chunk
    assert job.status == Work.Status.DONE, job.error_message
    assert job.cost_microcredits == job.quote_microcredits
    point = job.points.last()
    assert point.train_metric > 20
    assert 1 <= point.validation_metric <= 500
    assert point.validation_loss is None
    model = Model.objects.get(job=job)
    straight = player(poles, 3)
    list(straight.run())
    assert model.weights_sha256 == straight.trainer.weights_sha256()
    assert_it_is_measured(client, alice, model)
    file = modelfile.load(blobs.get(model.sha256))
    assert file.provenance["environment"]["name"] == "CartPole-v1"
    assert file.signature.classes == ("push left", "push right")


def test_playing_is_priced_by_the_pushes_and_the_gradients(alice, poles):
    quotes = [
        training.quote_job(dataset=poles, config=preset(epochs), tier=Tier.NANO)
        for epochs in (10, 20)
    ]
    assert quotes[1].flops == 2 * quotes[0].flops
    pushes = 10 * 1_000 * environments.STEP_FLOPS
    assert pushes < quotes[0].flops < 2 * pushes
    network = parse_config(preset(10), poles)
    assert rows_of(poles, network) == {"rows": 8_000, "validation_rows": 18_000}
    with pytest.raises(training.TierTooSmall, match="choose mini"):
        training.quote_job(dataset=poles, config=preset(1_000), tier=Tier.NANO)


def test_a_player_goes_on_from_what_another_has_learned(poles):
    parent, child = player(poles, 5), player(poles, 1, seed=6)
    list(parent.run())
    assert child.begin_from(modelfile.load(parent.export(UNNAMED, {}))) == []
    (begun,), (drawn,) = child.run(), player(poles, 1, seed=6).run()
    assert begun.train_metric > 3 * drawn.train_metric


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"loss": "dqn"}, "training.loss", "take 'reinforce'"),
        ({"patience": 3}, "training.patience", "leave it out"),
        ({"schedule": {"kind": "plateau"}}, "training.schedule.kind", "leave it out"),
    ],
)
def test_what_cannot_be_learned_by_playing_is_refused_with_the_way_out(poles, change, field, said):
    with pytest.raises(training.InvalidConfig) as refused:
        parse_config(preset(5, **change), poles)
    (problem,) = refused.value.invalid_parameters
    assert problem["field"] == field
    assert said in problem["reason"]


def test_networks_that_do_not_act_and_worlds_that_are_not_played_are_refused(poles):
    config = preset(5)
    config["architecture"] = {"type": "autoencoder", "layers": [{"type": "dense", "units": 2}]}
    with pytest.raises(training.InvalidConfig, match="'autoencoder' does not act"):
        parse_config(config, poles)
    config = preset(5) | {"divergent": {"enabled": True, "pattern": "quantum", "factor": 0.2}}
    with pytest.raises(training.InvalidConfig, match="'quantum' chooses by a loss"):
        parse_config(config, poles)
    poles.recipe["environment"] = "MountainCar-v0"
    with pytest.raises(training.InvalidConfig, match="'MountainCar-v0' is not played here"):
        parse_config(preset(5), poles)


def test_a_player_is_not_cut_into_shards(poles):
    with pytest.raises(training.InvalidConfig, match="cannot be cut into shards"):
        training.divide(dataset=poles, config=preset(4), shards=2, local_epochs=1)
