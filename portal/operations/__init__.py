"""Seeing that the portal runs: health, figures, the staff's pages, the self-check, pruning, log lines.

The lowest room: it reads every other room's rows and none of them knows it. What it says comes from
rows and from Redis at the moment of asking, so it is the same in every process.
"""
