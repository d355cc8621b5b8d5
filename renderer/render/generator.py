"""Python of a template for ``runtime``: Jinja's own generator, without what serves Jinja's environments alone.

What it makes is ``root(context, pieces)``, which adds the text to a list and returns the variables that the template
sets. What it leaves as Jinja writes it (macros, blocks) asks for names that ``runtime`` does not have: a fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, DependencyFinderVisitor, Frame
from jinja2.idtracking import VAR_LOAD_RESOLVE
from jinja2.nodes import EvalContext

#: A fault in what was compiled lets Jinja render the template.
_LEFT_TO_JINJA = "raise LookupError('only Jinja does this')"


class Generator(CodeGenerator):
    """Looks for filters once and not in each rendering, and lets includes add to the same list, where Jinja yields."""

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:  # noqa: N802 - named as in Jinja
        self._stored = set[str]()
        frame = Frame(EvalContext(self.environment, self.name))
        frame.symbols.analyze_node(node)
        frame.toplevel = frame.rootlevel = True
        frame.buffer = "pieces"
        self.writeline("text, roots = environment.finalize, environment.roots")
        self.pull_dependencies(node.body)
        self.writeline("def root(context, pieces):", extra=1)
        self.indent()
        self.writeline("resolve = context.__getitem__")
        self.enter_frame(frame)
        self.blockvisit(node.body, frame)
        self.writeline(f"return {self.dump_local_context(frame)}")
        self.outdent()

    def pull_dependencies(self, nodes: Iterable[nodes.Node]) -> None:
        names = DependencyFinderVisitor()
        for node in nodes:
            names.visit(node)
        for known, used, kind in ((self.filters, names.filters, "filters"), (self.tests, names.tests, "tests")):
            for name in sorted(used):
                known[name] = self.temporary_identifier()
                self.writeline(f"{known[name]} = environment.{kind}[{name!r}]")

    def pop_assign_tracking(self, frame: Frame) -> None:
        """An include is given the variables of its frame, so the context need not hold them."""
        del frame
        self._assign_stack.pop()

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        del node, frame, finalize
        self.write("text(")

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        del node, frame, finalize
        self.write(")")

    def dump_local_context(self, frame: Frame) -> str:
        """Of the variables of a frame those that may be set at this place."""
        variables = frame.symbols.dump_stores().items()
        return f"{{{', '.join(f'{name!r}: {value}' for name, value in variables if name in self._stored)}}}"

    def visit_Include(self, node: nodes.Include, frame: Frame) -> None:  # noqa: N802 - as above
        if node.ignore_missing or not node.with_context:
            self.writeline(_LEFT_TO_JINJA, node)
            return
        variables = self.dump_local_context(frame)
        self.writeline("roots[", node)
        self.visit(node.template, frame)
        self.write(f"]({f'inner(context, {variables})' if variables != '{}' else 'context'}, {frame.buffer})")

    def visit_Import(self, node: nodes.Import, frame: Frame) -> None:  # noqa: N802 - as above
        if node.with_context:
            self.writeline(_LEFT_TO_JINJA, node)
            return
        self._stored.add(node.target)
        self.writeline(f"{frame.symbols.ref(node.target)} = environment.variables(", node)
        self.visit(node.template, frame)
        self.write(")")

    def visit_Name(self, node: nodes.Name, frame: Frame) -> None:  # noqa: N802 - as above
        name = frame.symbols.ref(node.name)
        if node.ctx != "load":
            self._stored.add(node.name)
        load = frame.symbols.find_load(name)
        if node.ctx == "load" and load is not None and load[0] == VAR_LOAD_RESOLVE:
            self.write(name)  # what the context does not have, it gives as undefined
        else:
            super().visit_Name(node, frame)

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802 - as above
        self.visit(node.node, frame)
        is_loop = isinstance(node.node, nodes.Name) and node.node.name == "loop"
        self.write(f".{node.attr}" if is_loop else f"[{node.attr!r}]")  # all other values are plain data

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:  # noqa: N802 - as above
        del forward_caller
        self.write("call(")
        if isinstance(node.node, nodes.Getattr):
            self.write("method(")
            self.visit(node.node.node, frame)
            self.write(f", {node.node.attr!r})")
        else:
            self.visit(node.node, frame)
        self.signature(node, frame)
        self.write(")")
