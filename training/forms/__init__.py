"""The shape of what people type about training, one noun per file."""
