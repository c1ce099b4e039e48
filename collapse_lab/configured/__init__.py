"""What a run's configuration says of how it can go wrong: no framework is imported for it."""
