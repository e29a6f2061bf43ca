"""THE TABLE: one row per op.

A row is the op's shape rule, its plain version in NumPy, its gradient, and (by its place) its
opcode. The plain version is the law: the C kernel of the same name is held to it by the tests. All
of them work in the precision of their inputs, so that gradients can be checked by differences in
double precision.

The shape rule is a signature in NumPy's notation: "(m,k),(k,n)->(m,n)" takes two matrices and gives
a third. It is also the layout of an instruction (outputs, sources, scratch, sizes in order of
appearance, attributes) and of the C function `op_<name>`, whose prototype and call are written from
it; and the verifier of a tape reads the extent of each operand from it. table.py says what a row
is.
"""

from kernels.ops import (
    attention,
    augmentation,
    chance,
    compression,
    elementwise,
    gradients,
    likelihoods,
    losses,
    noise,
    norm,
    optimizers,
    patterns,
    products,
    recurrent,
    regression,
    reinforcement,
    rows,
    schedules,
    sequences,
    vision,
)
from kernels.ops.table import TABLE, Array, Attributes, Op, apply, flops, part

__all__ = ["OPCODES", "TABLE", "Array", "Attributes", "Op", "apply", "flops", "part"]

FAMILIES = (
    products,
    elementwise,
    losses,
    chance,
    rows,
    optimizers,
    patterns,
    norm,
    sequences,
    attention,
    regression,
    likelihoods,
    reinforcement,
    recurrent,
    compression,
    gradients,
    schedules,
    noise,
    vision,
    augmentation,
)
for family in FAMILIES:
    assert not set(TABLE) & set(family.ROWS), "two rows of one name"
    TABLE.update(family.ROWS)

OPCODES: dict[str, int] = {name: number for number, name in enumerate(TABLE, start=1)}
