"""Addresses of choosing an app, its form, and runs."""

from django.urls import path

from portal.runs.views import budget, create, draft, follow_up, pages

app_name = "runs"
urlpatterns = [
    path("create/", create.choose, name="choose"),
    path("create/<int:pin_id>/", create.create, name="create"),
    path("create/<int:pin_id>/draft/", draft.save, name="draft"),
    path("create/<int:pin_id>/draft/discard/", draft.discard, name="draft_discard"),
    path("credits/", budget.budget, name="budget"),
    path("credits/left/", budget.credits_part, name="credits"),
    path("runs/", pages.run_list, name="list"),
    path("runs/<uuid:run_id>/", pages.detail, name="detail"),
    path("runs/<uuid:run_id>/progress/", pages.progress, name="progress"),
    path("runs/<uuid:run_id>/cancel/", pages.cancel, name="cancel"),
    path("runs/<uuid:run_id>/again/", follow_up.again, name="again"),
    path("runs/<uuid:run_id>/refine/", follow_up.refine, name="refine"),
    path("runs/<uuid:run_id>/changes/<int:change_id>/withdraw/", follow_up.withdraw, name="withdraw"),
]
