"""The vocabulary of layers: what each may say, and what it means.

A family of layers has its file here; `layer.py` says what a layer is.
"""

from kernels.layers import attention, dense, recurrent, sequences, shapes, vision
from kernels.layers.layer import Chance, Layer, Misfit, Parameter, Word

__all__ = ["VOCABULARY", "Chance", "Layer", "Misfit", "Parameter", "Word"]

# `input` says only what the data says too
VOCABULARY: dict[str, Word] = {}
for family in (dense, shapes, vision, recurrent, attention, sequences):
    assert not set(VOCABULARY) & set(family.WORDS), "two layers of one name"
    VOCABULARY.update(family.WORDS)
