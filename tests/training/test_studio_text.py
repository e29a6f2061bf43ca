"""A network as text in the studio: pasted, changed, refused."""

import json

import pytest

from tests.conftest import SMALL
from tests.training.test_studio import at, studio
from training import services as training
from training.forms import literals
from training.forms.compositions import composed, config_of, texts_of
from training.models import Job

__all__ = ["studio"]
SEED_EXAMPLE = """const config = {
  architecture: {
    type: "transformer",
    layers: [
      { type: "embedding", params: { vocab_size: 10000, embed_dim: 256 }},
      { type: "attention", params: { heads: 8, dropout: 0.1 }},
      { type: "feedforward", params: { hidden_dim: 1024, dropout: 0.1 }}
    ]
  },
  training: {
    epochs: 10,
    batch_size: 32,
    learning_rate: 0.001,
    optimizer: "adam"
  },
  divergent: {
    enabled: true,
    pattern: "lateral",
    factor: 0.3
  }
}
"""


# ------------------------------------------------------------------------------------------ as JSON


def test_the_text_is_the_same_network_and_fills_the_list(studio):
    assert json.loads(studio.form.values["config"]) == studio.config
    studio.press("apply", config=json.dumps(SMALL))
    assert studio.layers == ["input", "hidden", "output"]
    assert studio.form.values[at(1, "size")] == "32"
    assert studio.form.values["training.learning_rate"] == "0.003"


def test_a_changed_text_counts_without_being_applied_first(studio):
    studio.press("start", config=json.dumps(SMALL))
    assert Job.objects.get().config["architecture"] == SMALL["architecture"]


def test_text_and_layers_that_were_both_changed_are_not_mixed(studio):
    typed = {"config": json.dumps(SMALL), at(1, "size"): "99"}
    studio.press("start", **typed)
    assert "apply the text, or discard it" in studio.page
    assert studio.form.values["config"] == json.dumps(SMALL)
    assert studio.form.values[at(1, "size")] == "99"
    studio.press("discard")
    assert studio.form.values[at(1, "size")] == "99"
    assert json.loads(studio.form.values["config"]) == studio.config
    assert not Job.objects.exists()


def test_the_seeds_example_can_be_pasted_as_it_is(studio):
    studio.press("apply", config=SEED_EXAMPLE)
    assert studio.layers == ["embedding", "attention", "feedforward"]
    assert studio.config["divergent"] == {"enabled": True, "pattern": "lateral", "factor": 0.3}
    assert "&#x27;embedding&#x27; takes tokens, and the data are numbers" in studio.page


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1, column 2"),
        ('{"a": 1,\n "b" 2}', "line 2, column 6"),
        ("{a: 1,\n bcd: 2,\n e: oops}", "line 3, column 5"),
        ("{a: 'it', /* two\nlines */ b: }", "line 2, column 13"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5_000, "digits"),
        ('{"a": NaN}', "NaN"),
        ('{"\\ud800": "half"}', "surrogate"),
        ('{"half": "\\ud800"}', "surrogate"),
        ("", "line 1, column 1"),
    ],
)
def test_text_that_cannot_be_read_is_answered_with_its_place(text, said):
    with pytest.raises(literals.NotALiteral, match=said):
        literals.read(text)


def test_remarks_bare_names_and_last_commas_are_read():
    text = """// mine
    let it = { a: 'it\\'s', "b": "// no remark", c: [1, 2, ], /* and
    so on */ $d: {e: true,}, };"""
    assert literals.read(text) == {"a": "it's", "b": "// no remark", "c": [1, 2], "$d": {"e": True}}


@pytest.mark.parametrize(
    "config",
    [
        [],
        {"architecture": []},
        {"architecture": {"type": "feedforward", "layers": "dense"}},
        {"architecture": {"type": "feedforward", "layers": [3]}},
        {"architecture": {"type": "feedforward", "layers": [{"type": "dense", "unit": 3}]}},
        {"architecture": {"type": "feedforward", "layers": [{"type": "dens"}] * 65}},
        {"architecture": {"type": 3, "layers": []}, "training": {"epoch": 3}, "divergent": 0},
    ],
)
def test_json_that_no_list_can_show_is_kept_with_the_reason(studio, config):
    text = json.dumps(config)
    studio.press("start", config=text)
    assert studio.form.values["config"] == text
    reason = studio.page.partition('id="config-error">')[2].partition("</div>")[0]
    assert "architecture" in reason or "must be an object" in reason
    assert studio.layers == ["input", "hidden", "dropout", "output"]
    assert not Job.objects.exists()


def test_every_preset_is_the_same_network_after_the_studio():
    for preset in training.presets_of("digits"):
        shown = composed(preset.config)
        assert composed(shown) == shown
        assert config_of(texts_of(shown)) == shown
