"""The JSON door of the marketplace. Operations, fields and enumerations bear the original's
names.
"""
