"""Settings that all tests share."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# The same examples in every run: a red build can be repeated, and nothing here depends on time.
settings.register_profile(
    "mcpctl", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
# For a search beyond that: MCPCTL_HYPOTHESIS=explore.
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("MCPCTL_HYPOTHESIS", "mcpctl"))
