"""How credits move: postings, splits, holds and the settlement of use.

Locks are always taken in one order, so that no movements wait for each other in a circle: the key,
new accounts, holds, streams, balances, each kind in an order of its own.
"""
