"""What a reader sees in a chart, whatever values a job, a dataset or a mischievous name brings."""

import math
import random
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st

from training.templatetags import charts, scales
from training.templatetags.charts import PLOT_HEIGHT, PLOT_UNITS

NASTY = '<script>alert("x")</script>'
HUGE = 1.7e308


def draw(tag: str, **values: Any) -> str:
    arguments = " ".join(f"{name}={name}" for name in values)
    return Template(f"{{% load charts %}}{{% {tag} {arguments} %}}").render(Context(values))


def draw_lines(lines: dict[str, Any], **options: Any) -> str:
    return draw("line_chart", lines=lines, title="Loss", x_label="step", y_label="nats", **options)


def svg_of(html: str) -> ElementTree.Element:
    """Parse the drawing as strict XML, so that broken markup fails the test."""
    found = re.search(r"<svg.*</svg>", html, re.DOTALL)
    assert found, html
    return ElementTree.fromstring(found.group())


def polylines(html: str) -> list[list[scales.Point]]:
    return [
        [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.get("points").split())]
        for line in svg_of(html).iter("polyline")
    ]


def texts(html: str) -> list[str]:
    return [text.text for text in svg_of(html).iter("text")]


def test_a_falling_loss_is_drawn_from_the_top_left_to_the_bottom_right():
    [points] = polylines(draw_lines({"train": [(0, 2.0), (50, 1.0), (100, 0.0)]}))
    assert points == [(0, 0), (PLOT_UNITS / 2, PLOT_HEIGHT / 2), (PLOT_UNITS, PLOT_HEIGHT)]


def test_axes_carry_round_ticks_labels_and_units():
    html = draw_lines({"train": [(0, 0.07), (970, 1.93)]}, y_unit="bits", x_unit="k")
    assert {"0", "0.5", "1", "1.5", "2", "200", "400", "step (k)"} <= set(texts(html))
    assert "nats (bits)" in html


def test_every_series_is_named_at_its_end_and_in_the_legend_with_its_last_value():
    html = draw_lines({"train": [(1, 3), (2, 0.25)], "validation": [(1, 3), (2, 0.5)]})
    assert texts(html)[-2:] == ["train", "validation"]
    assert "train <b>0.25</b>" in html
    assert "validation <b>0.5</b>" in html


def test_names_at_the_ends_of_close_series_do_not_overlap_or_leave_the_plot():
    html = draw_lines({name: [(1, 0), (2, 0.001 * rank)] for rank, name in enumerate("abcd")})
    places = sorted(
        float(text.get("y")) for text in svg_of(html).iter("text") if text.text in "abcd"
    )
    assert all(lower - upper >= 14.9 for upper, lower in zip(places, places[1:], strict=False))
    assert places[0] >= 0
    assert places[-1] <= PLOT_HEIGHT


def test_a_chart_says_in_words_and_in_a_table_what_it_draws():
    html = draw_lines({"train": [(1, 0.5), (2, 0.125)]})
    svg = svg_of(html)
    assert svg.find("title").text == "Loss"
    assert "train ends at 0.125" in svg.find("desc").text
    assert (
        svg.get("aria-labelledby") == f"{svg.find('title').get('id')} {svg.find('desc').get('id')}"
    )
    assert '<td class="num">2</td><td class="num">0.125</td>' in html


def test_series_with_different_places_share_one_table_with_gaps():
    html = draw_lines({"train": [(1, 3), (2, 2)], "validation": [(2, 5)]})
    assert '<td class="num">1</td><td class="num">3</td><td class="num">–</td>' in html


def test_a_spike_in_a_very_long_series_is_still_drawn():
    points = [(step, 1.0) for step in range(100_000)]
    points[43_210] = (43_210, 9.0)
    points[77_777] = (77_777, -5.0)
    [drawn] = polylines(draw_lines({"train": points}))
    assert len(drawn) <= scales.POINTS_MAX
    heights = [y for _, y in drawn]
    ordinary = heights[0]
    assert min(heights) < ordinary < max(heights)
    assert drawn[0][0] == 0 and drawn[-1][0] == PLOT_UNITS
    assert drawn == sorted(drawn, key=lambda point: point[0])


def test_the_read_out_gets_the_exact_values_of_the_drawn_points():
    [line] = svg_of(draw_lines({"train": [(1, 0.123456), (2, 7)]})).iter("polyline")
    assert line.get("data-values") == "1,0.123456 2,7"


def test_a_job_without_values_gets_an_empty_chart_that_says_so():
    for lines in ({}, {"train": []}):
        html = draw_lines(lines)
        assert "No values yet." in html
        assert "<svg" not in html


@pytest.mark.parametrize("y", [0.0, 0.97, -3.0, 1e-300, 5e-324, 1e290])
def test_a_single_or_constant_value_stands_inside_the_plot(y):
    for points in ([(7, y)], [(1, y), (2, y), (3, y)]):
        [drawn] = polylines(draw_lines({"train": points}))
        assert all(0 <= place <= PLOT_HEIGHT for _, place in drawn)


def test_points_that_are_no_numbers_are_left_out_and_counted():
    lines = {"train": [(1, 1), (2, math.nan), (3, math.inf), (4, HUGE), (5, 2)]}
    html = draw_lines(lines)
    assert len(polylines(html)[0]) == 2
    assert "3 points cannot be drawn: not finite." in html


def test_a_logarithmic_axis_gives_each_decade_the_same_room_and_leaves_out_zero():
    html = draw_lines({"loss": [(1, 1000), (2, 100), (3, 10), (4, 1), (5, 0)]}, log_y=True)
    heights = [y for _, y in polylines(html)[0]]
    steps = [after - before for before, after in zip(heights, heights[1:], strict=False)]
    assert steps == pytest.approx([PLOT_HEIGHT / 3] * 3, abs=0.2)
    assert "1 point cannot be drawn: not finite or not above zero." in html
    assert "logarithmic" in html


def test_mallory_cannot_put_markup_into_any_chart():
    drawings = [
        draw("line_chart", lines={NASTY: [(1, 1)]}, title=NASTY, x_label=NASTY, y_label=NASTY),
        draw("bar_chart", bars={NASTY: 3}, title=NASTY, label=NASTY, value_label=NASTY),
        draw("histogram", counts=[1], edges=[0, 1], title=NASTY, x_label=NASTY, marks={NASTY: 0.5}),
        draw("confusion_matrix", matrix=[[1]], labels=[NASTY], title=NASTY),
        draw("sparkline", values=[1, 2], label=NASTY),
        draw("pixels", values=[1], width=1, height=1, maximum=1, label=NASTY),
    ]
    for html in drawings:
        svg_of(html)
        assert "<script" not in html
        assert 'id="chart-scriptalertxscript"' in html or "<figure" not in html


def test_no_chart_carries_style_that_the_content_policy_would_refuse():
    html = draw_lines({"train": [(1, 1), (2, 2)]}) + draw("sparkline", values=[1, 2], label="b")
    assert "style=" not in html
    assert "onload" not in html


def test_bars_are_as_long_as_their_share_of_the_largest():
    html = draw("bar_chart", bars={"cat": 50, "dog": 200}, title="t", label="l", value_label="rows")
    widths = [bar.get("width") for bar in svg_of(html).iter("rect") if bar.get("class") == "amount"]
    assert widths == ["25.00%", "100.00%"]
    assert {"50", "200"} <= set(texts(html))


def test_bars_of_shares_can_be_drawn_against_the_whole():
    html = draw(
        "bar_chart",
        bars={"a": 0.5, "b": 0.125},
        title="t",
        label="l",
        value_label="v",
        decimals=2,
        full=1,
    )
    widths = [bar.get("width") for bar in svg_of(html).iter("rect") if bar.get("class") == "amount"]
    assert widths == ["50.00%", "12.50%"]
    assert {"0.50", "0.12"} <= set(texts(html))


def test_bars_of_nothing_have_no_length():
    html = draw("bar_chart", bars={"a": 0, "b": 0}, title="t", label="l", value_label="v")
    widths = [bar.get("width") for bar in svg_of(html).iter("rect") if bar.get("class") == "amount"]
    assert widths == ["0.00%", "0.00%"]


def test_of_a_thousand_classes_the_largest_are_drawn_and_all_are_in_the_table():
    bars = {f"class {index}": index for index in range(1000)}
    html = draw("bar_chart", bars=bars, title="t", label="l", value_label="v")
    assert len([bar for bar in svg_of(html).iter("rect") if bar.get("class") == "amount"]) == 40
    assert "class 999" in texts(html)[0]
    assert "960 more are in the table" in html
    assert html.count('<th scope="row">') == 1000


@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
def test_a_bar_that_is_no_amount_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r"bars\['cat'\] is"):
        draw("bar_chart", bars={"cat": value}, title="t", label="l", value_label="v")


def test_a_histogram_stands_on_its_edges_and_names_its_percentiles():
    html = draw(
        "histogram",
        counts=[10, 30, 0],
        edges=[0.0, 1.0, 2.0, 4.0],
        title="Latency",
        x_label="latency",
        x_unit="ms",
        marks={"p50": 1.5},
    )
    bins = list(svg_of(html).iter("rect"))
    assert [bar.get("x") for bar in bins] == ["0.00%", "25.00%", "50.00%"]
    assert [bar.get("width") for bar in bins] == ["25.00%", "25.00%", "50.00%"]
    heights = [float(bar.get("height")) for bar in bins]
    assert heights == pytest.approx([PLOT_HEIGHT / 3, PLOT_HEIGHT, 0], abs=0.1)
    [mark] = [line for line in svg_of(html).iter("line") if line.get("class") == "mark"]
    assert mark.get("x1") == "37.50%"
    assert "latency (ms)" in texts(html)


def test_no_mark_runs_through_the_name_of_another():
    said = {"title": "Latency", "x_label": "latency", "marks": {"p95": 1.7, "p50": 1.5}}
    drawn = svg_of(draw("histogram", counts=[10, 30], edges=[0.0, 1.0, 2.0], **said))
    lines = [line for line in drawn.iter("line") if line.get("class") == "mark"]
    names = [name for name in drawn.iter("text") if name.get("class") == "mark-name"]
    assert [(line.get("x1"), line.get("y1")) for line in lines] == [
        ("75.00%", "0"),
        ("85.00%", "15"),
    ]
    assert [(name.text, name.get("y")) for name in names] == [("p50", "12"), ("p95", "27")]


def test_latencies_far_apart_are_drawn_on_a_logarithmic_axis():
    edges = [0.01, 0.1, 1.0, 10.0]
    said = {"title": "Latency", "x_label": "latency", "marks": {"p50": 0.1}}
    html = draw("histogram", counts=[90, 9, 1], edges=edges, log_x=True, **said)
    widths = [bar.get("width") for bar in svg_of(html).iter("rect")]
    assert widths == ["33.33%"] * 3
    [mark] = [line for line in svg_of(html).iter("line") if line.get("class") == "mark"]
    assert mark.get("x1") == "33.33%"


def test_a_rate_that_hardly_moves_is_drawn_from_nothing():
    html = draw_lines({"rate": [(1, 0.001), (2, 0.000997)]}, zero=True)
    [line] = polylines(html)
    assert [y for _, y in line] == pytest.approx([0, 0.003 * PLOT_HEIGHT], abs=0.1)
    assert texts(html)[0] == "0"


def test_layers_with_one_beginning_are_told_apart_by_their_end():
    layers = {"encoder.dense0": 1.0, "encoder.dense1": 2.0, "decoder.dense0": 3.0, "input": 4.0}
    layers |= {"decoder.dense1": 5.0, "a very long name": 6.0}
    html = draw("bar_chart", bars=layers, title="t", label="layer", value_label="time")
    names = [text for text in texts(html) if not text[0].isdigit()]
    coders = ["enc…r.dense0", "enc…r.dense1", "dec…r.dense0", "dec…r.dense1"]
    assert sorted(names) == sorted([*coders, "a very long…", "input"])


def test_what_is_drawn_twice_has_one_colour():
    both = {"forecast": [(1, 1), (2, 2)], "season before": [(1, 2), (2, 1)]}
    html = draw_lines(both, first=2)
    assert [line.get("class") for line in svg_of(html).iter("polyline")] == [
        "line series-2",
        "line series-3",
    ]


def test_a_histogram_without_a_spread_says_that_there_is_nothing_to_draw():
    assert "No values yet." in draw("histogram", counts=[], edges=[], title="t", x_label="x")
    assert "No values yet." in draw("histogram", counts=[3], edges=[1, 1], title="t", x_label="x")


def test_a_histogram_whose_edges_do_not_fit_its_counts_is_refused():
    with pytest.raises(ValueError, match="edges has 2 values; 2 counts need one more"):
        draw("histogram", counts=[1, 2], edges=[0, 1], title="t", x_label="x")


def test_a_confusion_matrix_numbers_its_cells_and_counts_what_is_right():
    html = draw("confusion_matrix", matrix=[[8, 2], [0, 1090]], labels=["cat", "dog"])
    assert {"8", "2", "1090"} <= set(texts(html))
    assert "1,098 of 1,100 right" in html
    assert "cat predicted as dog: 2" in html
    shades = [
        float(rect.get("fill-opacity"))
        for rect in svg_of(html).iter("rect")
        if "fill-opacity" in rect.attrib
    ]
    assert shades == pytest.approx([math.sqrt(0.8), math.sqrt(0.2), 1.0], abs=0.01)


def test_a_confusion_matrix_of_many_classes_keeps_its_shades_and_drops_the_numbers():
    size = 30
    matrix = [[1] * size for _ in range(size)]
    html = draw(
        "confusion_matrix", matrix=matrix, labels=[f"class {index}" for index in range(size)]
    )
    assert "1" not in texts(html)
    assert sum("fill-opacity" in rect.attrib for rect in svg_of(html).iter("rect")) == size * size


def test_a_confusion_matrix_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match="square with 2 rows"):
        draw("confusion_matrix", matrix=[[1, 2]], labels=["cat", "dog"])


def test_an_empty_confusion_matrix_says_so():
    assert "No values yet." in draw("confusion_matrix", matrix=[], labels=[])


def test_a_sparkline_tells_its_figures_to_those_who_cannot_see_it():
    html = draw("sparkline", values=[3, 1, 2], label="Balance")
    assert svg_of(html).get("aria-label") == "Balance: from 3 to 2, lowest 1, highest 3"
    assert "no values yet" in draw("sparkline", values=[], label="Balance")


def test_a_picture_is_drawn_in_runs_of_equal_ink():
    html = draw("pixels", values=[0, 16, 16, 8, 0, 99], width=3, height=2, maximum=16, label="a 7")
    paths = {path.get("fill-opacity"): path.get("d") for path in svg_of(html).iter("path")}
    assert paths == {"0.5": "M0 1h1v1h-1z", "1": "M1 0h2v1h-2zM2 1h1v1h-1z"}
    assert svg_of(html).get("aria-label") == "a 7"


def test_a_picture_of_the_wrong_size_is_refused():
    with pytest.raises(ValueError, match="values has 3; 2×2 pixels"):
        draw("pixels", values=[1, 2, 3], width=2, height=2, maximum=1, label="x")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (1797, "1,797"),
        (0.974123, "0.9741"),
        (-2.5, "−2.5"),
        (12345.678, "12,346"),
        (0.00001234, "1.234e−5"),
        (1e300, "1e300"),
        (math.nan, "not a number"),
    ],
)
def test_numbers_are_written_for_people(value, written):
    assert scales.number(value) == written


@given(st.lists(st.floats(-scales.LARGEST, scales.LARGEST), min_size=1, max_size=50))
def test_round_scales_hold_every_value_and_have_few_distinct_ticks(values):
    scale = scales.round_scale(values)
    assert scale.low <= min(values) and max(values) <= scale.high
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 12
    assert all(-1e-9 <= tick.share <= 1 + 1e-9 for tick in ticks)
    assert [tick.value for tick in ticks] == sorted({tick.value for tick in ticks})


@given(st.lists(st.floats(scales.SMALLEST, scales.LARGEST), min_size=1, max_size=50))
def test_logarithmic_scales_hold_every_value(values):
    scale = scales.log_scale(values)
    assert 0 < scale.low <= min(values) and max(values) <= scale.high
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 12
    assert all(-1e-9 <= scale.share(value) <= 1 + 1e-9 for value in values)


@given(st.lists(st.floats(0, 200), min_size=1, max_size=13))
def test_labels_pushed_apart_keep_their_order_and_distance(places):
    moved = scales.apart(places, 15, 200)
    in_order = sorted(moved)
    assert all(
        after - before >= 15 - 1e-9 for before, after in zip(in_order, in_order[1:], strict=False)
    )
    assert in_order[-1] <= 200
    order = sorted(range(len(places)), key=places.__getitem__)
    assert [moved[index] for index in order] == in_order


@given(st.integers(1001, 4000), st.integers(0, 2**32))
def test_thinning_keeps_first_last_lowest_and_highest(length, seed):
    source = random.Random(seed)
    values = [source.gauss() for _ in range(length)]
    points = list(enumerate(values))
    kept = scales.thin(points)
    assert len(kept) <= scales.POINTS_MAX
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    heights = [y for _, y in kept]
    assert (min(heights), max(heights)) == (min(values), max(values))


def test_epochs_are_told_in_whole_numbers_however_few_they_are():
    ticks = scales.exact_scale([1, 12]).ticks()
    assert [tick.label for tick in ticks] == ["3", "6", "9", "12"]
    assert [tick.label for tick in scales.exact_scale([1, 2]).ticks()] == ["1", "2"]


def test_the_last_name_over_a_confusion_matrix_has_room_to_lean():
    drawn = charts.confusion_matrix([[8, 0], [1, 6]], ["versicolor", "virginica"])
    assert drawn["is_steep"]
    assert drawn["width"] >= drawn["size"] + 20


def test_a_short_time_is_told_in_a_unit_that_it_has_some_of():
    assert charts.scaled_figure("p50", 0.0105, "ms") == {
        "label": "p50",
        "value": "10.5",
        "unit": "µs",
        "hint": "",
    }
    assert charts.scaled_figure("Size", 0.00838, "MB")["unit"] == "KB"
    assert charts.scaled_figure("Took", 56.8, "s")["value"] == "56.8"
    assert charts.scaled_figure("Took", None, "s")["value"] == "–"


def test_alice_sees_on_the_curve_where_the_threshold_stands():
    drawn = charts.line_chart(
        {"model": [(0.0, 1.0), (1.0, 0.4)]}, "PR", "recall", "precision", marks={"threshold": 0.5}
    )
    assert drawn["mark_places"][0]["share"] == 0.5
