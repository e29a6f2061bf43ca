"""How the catalogue is kept, asked and counted, and how deployments answer."""
