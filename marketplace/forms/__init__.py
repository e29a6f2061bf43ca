"""The shape of what people type when they publish and browse."""
