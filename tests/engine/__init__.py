"""What is rendered for compose, run by a real Docker Engine."""
