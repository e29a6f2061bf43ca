"""The JSON door of training, one noun per file. Operations, fields and enumerations bear the
original's names; where its two sources spell a field differently, both spellings are answered.
"""
