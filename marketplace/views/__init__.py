"""The pages of the catalogue, of publishing, and of deployments."""
