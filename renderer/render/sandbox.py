"""The environments of Jinja: for the built-in templates, and for those of users in its sandbox."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from functools import wraps
from typing import Any

import jinja2
import jinja2.sandbox
from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from renderer import growth

_METHOD = type("".center)


class _ItemsFirst:
    """``spec.items`` is the field of that name, where there is one; of a mapping that is also the faster way."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is dict:
            try:
                return obj[attribute]
            except KeyError:
                pass
        return super().getattr(obj, attribute)  # type: ignore[misc]


class Environment(_ItemsFirst, jinja2.Environment):
    """For the built-in templates."""

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """No template has globals of its own, and each include would go through Jinja's chain of the two."""
        return super().make_globals(d) if d else self.globals


class Sandbox(_ItemsFirst, jinja2.sandbox.ImmutableSandboxedEnvironment):
    """For those of users, and the built-in ones that they may include, or that may include them.

    Jinja's own bounds attributes and ``range``; this one also how large a value may grow, before it does, and how many
    steps a document takes.
    """

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    concat = staticmethod(lambda pieces: growth.within("".join(pieces)))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Bounds().visit(super()._parse(source, name, filename))
        tree.set_environment(self)
        return tree

    def _load_template(self, *args: Any) -> jinja2.Template:
        growth.spend()  # of each include, too
        return super()._load_template(*args)

    def call_binop(self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any) -> Any:
        growth.refuse_operator(operator, left, right)
        return growth.within(super().call_binop(context, operator, left, right))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        made = super().wrap_str_format(value)
        if made is None:
            return None

        def checked(*arguments: Any, **named: Any) -> str:
            growth.refuse_widths(value.__self__, (*arguments, *named.values()))
            return made(*arguments, **named)

        return checked

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - named as Jinja does
        growth.spend(growth.CALL)
        if isinstance(__obj, jinja2.runtime.LoopContext) and args:
            args = (growth.each(args[0]), *args[1:])  # of a recursive loop
        if type(__obj) is _METHOD:
            args = (list(args[0]), *args[1:]) if __obj.__name__ == "join" and args else args
            growth.refuse_method(__obj.__name__, getattr(__obj, "__self__", None), args)
        return growth.within(super().call(__context, __obj, *args, **kwargs))


class _Bounds(NodeTransformer):
    """``~``, loops and comparisons through filters: Jinja intercepts none of them."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - named as Jinja does
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes), "~", node)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - as above
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "~each", node)
        return node

    def visit_Operand(self, node: nodes.Operand) -> nodes.Node:  # noqa: N802 - as above
        self.generic_visit(node)
        node.expr = _filtered(node.expr, "~within", node)
        return node


def _filtered(value: nodes.Node, name: str, at: nodes.Node) -> nodes.Filter:
    return nodes.Filter(value, name, [], [], None, None, lineno=at.lineno)


def bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that refuses to make what is too large."""

    @wraps(function)
    def filtered(*values: Any, **named: Any) -> Any:
        # Some get the environment or the context first.
        hidden = 1 if hasattr(function, "jinja_pass_arg") else 0
        before, (value, *rest) = values[:hidden], values[hidden:]
        value = list(value) if name == "join" else value
        growth.refuse_filter(name, value, (*rest, *named.values()))
        return growth.within(function(*before, value, *rest, **named))

    return filtered


def counted(test: Any) -> Any:
    """A test (``is in``, ``select('eq', …)``) for which large values take steps."""
    return wraps(test)(lambda *values: test(*map(growth.within, values)))
