"""How dates are written where no template says it, as in the admin site: one folder a language."""
