"""Files for others from servers: what clients read, and the resources of operators."""
