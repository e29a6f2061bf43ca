"""How the catalogue is kept, asked and counted."""
