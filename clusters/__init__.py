"""One job over many nodes that may be slow, dead or dishonest."""
