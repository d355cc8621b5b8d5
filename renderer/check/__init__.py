"""Checks of what was rendered, before anybody gets it."""
