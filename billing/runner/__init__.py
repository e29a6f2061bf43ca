"""How credits move: postings, splits, holds and the settlement of use.

Locks are always taken in one order, so that no two movements wait for each other: the key, then
holds, then streams, then balances, each by ascending id.
"""
