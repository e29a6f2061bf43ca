"""One training job over several nodes: local steps on each, then their average, round by round.

What is real today: the star, federated averaging, and proof of learning by re-execution. A cluster
that asks for anything else is refused with the list of what works (`clusters.services`).
"""
