"""Journeys through a real browser, against the whole demo: every process of it, started as a person does."""
