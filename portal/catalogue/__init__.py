"""The apps a workspace offers: pinned apps, their schemas as fetched, and the forms drawn from them."""
