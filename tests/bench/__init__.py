"""`make bench`: how fast the portal is, each figure beside a control taken in the same minutes."""
