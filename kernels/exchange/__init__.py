"""Models for others and from others: one self-contained `.wasm`, and ONNX in both directions.

A model is the graph of forward.py and its arrays, whatever it came from. The modules named onnx_…
load the `onnx` package, so they belong to workers and commands, not to the web process.
"""
