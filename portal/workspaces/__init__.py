"""Who may do what: users, workspaces, memberships and their roles.

`access` is the only place that decides. Budgets and the audit log will live here too.
"""
