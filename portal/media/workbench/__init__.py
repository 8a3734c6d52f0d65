"""Where files from strangers are decoded: a program of its own, in a process that may die.

Runs as `python -I portal/media/workbench/__main__.py JOB`, under limits it sets for itself before
it loads a decoder. It knows neither Django nor the portal, so that it starts fast and holds no
secret. `portal.media.bench` starts it and believes nothing but its report.
"""
