"""What workers do: contributions, and the rounds that these move on."""
