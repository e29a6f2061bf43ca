"""ONNX from elsewhere: it answers as in ONNX Runtime, and what is not known here is named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper, parser

from kernels import forward
from kernels.exchange import onnx_reader, onnx_writer
from kernels.exchange.onnx_values import OnnxRefused
from tests.kernels.networks import NETWORKS, Network, answers
from tests.kernels.test_onnx import TEXTS, assert_close, run

HEADER = '<ir_version: 8, opset_import: ["" : 17]>\n'


def model(text, seed=0, **arrays):
    """ONNX from its text; a weight is given as its shape, or as numbers."""
    made = parser.parse_model(HEADER + text)
    rng = np.random.default_rng(seed)
    for name, of in arrays.items():
        values = rng.standard_normal(of).astype(np.float32) if isinstance(of, tuple) else of
        made.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    return made


def check_import(made, rows, module, sizes=None):
    """What is read from a file answers for `rows` as ONNX Runtime does for the file."""
    blob = made.SerializeToString()
    found = onnx_reader.read(blob, sizes)
    expected = run(blob, {made.graph.input[0].name: rows})
    ours = rows.astype("u4") if rows.dtype.kind == "i" else rows
    if found.is_channels_last:
        ours = np.ascontiguousarray(ours.transpose(0, 2, 3, 1))
    got = answers(Network(found.graph, found.arrays, ours), ours, module)
    assert set(got) == set(expected)
    for name, values in expected.items():
        assert_close(got[name], values)
    return found


# maps of attention and weights of one byte go out, and do not come back
NOT_READ = {
    "encoder": "output 'weights' is not computed row by row",
    "quantised": "'dense4.weight' holds numbers of type INT8; export it as FLOAT",
    "quantised decoder": "holds numbers of type INT8; export it as FLOAT",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_we_wrote_we_read(name, simd):
    network = NETWORKS[name]()
    blob = onnx_writer.export(network.graph, network.arrays, TEXTS)
    if name in NOT_READ:
        with pytest.raises(OnnxRefused, match=NOT_READ[name]):
            onnx_reader.read(blob)
        return
    found = onnx_reader.read(blob)
    expected = answers(network, network.rows, simd)
    got = answers(Network(found.graph, found.arrays, network.rows), network.rows, simd)
    for output, values in expected.items():
        assert_close(got[output], values)


def test_a_classifier_is_read(simd):
    made = model(
        """mlp (float[N, 4] x) => (float[N, 3] y) {
            s = Sub(x, mean)  t = Div(s, scale)
            h = Gemm<transB = 1>(t, w, b)  r = Relu(h)
            m = MatMul(r, v)  a = Add(c, m)  y = Softmax<axis = 1>(a)
        }""",
        mean=(4,), scale=np.array([1, 2, 3, 4], "f4"), w=(5, 4), b=(5,), v=(5, 3), c=(3,),
    )  # fmt: skip
    found = check_import(made, np.random.default_rng(1).standard_normal((9, 4)).astype("f4"), simd)
    kinds = [node["op"] for node in found.graph["nodes"]]
    assert kinds == ["bias", "column_quotient", "dense", "dense", "softmax"]


PICTURES = """cnn (float[N, 3, 9, 8] x) => (float[N, 5] y) {
    a = Conv<pads = [1, 1, 1, 1]>(x, w, b)
    n = BatchNormalization<epsilon = 0.001>(a, gain, bias, mean, variance)
    r = Relu(n)  p = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(r)
    q = Conv<strides = [2, 2], auto_pad = "SAME_UPPER">(p, v)
    s = Sigmoid(q)  g = Mul(q, s)
    f = Flatten(g)  y = Gemm<alpha = 0.5, transB = 1>(f, u, c)
}"""


def test_a_network_of_pictures_is_read_channels_last(simd):
    made = model(
        PICTURES, w=(6, 3, 3, 3), b=(6,), gain=(6,), bias=(6,), mean=(6,),
        variance=np.arange(1, 7, dtype="f4"), v=(4, 6, 3, 3), u=(5, 16), c=(5,),
    )  # fmt: skip
    rows = np.random.default_rng(2).standard_normal((3, 3, 9, 8)).astype("f4")
    found = check_import(made, rows, simd)
    assert found.is_channels_last
    kinds = [node["op"] for node in found.graph["nodes"] if node["op"] != "reshape"]
    assert kinds == ["conv2d", "maxpool2d", "conv2d", "dense"]  # all that is between is taken in
    assert found.graph["inputs"][0]["shape"] == [1, 9, 8, 3]


def test_normalisation_over_the_rows_is_taken_in_or_done_after(simd):
    """After a layer that ends linear its weights do it; after an activation nothing can."""
    text = """a = Gemm(x, w, b)  n = BatchNormalization(a, g, s, m, v)
        r = Relu(n)  y = BatchNormalization(r, g, s, m, v)"""
    four = dict.fromkeys("bgsm", (4,))
    made = one(text, w=(4, 4), v=np.arange(1, 5, dtype="f4"), **four)
    rows = np.random.default_rng(9).standard_normal((5, 4)).astype("f4")
    found = check_import(made, rows, simd)
    kinds = [node["op"] for node in found.graph["nodes"]]
    assert kinds == ["dense", "column_product", "bias"]


def test_normalisation_of_steps_is_not_mistaken_for_that_of_columns(simd):
    made = model(
        """s (float[N, 4, 4] x) => (float[N, 4, 4] y) {
            a = MatMul(x, w)  h = Add(a, b)  y = BatchNormalization(h, g, s, m, v)
        }""",
        w=(4, 4), v=np.arange(1, 5, dtype="f4"), **dict.fromkeys("bgsm", (4,)),
    )  # fmt: skip
    check_import(made, np.random.default_rng(10).standard_normal((3, 4, 4)).astype("f4"), simd)


def test_a_mean_over_places_is_read(simd):
    text = """gap (float[N, 2, 5, 6] x) => (float[N, 3] y) {
        a = Conv(x, w)  t = Tanh(a)  g = GlobalAveragePool(t)
        shape = Shape(t)  n = Slice(shape, zero, one)  rest = Constant<value_ints = [-1]>()
        to = Concat<axis = 0>(n, rest)  f = Reshape(g, to)  y = MatMul(f, v)
    }"""
    whole = {"zero": np.array([0]), "one": np.array([1])}
    made = model(text, w=(4, 2, 3, 2), v=(4, 3), **whole)
    rows = np.random.default_rng(3).standard_normal((4, 2, 5, 6)).astype("f4")
    check_import(made, rows, simd)


@pytest.mark.parametrize("operator", ["Div", "Mod", "Mod<fmod = 1>"])
def test_whole_numbers_are_divided_as_elsewhere(operator, simd):
    left, right = np.array([7, -7, 7, -7, 6, -6, 0, -1]), np.array([2, 2, -2, -2, 3, 3, -5, 5])
    text = (
        "d (float[N, 8] x) => (float[N, 8] y)"
        f" {{ c = {operator}(left, right) f = Cast<to = 1>(c) y = Add(x, f) }}"
    )
    check_import(model(text, left=left, right=right), np.zeros((2, 8), "f4"), simd)


@pytest.mark.parametrize("axes", ["(x, none)", "(x)"])
def test_a_mean_over_no_axes_is_one_over_all_unless_told_otherwise(axes, simd):
    def mean(told):
        text = f"{{ m = ReduceMean{told}{axes} y = Relu(m) }}"
        made = model(
            f"m (float[N, 3, 4] x) => (float[N, 3, 4] y) {text}", none=np.array([], np.int64)
        )
        made.opset_import[0].version = 18
        return made

    rows = np.random.default_rng(8).standard_normal((3, 3, 4)).astype("f4")
    check_import(mean("<noop_with_empty_axes = 1>"), rows, simd)
    for told in ("<noop_with_empty_axes = 0>", ""):
        with pytest.raises(OnnxRefused, match="takes a mean over the rows"):
            onnx_reader.read(mean(told).SerializeToString())


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_a_recurrent_network_is_read(direction, simd):
    """As PyTorch writes one: steps first, directions joined by a reshape, computed zeros."""
    directions = 2 if direction == "bidirectional" else 1
    text = f"""lstm (float[N, T, 3] x) => (float[N, T, {4 * directions}] y, float[N, 4] end) {{
        shape = Shape(x)  n = Slice(shape, zero, one)
        to = Concat<axis = 0>(d, n, four)  first = ConstantOfShape(to)
        s = Transpose<perm = [1, 0, 2]>(x)
        o, h, c = LSTM<hidden_size = 4, direction = "{direction}">(s, w, r, b, , first, first)
        u = Transpose<perm = [0, 2, 1, 3]>(o)  v = Reshape(u, same)
        y = Transpose<perm = [1, 0, 2]>(v)
        end = Gather<axis = 0>(h, last)
    }}"""
    made = model(
        text, zero=np.array([0]), one=np.array([1]), four=np.array([4]), same=np.array([0, 0, -1]),
        d=np.array([directions]), last=np.array(directions - 1),
        w=(directions, 16, 3), r=(directions, 16, 4), b=(directions, 32),
    )  # fmt: skip
    rows = np.random.default_rng(4).standard_normal((5, 6, 3)).astype("f4")
    check_import(made, rows, simd, {"T": 6})


TRANSFORMER = """encoder (int64[N, 5] tokens) => (float[N, 5, 7] y) {
    e = Gather(table, tokens)  x = Add(e, places)
    norm = LayerNormalization(x, gain, bias)
    q = MatMul(norm, wq)  k = MatMul(norm, wk)  v0 = MatMul(norm, wv)  vb = Add(v0, bv)
    qh = Reshape(q, heads)  kh = Reshape(k, heads)  vh = Reshape(vb, heads)
    qt = Transpose<perm = [0, 2, 1, 3]>(qh)  kt = Transpose<perm = [0, 2, 3, 1]>(kh)
    vt = Transpose<perm = [0, 2, 1, 3]>(vh)
    SCORES
    o = MatMul(p, vt)  ot = Transpose<perm = [0, 2, 1, 3]>(o)  flat = Reshape(ot, joined)
    out = MatMul(flat, wo)  sum = Add(x, out)
    l = MatMul(sum, head)  y = Softmax(l)
}"""
PLAIN = "s = MatMul(qt, kt)  r = Div(s, root)  p = Softmax<axis = 3>(r)"
CAUSAL = "s = MatMul(qt, kt)  r = Div(s, root)  m = Add(r, mask)  p = Softmax(m)"
SHARP = "z = Mul(qt, root)  s = MatMul(z, kt)  p = Softmax(s)"


def transformer(scores, **more):
    return model(
        TRANSFORMER.replace("SCORES", scores), table=(11, 8), places=(5, 8), gain=(8,), bias=(8,),
        wq=(8, 8), wk=(8, 8), wv=(8, 8), bv=(8,), wo=(8, 8), head=(8, 7),
        heads=np.array([0, 0, 2, 4]), joined=np.array([0, 0, 8]), root=np.array(2, "f4"), **more,
    )  # fmt: skip


def test_a_transformer_is_read_with_its_attention(simd):
    mask = np.triu(np.full((5, 5), -np.inf, "f4"), 1)
    rows = np.random.default_rng(5).integers(0, 11, (4, 5))
    for scores, more in ((PLAIN, {}), (CAUSAL, {"mask": mask}), (SHARP, {})):
        found = check_import(transformer(scores, **more), rows, simd)
        nodes = [node for node in found.graph["nodes"] if node["op"] == "attention"]
        assert [node["sizes"] for node in nodes] == [{"h": 2}]
        assert nodes[0]["attributes"]["causal"] == int(scores is CAUSAL)


MERGED = """heads (float[N, 5, 8] x) => (float[N, 5, 8] y) {
    t = Transpose<perm = [1, 0, 2]>(x)
    product = MatMul(t, w)  qkv = Add(product, b)  q, k, v = Split<axis = 2>(qkv)
    shape = Shape(t)  n = Gather(shape, one)  nh = Mul(n, two)  n1 = Unsqueeze(n, zeros)
    nh1 = Unsqueeze(nh, zeros)  to = Concat<axis = 0>(five, nh1, four)
    qr = Reshape(q, to)  kr = Reshape(k, to)  vr = Reshape(v, to)
    qt = Transpose<perm = [1, 0, 2]>(qr)  kt = Transpose<perm = [1, 2, 0]>(kr)
    vt = Transpose<perm = [1, 0, 2]>(vr)
    width = Cast<to = 1>(two)  square = Mul(width, width)  root = Sqrt(square)
    s = MatMul(qt, kt)  r = Div(s, root)
    ones = ConstantOfShape<value = float[1] {1}>(steps)  late = Trilu<upper = 1>(ones, one)
    none = Mul(late, nothing)  hidden = Greater(late, none)  m = Where(hidden, low, r)
    p = Softmax<axis = -1>(m)
    o = MatMul(p, vt)  ot = Transpose<perm = [1, 0, 2]>(o)  flat = Reshape(ot, rest)
    z = Gemm(flat, wo, bo)  back = Concat<axis = 0>(five, n1, eight)
    u = Reshape(z, back)  y = Transpose<perm = [1, 0, 2]>(u)
}"""


def test_heads_and_steps_may_share_an_axis_with_the_rows(simd):
    """As PyTorch's MultiheadAttention is written: steps first, the heads within the rows."""
    whole = {"one": 1, "two": 2, "zeros": [0], "five": [5], "four": [4], "eight": [8]}
    made = model(
        MERGED, w=(8, 24), b=(24,), wo=(8, 8), bo=(8,), nothing=np.array(0, "f4"),
        low=np.array(-np.inf, "f4"), steps=np.array([5, 5]), rest=np.array([-1, 8]),
        **{name: np.array(value) for name, value in whole.items()},
    )  # fmt: skip
    rows = np.random.default_rng(6).standard_normal((3, 5, 8)).astype("f4")
    found = check_import(made, rows, simd)
    kinds = [node["op"] for node in found.graph["nodes"] if node["op"] != "reshape"]
    assert kinds == ["dense", "attention", "dense"]


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_both_kinds_of_gelu_are_read(approximate, simd):
    made = one(f'y = Gelu<approximate = "{approximate}">(x)')
    made.opset_import[0].version = 20
    rows = np.random.default_rng(8).standard_normal((50, 4)).astype("f4") * 3
    check_import(made, rows, simd)


def test_a_sigmoid_of_itself_is_a_silu(simd):
    made = one("a = Gemm(x, w, b)  s = Sigmoid(a)  y = Mul(s, a)", w=(4, 4), b=(4,))
    rows = np.random.default_rng(7).standard_normal((3, 4)).astype("f4")
    found = check_import(made, rows, simd)
    assert [node["op"] for node in found.graph["nodes"]] == ["dense"]


def one(text, **arrays):
    """One operator on (N, 4)."""
    return model(f"one (float[N, 4] x) => (float[N, 4] y) {{ {text} }}", **arrays)


@pytest.mark.parametrize(
    ("text", "arrays", "reason"),
    [
        ("y = Sinh(x)", {}, r"'y' \(Sinh\): there is no op here that means this"),
        ("y = NonZero(x)", {}, r"\(NonZero\): there is no op"),
        ("y = LeakyRelu<alpha = 0.2>(x)", {}, "alpha is 0.2"),
        ("y = Gemm<transA = 1>(x, w)", {"w": (4, 4)}, "transA is 1"),
        ("y = Softmax<axis = 0>(x)", {}, "axis 0 is not the last"),
        ("y = Transpose(x)", {}, "is not computed row by row"),
        ("y = MatMul(x, w)", {"w": (5, 4)}, r"multiplies \(1, 4\) by a weight \(5, 4\)"),
        ("y = Gather(x, at)", {"at": np.array(0)}, "takes parts along the axis of the rows"),
        ("y = Add(x, w)", {"w": (2, 4)}, r"a constant \(2, 4\) beside \(1, 4\)"),
        ("y = Add(x, w)", {"w": np.array([np.nan], "f4")}, "not finite"),
        ("y = Reshape(x, to)", {"to": np.array([3, -1])}, "cannot turn"),
        ("y = Reshape(x, to)", {"to": np.array([4, -1])}, "mixes the rows with other axes"),
        ("y = Identity(w)", {"w": (3, 4)}, "is not computed row by row"),
        ("y = Add(x, z)", {}, "'z' is not computed before"),
        ("x = Relu(x)", {}, "the name 'x' is given twice"),
        ("y = Clip(x, low, high)", {"low": np.array(0, "f4"), "high": np.array(6, "f4")}, "clips"),
        ("y = ConstantOfShape<value = 3>(w)", {"w": np.array([4])}, "value must be a tensor"),
        ('y = ConstantOfShape<value = "a">(w)', {"w": np.array([4])}, "value must be a tensor"),
        ("y = Unsqueeze(x, at)", {"at": np.array([0, 0])}, r"axes \[0, 0\] name one of 4 twice"),
        ("y = Relu<axis = 1>(x) z = Slice(x, a, b)", {"a": np.array([9]), "b": (1,)}, "Slice"),
    ],
)
def test_what_is_not_known_here_is_refused_by_name(text, arrays, reason):
    with pytest.raises(OnnxRefused, match=reason):
        onnx_reader.read(one(text, **arrays).SerializeToString())


def test_weights_in_another_file_are_always_refused():
    for where in ("initializer", "constant"):
        made = one("y = Add(x, w)", w=(4,))
        tensor = made.graph.initializer[0]
        if where == "constant":
            made = one("y = Relu(x)")
            made.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=tensor))
            tensor = made.graph.node[0].attribute[0].t
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "/etc/passwd"
        with pytest.raises(OnnxRefused, match="external_data"):
            onnx_reader.read(made.SerializeToString())


def test_files_that_are_none_or_hide_something_are_refused():
    for blob in (b"", b"\x00\x01", b"safetensors", b"\xff" * 100):
        with pytest.raises(OnnxRefused, match="no ONNX file"):
            onnx_reader.read(blob)
    made = one("y = Relu(x)")
    made.functions.add().name = "mine"
    with pytest.raises(OnnxRefused, match="functions of its own"):
        onnx_reader.read(made.SerializeToString())
    made = one("y = Relu(x)")
    made.graph.node[0].domain = "com.microsoft"
    with pytest.raises(OnnxRefused, match="belongs to 'com.microsoft'"):
        onnx_reader.read(made.SerializeToString())
    made = one("y = Relu(x)")
    made.opset_import[0].version = 99
    with pytest.raises(OnnxRefused, match="opset 99, known are 7 to 26"):
        onnx_reader.read(made.SerializeToString())


def test_a_normalisation_in_pieces_is_told_what_would_do():
    made = model(
        "s (float[N, 3, 4] x) => (float[N, 3, 1] y) { y = ReduceMean<axes = [-1]>(x) }"
    ).SerializeToString()
    with pytest.raises(OnnxRefused, match="export it with opset 17 or later"):
        onnx_reader.read(made)


def test_an_open_axis_wants_a_size():
    blob = model("s (float[N, T, 2] x) => (float[N, T, 2] y) { y = Relu(x) }").SerializeToString()
    with pytest.raises(OnnxRefused, match=r"input 'x', axis 1 \(T\) has no size"):
        onnx_reader.read(blob)
    found = onnx_reader.read(blob, {"T": 3})
    assert forward.from_json(found.graph, 2).outputs["y"].shape == (2, 3, 2)
    fixed = model("s (float[8, 2] x) => (float[8, 2] y) { y = Relu(x) }").SerializeToString()
    with pytest.raises(OnnxRefused, match="is for 8 rows at once"):
        onnx_reader.read(fixed)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_a_file_says_it_is_read_or_refused(data):
    """Fields of a good file, changed at random: attributes, operands, shapes, types."""
    made = transformer(CAUSAL, mask=np.zeros((5, 5), "f4"))
    for _ in range(data.draw(st.integers(1, 3))):
        node = data.draw(st.sampled_from(list(made.graph.node)))
        names = [*node.input, *(other.name for other in made.graph.initializer), "tokens", ""]
        match data.draw(st.integers(0, 4)):
            case 0:
                kinds = ["Add", "MatMul", "Reshape", "Split", "Concat", "LSTM", "Conv", "Gather"]
                node.op_type = data.draw(st.sampled_from([*kinds, "MaxPool", "ReduceMean", "Gemm"]))
            case 1:
                del node.input[:]
                node.input.extend(data.draw(st.lists(st.sampled_from(names), max_size=4)))
            case 2:
                del node.attribute[:]
                key = data.draw(st.sampled_from(["axis", "perm", "axes", "strides", "transB"]))
                value = data.draw(st.integers(-9, 9) | st.lists(st.integers(-9, 9), min_size=1))
                node.attribute.append(helper.make_attribute(key, value))
            case 3:
                tensor = data.draw(st.sampled_from(list(made.graph.initializer)))
                tensor.dims[:] = data.draw(st.lists(st.integers(-1, 2**40), max_size=4))
            case 4:
                tensor = data.draw(st.sampled_from(list(made.graph.initializer)))
                tensor.data_type = data.draw(st.integers(0, 22))
    blob = made.SerializeToString()
    try:
        found = onnx_reader.read(blob)
    except OnnxRefused as error:
        assert len(str(error)) < 1_000
        return
    forward.from_json(found.graph, 3)
