"""The targets, one module or package each, imported by the registry alone."""
