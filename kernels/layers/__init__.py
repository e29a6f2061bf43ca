"""The vocabulary of layers: what each may say, and what it means.

A family of layers has its file here; `layer.py` says what a layer is.
"""

from kernels.layers import dense, recurrent, shapes, vision
from kernels.layers.layer import Chance, Layer, Misfit, Parameter, Word

__all__ = ["VOCABULARY", "Chance", "Layer", "Misfit", "Parameter", "Word"]

# `input` says only what the data says too
VOCABULARY: dict[str, Word] = dense.WORDS | shapes.WORDS | vision.WORDS | recurrent.WORDS
