"""The merchant portal: a Django project on top of the Lamina API."""
