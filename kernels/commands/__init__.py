"""What `python -m kernels` can do: each command answers one object, and says the same in words."""
