"""The picture of an episode: bob sees whether the pole stood, and how it fell."""

import re

from django.template import engines

from training.runner import cartpole


def drawn(positions, angles):
    replay = {
        "seed": 7,
        "return": len(positions) - 1,
        "position": positions,
        "angle": angles,
        "actions": [1] * (len(positions) - 1),
        "position_most": cartpole.POSITION_MOST,
        "angle_most": cartpole.ANGLE_MOST,
        "seconds_a_step": cartpole.SECONDS_A_STEP,
    }
    page = engines["django"].from_string("{% load replays %}{% cartpole_replay replay %}")
    return page.render({"replay": replay})


def poles(page):
    """The ends of each pole drawn: x below, x and y above."""
    found = re.findall(r'class="pole" x1="([^"]+)" y1="56" x2="([^"]+)" y2="([^"]+)"', page)
    return [tuple(map(float, pole)) for pole in found]


def test_bob_sees_twelve_moments_from_the_first_to_the_last():
    page = drawn([step / 100 for step in range(241)], [0.0] * 241)
    found = poles(page)
    assert len(found) == 12
    assert found[0] == (60, 60, 6)
    assert found[-1] == (60 + 46, 60 + 46, 6)  # 2.4 m, the end of the track
    assert "The pole stood for 240 pushes, 4.80 s." in page
    assert "<span>4.80 s</span>" in page


def test_a_pole_that_leans_to_the_right_is_drawn_so():
    (_, *_, last) = poles(drawn([0.0, 0.0, 0.0], [0.0, 0.1, 0.3]))
    assert last[1] > last[0]
    assert last[2] > 6


def test_a_short_episode_shows_each_moment_once():
    page = drawn([0.0, 0.0], [0.0, 0.25])
    assert len(poles(page)) == 2
    assert "stood for 1 push," in page
    assert "<details" in page  # the way is a table too
