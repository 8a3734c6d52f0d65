"""Media made from what a run was given: pictures, films, texts and sounds, and the samples defaults point at.

`make` is the way in. It runs in a thread, imports Pillow and PyAV only when it is first needed, and
raises Unmakeable with a sentence when an input cannot be used.
"""

from __future__ import annotations
