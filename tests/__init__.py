"""The tests: the packages mirrored, and the journeys through a browser."""
