"""The JSON door of clusters, one noun per file. Operations, fields and enumerations bear the
original's names.

Where a field's default in the original names what is not available here, the default is what is.
"""
