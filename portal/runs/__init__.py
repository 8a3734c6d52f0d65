"""The life of a run: submitted, tracked, settled, shown.

Rows are the truth and the queue is a hint: whatever a lost message should have done, the sweep
does a moment later.
"""
