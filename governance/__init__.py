"""Who may act, what was done, and what may be seen.

Everyone asks these questions, so this app knows nobody: it reaches what it moderates through the
mixin `Moderated`, never by import. Every change that matters leaves an entry in an audit trail
that the database chains by hash and refuses to alter.
"""
