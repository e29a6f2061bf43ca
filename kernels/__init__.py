"""Neural networks without a site: a graph compiler, SIMD kernels in a sandbox, and training that
repeats to the bit.

Start with README.md; it follows a network from its JSON to its weights.
"""
