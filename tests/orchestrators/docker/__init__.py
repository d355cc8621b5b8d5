"""The orchestrator ``docker``, against programs that answer as they are told."""
