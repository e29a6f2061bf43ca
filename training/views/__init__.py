"""The pages of training, one noun per file."""
