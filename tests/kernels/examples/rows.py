"""Examples of kernels/ops/rows.py."""

from kernels.ops import apply


def gather(x, a, b, c):
    sources = x.floats(a * c, b), x.whole(a * c, a * c)
    return apply("gather", *sources, sizes={"b": a}, attributes={"steps_per_epoch": c})


def take_rows(x, a, b, c):
    return apply("take_rows", x.floats(8 * a + 1, b), sizes={"b": a}, attributes={"first": 1})


def put_rows(x, a, b, c):
    sources = x.floats(a, b), x.floats(8 * a + 1, b)
    return apply("put_rows", *sources, attributes={"first": 1})


EXAMPLES = {
    "gather": gather,
    "take_rows": take_rows,
    "put_rows": put_rows,
    "measure_columns": lambda x, a, b, c: apply(
        "measure_columns", x.floats(a, b), x.floats(b), x.floats(b)
    ),
    "unstandardise": lambda x, a, b, c: apply(
        "unstandardise", x.floats(a, b), x.floats(b), x.positive(b)
    ),
    "column_product": lambda x, a, b, c: apply("column_product", x.floats(a, b), x.floats(b)),
    "column_quotient": lambda x, a, b, c: apply("column_quotient", x.floats(a, b), x.positive(b)),
    "standardise": lambda x, a, b, c: apply(
        "standardise", x.floats(a, b), x.floats(b), x.positive(b)
    ),
}
TOLERANCES = {}
