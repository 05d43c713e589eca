"""One job under every combination of some values; what points share is explored once."""
