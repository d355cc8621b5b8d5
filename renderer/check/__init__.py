"""Checks of rendered documents."""
