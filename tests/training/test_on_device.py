"""What a visitor's browser answers by itself has the bits of the server: static/*.mjs, in Node."""

import io
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from governance.services import Refusal
from kernels import build, generator, sampling
from kernels.exchange.wasm import Texts
from tests.kernels.networks import answers
from tests.kernels.test_loader import exported, node
from training.runner import anomalies, pixels, tokenizers
from training.runner.pixels import pixels_of
from training.runner.recipes import Recipe, encode_rows
from training.services.numerals import read_numeral, read_numerals

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
STATIC = Path(__file__).parents[2] / "static"
ASKING, CHANCE, LOADER, PICTURE = (
    (STATIC / f"{name}.mjs").as_uri() for name in ("asking", "chance", "predict", "picture")
)
WORDS = ("the", "cat", "sat", "straße", "été")
VOCABULARY = [*tokenizers.RESERVED, *WORDS]
TEXT = {
    "kind": "text",
    "columns": [{"name": "text", "kind": "text", "role": "feature"}],
    "tokenizer": "words",
    "steps": 6,
    "vocabulary": VOCABULARY,
}


def recipe_texts(recipe):
    return Texts({"features": [], "classes": [], "recipe": recipe}, {})


def test_a_seed_draws_the_same_noise():
    script = """async ([chance, seed]) => Array.from(
        new Uint32Array((await import(chance)).normals(50_001, BigInt(seed)).slice().buffer))"""
    for seed in (0, 2**62 + 12_345):
        drawn = generator.draw_latent(1, 50_001, seed=seed, module=build.module())
        assert node(script, CHANCE, str(seed)) == drawn.view(np.uint32).ravel().tolist()


def test_a_gan_makes_the_same_examples(tmp_path):
    network, path = exported("gan", tmp_path, build.module())
    script = """async ([loader, asking, path, fields]) => {
      const { load } = await import(loader), { examples } = await import(asking);
      return examples(await load(path), fields).map((each) => Array.from(each));
    }"""
    noise = generator.draw_latent(7, 4, seed=3, module=build.module())
    found = node(script, LOADER, ASKING, path.as_uri(), {"count": "7", "seed": "3"})
    assert np.array_equal(found, answers(network, noise, build.module())["examples"].reshape(7, -1))


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.7, "seed": 5},
        {"temperature": 3.0, "top_k": 4, "seed": 2**40},
        {"temperature": 0.0},
    ],
    ids=["warm", "wild, of few", "cold"],
)
def test_a_text_goes_on_the_same_way(tmp_path, settings):
    network, path = exported("decoder of text", tmp_path, build.module(), recipe_texts(TEXT))
    script = """async ([loader, asking, path, fields]) => {
      const { load } = await import(loader), { written } = await import(asking);
      return written(await load(path), fields);
    }"""
    prompt = tokenizers.numbers_of("The cat, SAT", "words", VOCABULARY).tolist()
    went_on = sampling.generate(
        lambda rows: next(iter(answers(network, rows, build.module()).values())),
        prompt,
        40,
        steps=6,
        module=build.module(),
        **settings,
    )
    fields = {"text": "The cat, SAT", "length": "40"} | {k: str(v) for k, v in settings.items()}
    expected = tokenizers.decode(went_on, "words", VOCABULARY)
    assert node(script, LOADER, ASKING, path.as_uri(), fields) == expected


SCORE = """async ([asking, rows, found, scale]) => {
  const { scoreOf } = await import(asking), parameter = () => Float32Array.from(scale);
  return rows.map((row, at) =>
    scoreOf({ parameter, run: () => [Float32Array.from(found[at])] }, row));
}"""


@pytest.mark.parametrize("columns", [3, 8, 30, 129, 700])
def test_a_row_is_as_unusual(columns):
    """However many columns a mean is of: sums of many numbers depend on the order."""
    rows, found = np.random.default_rng(columns).standard_normal((2, 5, columns)).astype(np.float32)
    scale = np.random.default_rng(1).uniform(0.1, 9, columns).astype(np.float32)
    model = SimpleNamespace(arrays={"input.scale": scale})
    expected = [
        anomalies.scores(model, row[None], other[None])[0]
        for row, other in zip(rows, found, strict=True)
    ]
    given = (rows.tolist(), found.tolist(), scale.tolist())
    assert node(SCORE, ASKING, *given) == expected


def test_an_autoencoder_says_in_its_file_how_its_columns_are_spread(tmp_path):
    network, path = exported("autoencoder", tmp_path, build.module())
    script = """async ([loader, path]) =>
      Array.from((await (await import(loader)).load(path)).parameter("input.scale"))"""
    found = node(script, LOADER, path.as_uri())
    assert np.array_equal(np.float32(found), network.arrays["input.scale"])


ROWS = "async ([asking, recipe, all]) => {\n" + (
    "const { rowOf } = await import(asking); return all.map((each) => rowOf({ recipe }, each)); }"
)


def test_texts_become_the_same_tokens():
    texts = ["The cat sat.", "STRASSE straße ÉTÉ été", "cat_sat the\u00a0cat", "x " * 9 + "the the"]
    texts[-1] = "the " * 9
    found = node(ROWS, ASKING, TEXT, [{"text": text} for text in texts])
    assert found == encode_rows(Recipe.from_json(TEXT), texts).tolist()


def test_a_series_becomes_the_same_steps():
    recipe = {
        "kind": "series",
        "window": 3,
        "horizon": 1,
        "season": 1,
        "columns": [
            {"name": "sky", "kind": "category", "role": "feature", "values": ["grey", "blue"]},
            {"name": "heat", "kind": "number", "role": "target"},
        ],
    }
    typed = {"sky": "grey\nblue\ngrey\nblue", "heat": "1 2.5; -3e2\n0.1"}
    told = {"sky": ["grey", "blue", "grey", "blue"], "heat": [1, 2.5, -300, 0.1]}
    (found,) = node(ROWS, ASKING, recipe, [typed])
    expected = encode_rows(Recipe.from_json(recipe), [told]).ravel()
    assert np.array_equal(np.float32(found), expected)


ONE = "1.5|1,5|1,234|1.234|1,234.5|1.234,5|1.234.567|0,5|.5|,5|-3e2|+7|12,|0,123|1,000,000|"
SEVERAL = "1,2,3|1 2 3|1, 2, 3|1,5;2,5|1;2|1,5 2,5|1,23,4|a,b|7 x|1e5,2|1 2,3|NA 2"
TYPED = [*ONE.split("|"), *SEVERAL.split("|"), "1,5\n2,5", "1.5\n2"]


def read_or_none(read, *given, **options):
    try:
        return read(*given, **options)
    except Refusal:
        return None


def test_numbers_are_read_however_they_are_typed_and_what_is_unclear_is_refused():
    script = """async ([numerals, all]) => {
      const { numeral, numerals: several } = await import(numerals);
      const read = (act) => { try { return act(); } catch { return null; } };
      return all.map((text) => [read(() => numeral(text)),
        read(() => several(text, true)), read(() => several(text, false))]);
    }"""
    expected = [
        [
            read_or_none(read_numeral, text),
            read_or_none(read_numerals, text, has_lines=True),
            read_or_none(read_numerals, text, has_lines=False),
        ]
        for text in TYPED
    ]
    assert node(script, (STATIC / "numerals.mjs").as_uri(), TYPED) == expected


# Pictures


def png(mode: str, size: tuple[int, int], **options) -> bytes:
    rng, made = np.random.default_rng(len(mode) + sum(size)), io.BytesIO()
    if mode == "I;16":
        picture = Image.fromarray(rng.integers(0, 2**16, size[::-1]).astype(np.uint16))
    else:
        bands = len(Image.new(mode, (1, 1)).getbands())
        shape = (*size[::-1], bands) if bands > 1 else size[::-1]
        values = rng.integers(0, 256, shape).astype(np.uint8)
        base = "L" if bands == 1 else mode
        picture = Image.fromarray(values, base) if bands > 1 else Image.fromarray(values)
        picture = picture.quantize(options.pop("colours", 16)) if mode == "P" else picture
        picture = picture.convert("1") if mode == "1" else picture
    picture.save(made, "PNG", **options)
    return made.getvalue()


PNGS = {
    "grey": png("L", (37, 23)),
    "as it is": png("RGB", (8, 8)),
    "colours": png("RGB", (61, 47)),
    "smaller": png("RGB", (3, 5)),
    "wider": png("L", (90, 4)),
    "taller": png("RGB", (19, 31)),  # which Pillow makes lower before it makes it narrower
    "seen through": png("RGBA", (19, 31)),
    "grey, seen through": png("LA", (20, 9)),
    "deep": png("I;16", (12, 15)),
    "black and white": png("1", (29, 17)),
    "of 16 colours": png("P", (21, 22)),
    "of 200 colours": png("P", (33, 20), colours=200),
    "one colour clear": png("P", (21, 22), transparency=3),
    "some clear": png("P", (21, 22), transparency=bytes([0, 90, 255, 180])),
    "one grey clear": png("L", (40, 40), transparency=77),
}


@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_becomes_the_same_pixels(channels):
    script = """async ([picture, files, recipe]) => {
      const { numbersOf } = await import(picture), found = [];
      for (const file of files) found.push(Array.from(
        await numbersOf(new Uint8Array(Buffer.from(file, "hex")), recipe) ?? []));
      return found;
    }"""
    recipe = {"height": 8, "width": 8, "channels": channels, "white": 1}
    found = node(script, PICTURE, [file.hex() for file in PNGS.values()], recipe)
    for name, numbers in zip(PNGS, found, strict=True):
        seen = pixels_of(pixels.open_picture(PNGS[name]), (8, 8, channels))
        expected = (seen * np.float32(1 / 255)).ravel()
        assert np.array_equal(np.float32(numbers), expected), name


def test_a_file_that_is_not_read_alike_everywhere_is_left_to_the_site():
    script = """async ([picture, files, recipe]) => {
      const { numbersOf } = await import(picture);
      return Promise.all(files.map((file) =>
        numbersOf(new Uint8Array(Buffer.from(file, "hex")), recipe)));
    }"""
    turned, jpeg = Image.Exif(), io.BytesIO()
    turned[0x0112] = 6
    Image.new("RGB", (9, 9)).save(jpeg, "JPEG")
    whole = PNGS["colours"]
    files = [jpeg.getvalue(), png("RGB", (9, 7), exif=turned), whole[:-40], b"", b"\x89PNG"]
    recipe = {"height": 8, "width": 8, "channels": 3, "white": 255}
    assert node(script, PICTURE, [file.hex() for file in files], recipe) == [None] * 5
