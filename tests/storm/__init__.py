"""Storms: each promise about runs tried against real processes that are killed, cut off and lied to.

`make storm` runs them; `docs/storms.md` says what each does.
"""
