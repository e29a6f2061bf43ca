"""The walls around a model in use: what the largest tier trains can be measured and asked.

Memory is a ceiling, not what is taken. A loaded model answers as long as its process lives, and
each call is bounded by its rows, so the sandbox has no deadline of its own.
"""

from kernels.limits import Limits

PREDICTION = Limits(memory_bytes=3584 * 2**20, deadline_seconds=1e9)
