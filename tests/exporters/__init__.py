"""Files for others from servers."""
