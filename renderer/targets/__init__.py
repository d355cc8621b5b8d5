"""The targets: one module or folder each, known only to the registry."""
