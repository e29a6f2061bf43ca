"""What a reader sees in the picture of a network."""

import re
from xml.etree import ElementTree

from django.template import Context, Template

from kernels import config, outline
from kernels.data import DataShape, Target

TRAINING = {"epochs": 1, "batch_size": 8, "learning_rate": 0.01, "optimizer": "adam"}
PICTURES = DataShape((8, 8, 1), Target.CLASSES, 10)
CONVOLUTIONS = {
    "type": "feedforward",
    "layers": [
        {"type": "conv2d", "params": {"filters": 16, "kernel_size": 3, "padding": "same"}},
        {"type": "maxpool2d", "params": {"pool_size": 2}},
        {"type": "dropout", "params": {"rate": 0.2}},
    ],
}


def draw(architecture: dict[str, object]) -> str:
    network = config.parse({"architecture": architecture, "training": TRAINING}, PICTURES)
    template = Template("{% load architecture %}{% architecture layers %}")
    return template.render(Context({"layers": outline.layers(network)}))


def svgs(html: str) -> list[ElementTree.Element]:
    """Parsed as strict XML, so that broken markup fails the test."""
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]


def test_every_layer_is_a_box_from_the_data_to_what_was_added():
    [svg] = svgs(draw(CONVOLUTIONS))
    words = [span.text for span in svg.iter("tspan")]
    assert words == ["input", "conv2d", "maxpool2d", "dropout", "flatten", "dense"]
    texts = ["".join(text.itertext()) for text in svg.iter("text")]
    assert texts[:2] == ["input", "8 × 8 × 1"]
    assert texts[2] == "conv2d kernel size 3, same, relu"
    assert texts[3] == "8 × 8 × 16 · 160 parameters"
    assert texts[-1] == "10 · 2,570 parameters"


def test_boxes_are_as_wide_as_what_leaves_them_and_stay_inside():
    [svg] = svgs(draw(CONVOLUTIONS))
    boxes = list(svg.iter("rect"))
    widths = [float(rect.get("width").rstrip("%")) for rect in boxes]
    assert max(widths) == widths[1] == 100  # 8 × 8 × 16
    assert widths[-1] == min(widths)
    for rect, width in zip(boxes, widths, strict=True):
        assert float(rect.get("x").rstrip("%")) * 2 + width == 100
    assert int(svg.get("height")) == int(boxes[-1].get("y")) + int(boxes[-1].get("height"))


def test_two_networks_are_two_pictures_with_their_names():
    html = draw({"type": "gan", "latent": 4, "layers": [{"type": "dense", "units": 8}]})
    titles = [svg.find("title").text for svg in svgs(html)]
    assert titles == ["Generator: 3 layers", "Discriminator: 3 layers"]


def test_who_cannot_see_it_hears_the_layers_in_order_and_finds_a_table():
    html = draw(CONVOLUTIONS)
    [svg] = svgs(html)
    assert svg.find("desc").text.startswith("input, 8 × 8 × 1; conv2d (")
    table = html[html.index("<table>") :]
    assert table.count('<th scope="row">') == 6
    assert "2,570" in table
    assert "Show as table: 5 layers, 2,730 parameters" in html
