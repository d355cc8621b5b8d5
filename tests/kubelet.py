"""A model of what the kubelet does to command, args, env and the commands of probes."""

from __future__ import annotations

import re
from collections.abc import Mapping


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """``$$`` is ``$``; ``$(NAME)`` is the variable, or stays as it is where there is none.

    https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
    """

    def value(found: re.Match[str]) -> str:
        name = found["name"]
        return "$" if name is None else variables.get(name, found[0])

    return re.sub(r"\$(?:\$|\((?P<name>[^)]*)\))", value, text)
