"""Data, jobs, and the models they make and measure, on one machine.

A job runs as a series of short chunks, each ending in a checkpoint that one transaction records
together with its metrics and its price. The arithmetic is `kernels`; who spreads a job over many
nodes or sells its model is not known here.
"""
