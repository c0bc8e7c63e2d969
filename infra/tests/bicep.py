"""Reads Bicep: text into trees.

It reads the part of the language that this folder uses and refuses the rest, so that nothing is passed
over in silence. It is not the compiler: `expand` gives the trees their meaning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class SyntaxFault(Exception):
    """The text is not Bicep, or not the part of it that is read here."""


# --- expressions


@dataclass(frozen=True)
class Literal:
    value: Any


@dataclass(frozen=True)
class Text:
    """A string with expressions in it."""

    parts: tuple


@dataclass(frozen=True)
class Name:
    name: str


@dataclass(frozen=True)
class Call:
    name: str
    args: tuple


@dataclass(frozen=True)
class Member:
    base: Any
    name: str
    safe: bool = False


@dataclass(frozen=True)
class NestedAccess:
    base: Any
    name: str


@dataclass(frozen=True)
class Index:
    base: Any
    index: Any


@dataclass(frozen=True)
class Sure:
    """`!`: what is said not to be null."""

    base: Any


@dataclass(frozen=True)
class Unary:
    operator: str
    operand: Any


@dataclass(frozen=True)
class Binary:
    operator: str
    left: Any
    right: Any


@dataclass(frozen=True)
class Ternary:
    condition: Any
    then: Any
    otherwise: Any


@dataclass(frozen=True)
class Lambda:
    params: tuple
    body: Any


@dataclass(frozen=True)
class Spread:
    value: Any


@dataclass(frozen=True)
class Property:
    key: Any
    value: Any


@dataclass(frozen=True)
class ObjectTree:
    items: tuple
    nested: tuple = ()


@dataclass(frozen=True)
class ArrayTree:
    items: tuple


@dataclass(frozen=True)
class For:
    item: str
    index: str | None
    collection: Any
    body: Any


@dataclass(frozen=True)
class If:
    condition: Any
    body: Any


# --- types


@dataclass(frozen=True)
class TypeTree:
    """`kind` is name, literal, union, object, array or nullable."""

    kind: str
    value: Any


# --- statements


@dataclass(frozen=True)
class Decorator:
    name: str
    args: tuple


@dataclass(frozen=True)
class Statement:
    """`kind` is the keyword; what a kind does not have is None."""

    kind: str
    name: str
    line: int
    value: Any = None
    type: Any = None
    reference: str | None = None
    existing: bool = False
    params: tuple = ()
    decorators: tuple = ()

    def decorator(self, name: str) -> Decorator | None:
        return next((d for d in self.decorators if d.name == name), None)


@dataclass
class File:
    path: Path
    source: str
    statements: list = field(default_factory=list)

    def of(self, kind: str) -> list[Statement]:
        return [s for s in self.statements if s.kind == kind]

    @property
    def scope(self) -> str:
        stated = self.of("targetScope")
        return stated[0].value.value if stated else "resourceGroup"


# --- tokens


@dataclass(frozen=True)
class Token:
    kind: str  # name, number, text, mark, line, end
    value: Any
    line: int


SPACE = re.compile(r"[ \t\r]+|//[^\n]*|/\*.*?\*/", re.S)
WORD = re.compile(r"[A-Za-z_]\w*")
NUMBER = re.compile(r"\d+")
MARKS = "... => ?? && || == != =~ !~ >= <= :: .? { } [ ] ( ) , : ? . = + - * / % ! < > | @".split()
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", "$": "$"}


def tokens(source: str, line: int = 1) -> list[Token]:
    found, at = [], 0
    while at < len(source):
        if space := SPACE.match(source, at):
            line += space.group().count("\n")
            at = space.end()
        elif source[at] == "\n":
            found.append(Token("line", "\n", line))
            line, at = line + 1, at + 1
        elif source.startswith("'''", at):
            end = source.index("'''", at + 3)
            found.append(Token("text", (source[at + 3 : end].removeprefix("\n"),), line))
            line += source.count("\n", at, end)
            at = end + 3
        elif source[at] == "'":
            parts, at = text_parts(source, at + 1, line)
            found.append(Token("text", parts, line))
        elif word := WORD.match(source, at):
            found.append(Token("name", word.group(), line))
            at = word.end()
        elif number := NUMBER.match(source, at):
            found.append(Token("number", int(number.group()), line))
            at = number.end()
        else:
            mark = next((m for m in MARKS if source.startswith(m, at)), None)
            if mark is None:
                raise SyntaxFault(f"line {line}: {source[at]!r} is not known")
            found.append(Token("mark", mark, line))
            at += len(mark)
    found.append(Token("end", None, line))
    return found


def text_parts(source: str, at: int, line: int) -> tuple[tuple, int]:
    """The parts of a string from behind its quote: plain text, and trees for `${}`."""
    parts, plain = [], ""
    while True:
        if at >= len(source) or source[at] == "\n":
            raise SyntaxFault(f"line {line}: a string does not end")
        if source[at] == "\\":
            if source[at + 1] not in ESCAPES:
                raise SyntaxFault(f"line {line}: no such escape")
            plain, at = plain + ESCAPES[source[at + 1]], at + 2
        elif source.startswith("${", at):
            end = interpolation_end(source, at + 2, line)
            inner = Parser(tokens(source[at + 2 : end], line))
            parts += [plain, inner.whole_expression()]
            plain, at = "", end + 1
        elif source[at] == "'":
            return (*parts, plain), at + 1
        else:
            plain, at = plain + source[at], at + 1


def interpolation_end(source: str, at: int, line: int) -> int:
    depth = 0
    while at < len(source):
        if source[at] == "'":
            _, at = text_parts(source, at + 1, line)
            continue
        if source[at] == "{":
            depth += 1
        elif source[at] == "}":
            if depth == 0:
                return at
            depth -= 1
        at += 1
    raise SyntaxFault(f"line {line}: an expression in a string does not end")


# --- parser

BINARY = [["??"], ["||"], ["&&"], ["==", "!=", "=~", "!~"], ["<", "<=", ">", ">="], ["+", "-"], ["*", "/", "%"]]
CONSTANTS = {"true": True, "false": False, "null": None}


class Parser:
    def __init__(self, found: list[Token]):
        self.found, self.at = found, 0

    # Small steps.

    def peek(self, ahead: int = 0) -> Token:
        return self.found[min(self.at + ahead, len(self.found) - 1)]

    def next(self) -> Token:
        token = self.peek()
        self.at += 1
        return token

    def sees(self, mark: str, ahead: int = 0) -> bool:
        token = self.peek(ahead)
        return token.kind == "mark" and token.value == mark

    def sees_word(self, word: str) -> bool:
        return self.peek() == Token("name", word, self.peek().line)

    def take(self, mark: str) -> bool:
        if self.sees(mark):
            self.at += 1
            return True
        return False

    def need(self, mark: str) -> None:
        if not self.take(mark):
            self.fail(f"{mark!r} is expected")

    def need_name(self) -> str:
        if self.peek().kind != "name":
            self.fail("a name is expected")
        return self.next().value

    def need_word(self, word: str) -> None:
        if self.need_name() != word:
            self.fail(f"{word!r} is expected")

    def need_text(self) -> str:
        token = self.next()
        if token.kind != "text" or len(token.value) != 1:
            self.fail("a plain string is expected")
        return token.value[0]

    def lines(self) -> None:
        while self.peek().kind == "line":
            self.at += 1

    def sees_past_lines(self, mark: str) -> bool:
        ahead = 0
        while self.peek(ahead).kind == "line":
            ahead += 1
        return self.sees(mark, ahead)

    def fail(self, text: str) -> None:
        raise SyntaxFault(f"line {self.peek().line}: {text}, found {self.peek().value!r}")

    # Statements.

    def program(self) -> list[Statement]:
        statements = []
        self.lines()
        while self.peek().kind != "end":
            statements += self.statement()
            if self.peek().kind not in ("line", "end"):
                self.fail("the end of the line is expected")
            self.lines()
        return statements

    def decorators(self) -> tuple:
        found = []
        while self.take("@"):
            name = self.need_name()
            found.append(Decorator(name, self.arguments()))
            self.lines()
        return tuple(found)

    def statement(self) -> list[Statement]:
        decorators, line = self.decorators(), self.peek().line
        keyword = self.need_name()
        make = getattr(self, f"{keyword}_statement", None)
        if make is None:
            self.fail(f"{keyword!r} is not read here")
        return make(line, decorators)

    def targetScope_statement(self, line, decorators):
        self.need("=")
        return [Statement("targetScope", "", line, self.expression())]

    def metadata_statement(self, line, decorators):
        name = self.need_name()
        self.need("=")
        return [Statement("metadata", name, line, self.expression())]

    def using_statement(self, line, decorators):
        return [Statement("using", "", line, reference=self.need_text())]

    def param_statement(self, line, decorators):
        name = self.need_name()
        kind = None if self.sees("=") else self.type()
        value = self.expression() if self.take("=") else None
        return [Statement("param", name, line, value, kind, decorators=decorators)]

    def var_statement(self, line, decorators):
        name = self.need_name()
        self.need("=")
        return [Statement("var", name, line, self.expression(), decorators=decorators)]

    def type_statement(self, line, decorators):
        name = self.need_name()
        self.need("=")
        return [Statement("type", name, line, type=self.type(), decorators=decorators)]

    def output_statement(self, line, decorators):
        name, kind = self.need_name(), self.type()
        self.need("=")
        return [Statement("output", name, line, self.expression(), kind, decorators=decorators)]

    def func_statement(self, line, decorators):
        name, params = self.need_name(), []
        self.need("(")
        while not self.take(")"):
            params.append(self.need_name())
            self.type()
            self.take(",")
        kind = self.type()
        self.need("=>")
        self.lines()
        return [Statement("func", name, line, self.expression(), kind, params=tuple(params), decorators=decorators)]

    def import_statement(self, line, decorators):
        names = []
        self.need("{")
        self.lines()
        while not self.take("}"):
            names.append(self.need_name())
            self.take(",")
            self.lines()
        self.need_word("from")
        path = self.need_text()
        return [Statement("import", name, line, reference=path) for name in names]

    def resource_statement(self, line, decorators):
        return [self.deployable("resource", line, decorators)]

    def module_statement(self, line, decorators):
        return [self.deployable("module", line, decorators)]

    def deployable(self, kind: str, line: int, decorators: tuple) -> Statement:
        name, reference = self.need_name(), self.need_text()
        existing = self.sees_word("existing")
        if existing:
            self.next()
        self.need("=")
        return Statement(kind, name, line, self.body(), None, reference, existing, decorators=decorators)

    def body(self) -> Any:
        if self.sees_word("if"):
            self.next()
            self.need("(")
            condition = self.expression()
            self.need(")")
            return If(condition, self.object(nested=True))
        return self.array(bodies=True) if self.sees("[") else self.object(nested=True)

    # Types.

    def type(self) -> TypeTree:
        self.take("|")
        options = [self.one_type()]
        while self.take("|"):
            options.append(self.one_type())
        return options[0] if len(options) == 1 else TypeTree("union", tuple(options))

    def one_type(self) -> TypeTree:
        token = self.peek()
        if token.kind in ("text", "number"):
            self.next()
            found = TypeTree("literal", token.value[0] if token.kind == "text" else token.value)
        elif self.take("("):
            found = self.type()
            self.need(")")
        elif self.take("{"):
            found = TypeTree("object", self.members())
        else:
            found = TypeTree("name", self.need_name())
        while True:
            if self.sees("[") and self.sees("]", 1):
                self.at += 2
                found = TypeTree("array", found)
            elif self.take("?"):
                found = TypeTree("nullable", found)
            else:
                return found

    def members(self) -> tuple:
        found = []
        self.lines()
        while not self.take("}"):
            decorators = self.decorators()
            name = "*" if self.take("*") else self.need_name()
            self.need(":")
            found.append((name, self.type(), decorators))
            self.lines()
        return tuple(found)

    # Expressions.

    def whole_expression(self) -> Any:
        found = self.expression()
        if self.peek().kind != "end":
            self.fail("the end of the expression is expected")
        return found

    def expression(self) -> Any:
        condition = self.binary(0)
        if not self.sees_past_lines("?"):
            return condition
        self.lines()
        self.need("?")
        self.lines()
        then = self.expression()
        self.lines()
        self.need(":")
        self.lines()
        return Ternary(condition, then, self.expression())

    def binary(self, level: int) -> Any:
        if level == len(BINARY):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek().kind == "mark" and self.peek().value in BINARY[level]:
            operator = self.next().value
            self.lines()
            left = Binary(operator, left, self.binary(level + 1))
        return left

    def unary(self) -> Any:
        if self.sees("!") or self.sees("-"):
            return Unary(self.next().value, self.unary())
        return self.trailers(self.primary())

    def trailers(self, base: Any) -> Any:
        while True:
            if self.take("::"):
                base = NestedAccess(base, self.need_name())
            elif self.sees(".") or self.sees(".?"):
                base = Member(base, safe=self.next().value == ".?", name=self.need_name())
            elif self.take("["):
                base = Index(base, self.expression())
                self.need("]")
            elif self.sees("!") and not self.sees("=", 1):
                self.next()
                base = Sure(base)
            else:
                return base

    def arguments(self) -> tuple:
        found = []
        self.need("(")
        self.lines()
        while not self.take(")"):
            found.append(self.expression())
            self.lines()
            self.take(",")
            self.lines()
        return tuple(found)

    def primary(self) -> Any:
        token = self.peek()
        if token.kind == "text":
            self.next()
            return Literal(token.value[0]) if len(token.value) == 1 else Text(token.value)
        if token.kind == "number":
            return Literal(self.next().value)
        if self.sees("{"):
            return self.object()
        if self.sees("["):
            return self.array()
        if self.take("("):
            inner = self.expression()
            self.need(")")
            return inner
        name = self.need_name()
        if name in CONSTANTS:
            return Literal(CONSTANTS[name])
        if self.take("=>"):
            self.lines()
            return Lambda((name,), self.expression())
        return Call(name, self.arguments()) if self.sees("(") else Name(name)

    def object(self, nested: bool = False) -> ObjectTree:
        items, inner = [], []
        self.need("{")
        self.lines()
        while not self.take("}"):
            if self.take("..."):
                items.append(Spread(self.expression()))
            elif nested and self.sees_word("resource") and self.peek(1).kind == "name":
                inner += self.statement()
            else:
                items.append(self.property())
            if not self.take(",") and not self.sees("}") and self.peek().kind != "line":
                self.fail("a new line is expected")
            self.lines()
        return ObjectTree(tuple(items), tuple(inner))

    def property(self) -> Property:
        token = self.next()
        if token.kind == "name":
            key = Literal(token.value)
        elif token.kind == "text":
            key = Literal(token.value[0]) if len(token.value) == 1 else Text(token.value)
        else:
            self.at -= 1
            self.fail("the name of a property is expected")
        self.need(":")
        return Property(key, self.expression())

    def array(self, bodies: bool = False) -> Any:
        self.need("[")
        self.lines()
        if self.sees_word("for"):
            return self.loop(bodies)
        items = []
        while not self.take("]"):
            items.append(Spread(self.expression()) if self.take("...") else self.expression())
            self.take(",")
            self.lines()
        return ArrayTree(tuple(items))

    def loop(self, bodies: bool) -> For:
        self.need_word("for")
        index = None
        if self.take("("):
            item = self.need_name()
            self.need(",")
            index = self.need_name()
            self.need(")")
        else:
            item = self.need_name()
        self.need_word("in")
        collection = self.expression()
        self.need(":")
        self.lines()
        body = self.body() if bodies else self.expression()
        self.lines()
        self.need("]")
        return For(item, index, collection, body)


def read(path: Path, source: str | None = None) -> File:
    """The trees of a file; `source` stands in for its text."""
    source = path.read_text(encoding="utf-8") if source is None else source
    try:
        return File(path, source, Parser(tokens(source)).program())
    except (SyntaxFault, IndexError, ValueError) as fault:
        raise SyntaxFault(f"{path.name}: {fault}") from fault


def walk(tree: Any):
    """Every node under a tree, itself first."""
    yield tree
    if isinstance(tree, (list, tuple)):
        children = tree
    elif hasattr(tree, "__dataclass_fields__"):
        children = [getattr(tree, name) for name in tree.__dataclass_fields__]
    else:
        return
    for child in children:
        yield from walk(child)
