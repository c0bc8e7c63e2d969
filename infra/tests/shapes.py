"""What the types say of expressions: which values may be missing, and whether they are read with care.

Only what begins at a parameter is followed. What is not known is passed over.
"""

from __future__ import annotations

from typing import Any, Iterable

from bicep import Binary, Call, For, Index, Lambda, Member, Name, NestedAccess, Statement, Sure, TypeTree
from expand import Project

# A type, and the file whose names it uses.
Shape = tuple[TypeTree, str]
UNKNOWN: Shape = (TypeTree("name", "any"), "")


def nullable(shape: Shape) -> bool:
    return shape[0].kind == "nullable"


def sure(shape: Shape) -> Shape:
    return (shape[0].value, shape[1]) if nullable(shape) else shape


class Shapes:
    """The types of one file."""

    def __init__(self, project: Project, name: str):
        self.project, self.name = project, name
        self.symbols = {s.name: s for s in project.files[name].statements if s.kind in ("param", "var")}

    def careless(self) -> Iterable[str]:
        """Reads of what may be missing, and from what may be missing, that are neither safe nor sure."""
        for statement in self.project.files[self.name].statements:
            yield from self.visit(statement.value, {name: UNKNOWN for name in statement.params})

    def resolved(self, shape: Shape) -> Shape:
        """What a name of a type stands for, in whatever file that is."""
        tree, name = shape
        if tree.kind != "name" or name not in self.project.files:
            return shape
        for statement in self.project.files[name].statements:
            if statement.name == tree.value and statement.kind == "type":
                return self.resolved((statement.type, name))
            if statement.name == tree.value and statement.kind == "import":
                return self.resolved((tree, self.project.find(name, statement.reference)[0]))
        return shape

    def item(self, tree: Any, local: dict) -> Shape:
        tree, name = self.resolved(sure(self.of(tree, local)))
        return self.resolved((tree.value, name)) if tree.kind == "array" else UNKNOWN

    def of(self, tree: Any, local: dict) -> Shape:
        match tree:
            case Name(name) if name in local:
                return local[name]
            case Name(name) if name in self.symbols:
                symbol = self.symbols[name]
                return self.of(symbol.value, {}) if symbol.kind == "var" else self.resolved((symbol.type, self.name))
            case Sure(base):
                return sure(self.of(base, local))
            case Member(base, name):
                held, file = self.resolved(sure(self.of(base, local)))
                found = next((kind for key, kind, _ in held.value if key == name), None) if held.kind == "object" else None
                return self.resolved((found, file)) if found else UNKNOWN
            case Index(base):
                return self.item(base, local)
            case Binary("??", left):
                return sure(self.of(left, local))
            case Call("filter" | "concat", args):
                return self.of(args[0], local)
        return UNKNOWN

    def visit(self, tree: Any, local: dict, said: bool = False) -> Iterable[str]:
        """`said`: a `!` stands behind it."""
        match tree:
            case Member(base, name, safe):
                short = isinstance(base, Member) and base.safe
                if not safe and not said and nullable(self.of(tree, local)):
                    yield f"{name} may be missing"
                if not safe and not short and nullable(self.of(base, local)):
                    yield f"{name} is read of what may be missing"
            case For(item, index, collection, body):
                yield from self.visit(collection, local)
                inner = {**local, item: self.item(collection, local), **({index: UNKNOWN} if index else {})}
                yield from self.visit(body, inner)
                return
            case Call(_, args):
                each = self.item(args[0], local) if args else UNKNOWN
                for arg in args:
                    params = arg.params if isinstance(arg, Lambda) else ()
                    inner = {**local, **{param: each for param in params}}
                    yield from self.visit(arg.body if params else arg, inner)
                return
            case NestedAccess():
                return
        for child in children(tree):
            yield from self.visit(child, local, isinstance(tree, Sure))


def children(tree: Any) -> Iterable[Any]:
    if isinstance(tree, (list, tuple)):
        return tree
    if isinstance(tree, Statement):
        return [tree.value]
    return [getattr(tree, name) for name in getattr(tree, "__dataclass_fields__", ())]
