"""The ways in: people choose an app, fill its form and watch the run; Lamina delivers its news."""
