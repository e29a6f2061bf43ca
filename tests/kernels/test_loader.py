"""static/predict.mjs, in Node and in Chromium: the bits are ours, and what does not fit is refused.

About three seconds are Chromium's start; Node's is a tenth of one.
"""

import functools
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from kernels.exchange import wasm
from kernels.exchange.wasm import Texts
from tests.kernels.networks import NETWORKS, answers

NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium")
LOADER = Path(__file__).parents[2] / "static" / "predict.mjs"
NAMES = [f"pixel_{number}" for number in range(64)]
TEXTS = Texts({"features": NAMES, "classes": list("abcdefghijklmno"), "vocabulary": []}, {})
POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; object-src 'none'"
BITS = """
async ([loader, model, rows]) => {
  const { load } = await import(loader);
  const found = (await load(model)).run(rows);
  return Object.fromEntries(Object.entries(found).map(
    ([name, values]) => [name, Array.from(new Uint32Array(values.buffer))]));
}
"""


def node(script, *arguments):
    """What an asynchronous function answers in Node, or the name and text of its error."""
    program = (
        f"({script})(JSON.parse(require('fs').readFileSync(0))).then((found) => "
        "console.log(JSON.stringify(found)), (error) => console.log(JSON.stringify(`${error}`)))"
    )
    ran = subprocess.run(
        [NODE, "-e", program],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout)


def bits(network, module):
    found = answers(network, network.rows, module)
    return {name: values.view(np.uint32).ravel().tolist() for name, values in found.items()}


def exported(name, folder, module, texts=TEXTS):
    network = NETWORKS[name]()
    path = folder / f"{name}.wasm"
    path.write_bytes(wasm.export(network.graph, network.arrays, texts, module))
    return network, path


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
@pytest.mark.parametrize("name", NETWORKS)
def test_node_answers_the_same_bits(name, tmp_path, simd):
    network, path = exported(name, tmp_path, simd)
    found = node(BITS, LOADER.as_uri(), path.as_uri(), network.rows.tolist())
    assert found == bits(network, simd)


@pytest.fixture
def served(tmp_path):
    """A folder served under the policy that the pages of the site need for this."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
            ".mjs": "text/javascript"
        }

        def end_headers(self):
            self.send_header("Content-Security-Policy", POLICY)
            super().end_headers()

        def log_message(self, *_):
            pass

    (tmp_path / "index.html").write_text("<!doctype html><title>A page</title>")
    (tmp_path / "predict.mjs").write_bytes(LOADER.read_bytes())
    handler = functools.partial(Handler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, as Debian's package installs it")
def test_chromium_answers_the_same_bits(served, tmp_path, simd):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page()
        page.goto(served)
        for name in NETWORKS:
            network, _ = exported(name, tmp_path, simd)
            arguments = [f"{served}predict.mjs", f"{served}{name}.wasm", network.rows.tolist()]
            assert page.evaluate(BITS, arguments) == bits(network, simd), name
        browser.close()


PREDICT = """
async ([loader, model, rows]) => {
  const { load } = await import(loader);
  return (await load(model)).predict(rows)
    .map(({ label, values }) => ({ label, values: Array.from(values) }));
}
"""


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_an_answer_names_the_likeliest_class(tmp_path, simd):
    network, path = exported("dense", tmp_path, simd)
    expected = answers(network, network.rows, simd)["probabilities"]
    rows = [dict(zip(NAMES, row, strict=True)) for row in network.rows[:3].tolist()]
    rows.append(network.rows[3].reshape(8, 8).tolist())
    found = node(PREDICT, LOADER.as_uri(), path.as_uri(), rows)
    assert [row["label"] for row in found] == [
        "abcdefghijklmno"[at.argmax()] for at in expected[:4]
    ]
    np.testing.assert_array_equal(np.float32([row["values"] for row in found]), expected[:4])


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_tokens_may_be_numbers_words_or_a_text(tmp_path, simd):
    spoken = Texts({"vocabulary": list("abcdefg"), "classes": list("abcdefg")}, {})
    _, path = exported("tokens", tmp_path, simd, spoken)
    rows = [[1, 0, 6, 6, 4, 3], list("baggED".lower()), "bagged"]
    found = node(PREDICT, LOADER.as_uri(), path.as_uri(), rows)
    assert found[0] == found[1] == found[2]
    assert len(found[0]["label"]) == 6  # one for each step


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("dense", [1.0] * 63, "row 0: must have 64 values, not 63"),
        ("dense", [1.0] * 63 + ["much"], 'row 0: value 63 is "much", no number'),
        ("dense", [1.0] * 63 + [""], 'row 0: value 63 is "", no number'),
        ("dense", [1.0] * 63 + [" "], 'row 0: value 63 is " ", no number'),
        ("dense", [1.0] * 63 + ["0x10"], 'row 0: value 63 is "0x10", no number'),
        ("dense", [1.0] * 63 + ["1.5"], 'row 0: value 63 is "1.5", no number'),
        ("dense", [True] + [1.0] * 63, "row 0: value 0 is true, no number"),
        ("dense", [None] + [1.0] * 63, "row 0: value 0 is null, no number"),
        ("dense", dict.fromkeys(NAMES, "2"), 'row 0: value 0 is "2", no number'),
        ("tokens", [None] * 6, "row 0: value 0 is null, no number"),
        ("tokens", [0, 1, 2, 3, 4, False], "row 0: value 5 is false, no number"),
        ("dense", [1.0] * 63 + [1e39], "row 0: value 63 is 1e+39"),
        ("dense", [3e38] * 64, "row 0: its numbers are so large that the network overflows"),
        ("dense", {"pixel_0": 1}, "row 0: has no pixel_1"),
        ("tokens", [0, 1, 2, 3, 4, 7], "row 0: value 5 is 7, no number that the model takes"),
        ("tokens", [0, 1, 2, 3, 4, -1], "row 0: value 5 is -1"),
        ("tokens", [0, 1, 2, 3, 4, 0.5], "row 0: value 5 is 0.5"),
        ("tokens", "bakery", 'row 0: does not know the token "k"'),
    ],
)
def test_rows_that_do_not_fit_are_refused(name, row, message, tmp_path, simd):
    words = {} if name == "dense" else {"vocabulary": list("abcdefg")}
    _, path = exported(name, tmp_path, simd, Texts(dict(TEXTS.signature) | words, {}))
    found = node(PREDICT, LOADER.as_uri(), path.as_uri(), [row])
    assert isinstance(found, str)
    assert found.startswith(f"RangeError: {message}")


LARGE_NUMBERS = """
async ([loader, model, row]) => {
  const { load } = await import(loader), large = BigInt64Array.from(row.map(BigInt));
  const [whole, list, view] = (await load(model)).predict([row, row.map(BigInt), large]);
  return [whole, list, view].map(({ values }) => Array.from(values));
}
"""


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_large_whole_numbers_are_numbers_too(tmp_path, simd):
    _, path = exported("tokens", tmp_path, simd)
    whole, listed, viewed = node(LARGE_NUMBERS, LOADER.as_uri(), path.as_uri(), [1, 0, 6, 6, 4, 3])
    assert whole == listed == viewed


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_a_module_without_a_model_is_refused(simd):
    found = node(PREDICT, LOADER.as_uri(), simd.path.resolve().as_uri(), [[1]])
    assert found == "RangeError: this .wasm holds no model"
