"""What a worker does: prepare data, run a chunk of a job, validate a model."""
