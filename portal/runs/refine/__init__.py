"""Change a completed run in words: one wish is one call to Lamina, whose results stand beside the earlier ones.

Lamina does the work anew on the same run and charges for it, and its answer comes only when it is
done. So a wish is a row before the call, sent once; when no answer comes, nobody sends it again: what
Lamina shows of the run tells whether anything was made. Nothing that was made before is lost.
"""

from portal.runs.refine.asking import RefinementRefused, ask, withdraw
from portal.runs.refine.outcomes import leave_unconfirmed, take
from portal.runs.refine.sending import call, claim, due_to_send, mark_sent, send
from portal.runs.refine.settling import release_lost, settle_by_staff, settle_unconfirmed

__all__ = [
    "RefinementRefused",
    "ask",
    "call",
    "claim",
    "due_to_send",
    "leave_unconfirmed",
    "mark_sent",
    "release_lost",
    "send",
    "settle_by_staff",
    "settle_unconfirmed",
    "take",
    "withdraw",
]
