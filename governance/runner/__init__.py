"""What workers do for governance, one noun a file."""
