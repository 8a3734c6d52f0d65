"""Lamina's HTTP API in plain Python: a typed client, its errors and its webhooks, and a stand-in to try it on."""
