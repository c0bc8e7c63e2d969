"""Gives Bicep trees their meaning: a parameter file becomes the resources that it would deploy.

What only Azure knows stays a placeholder with a readable text, so that two places that hold the same
value compare equal. Placeholders that exist only while a deployment runs are marked, and a fault is
raised where the compiler wants to know earlier: in names, scopes, conditions and loops.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from bicep import (
    ArrayTree, Binary, Call, File, For, If, Index, Lambda, Literal, Member, Name, NestedAccess, ObjectTree,
    Property, Spread, Statement, Sure, Ternary, Text, Unary, read,
)

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
TENANT = "22222222-2222-2222-2222-222222222222"


class Fault(Exception):
    """The compiler or Azure would refuse it."""


class Placeholder(str):
    """A value that Azure makes. `running`: not known before the deployment runs."""

    running: bool

    def __new__(cls, text: str, running: bool = False):
        self = super().__new__(cls, text)
        self.running = running
        return self


def is_running(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(is_running, value.values()))
    if isinstance(value, list):
        return any(map(is_running, value))
    return isinstance(value, Placeholder) and value.running


def marked(value: Any, running: bool) -> Any:
    """The value with every placeholder in it marked anew: a module's parameter is known when it starts."""
    if isinstance(value, dict):
        return {key: marked(inner, running) for key, inner in value.items()}
    if isinstance(value, list):
        return [marked(inner, running) for inner in value]
    if isinstance(value, Placeholder) or (running and isinstance(value, str)):
        return Placeholder(value, running)
    return value


@dataclass
class Scope:
    """Where something is deployed to: a subscription or a resource group."""

    kind: str
    subscription: str
    group: str | None = None

    @property
    def id(self) -> str:
        base = f"/subscriptions/{self.subscription}"
        return base if self.group is None else f"{base}/resourceGroups/{self.group}"


@dataclass
class Resource:
    """A resource of the deployment, or one that exists."""

    type: str
    version: str
    name: str
    id: str
    body: dict
    existing: bool
    file: str
    symbol: str
    parent: "Resource | None" = None
    target: "Resource | None" = None
    children: dict = field(default_factory=dict)

    @property
    def properties(self) -> dict:
        return self.body.get("properties") or {}


@dataclass
class Module:
    file: str
    symbol: str
    scope: Scope
    outputs: dict


@dataclass
class Absent:
    """A resource or module whose condition is false."""

    symbol: str


@dataclass
class Deployment:
    """Everything that one parameter file deploys."""

    resources: list[Resource] = field(default_factory=list)
    modules: list[Module] = field(default_factory=list)
    outputs: dict = field(default_factory=dict)
    params: dict = field(default_factory=dict)

    def of(self, kind: str, existing: bool = False) -> list[Resource]:
        return [r for r in self.resources if r.type == kind and r.existing == existing]


class Project:
    """The files of a folder. `changed` stands in for the text of some of them."""

    def __init__(self, root: Path, changed: dict[str, str] | None = None, known: dict[str, File] | None = None):
        self.root = root
        self.files = dict(known or {})
        for path in sorted([*root.rglob("*.bicep"), *root.rglob("*.bicepparam")]):
            name = path.relative_to(root).as_posix()
            if name in (changed or {}) or name not in self.files:
                self.files[name] = read(path, (changed or {}).get(name))

    def find(self, base: str, reference: str) -> tuple[str, File]:
        path = (self.root / base).parent / reference
        name = path.resolve().relative_to(self.root.resolve()).as_posix()
        if name not in self.files:
            raise Fault(f"{base}: {reference} is not there")
        return name, self.files[name]

    def deployment(self, parameters: str, environment: dict[str, str] | None = None) -> Deployment:
        """What a parameter file deploys."""
        file = self.files[parameters]
        name, template = self.find(parameters, file.of("using")[0].reference)
        deployment = Deployment()
        scope = Scope("subscription", SUBSCRIPTION)
        frame = Frame(self, deployment, parameters, file, {}, scope, environment or {})
        given = {s.name: frame.evaluate(s.value) for s in file.of("param")}
        module = Frame(self, deployment, name, template, given, scope, environment or {})
        if template.scope != "subscription":
            raise Fault(f"{name}: is not for a subscription")
        deployment.outputs = module.deploy()
        deployment.params = module.values
        return deployment


def type_name(reference: str, parent: Resource | None) -> tuple[str, str]:
    kind, _, version = reference.partition("@")
    if parent is not None and "." not in kind:
        return f"{parent.type}/{kind}", version or parent.version
    return kind, version


class Frame:
    """One file being evaluated: its symbols, and where it is deployed to."""

    def __init__(self, project, deployment, name, file: File, given: dict, scope: Scope, environment: dict):
        self.project, self.deployment, self.name, self.file = project, deployment, name, file
        self.scope, self.environment = scope, environment
        self.symbols = {s.name: s for s in file.statements if s.kind in ("param", "var", "func", "resource", "module", "import")}
        self.values: dict[str, Any] = {}
        self.given = given
        self.evaluating: list[str] = []
        # Whether what is being evaluated has read something that only a running deployment knows.
        self.touched = False
        self.late: set[str] = set()
        unknown = set(given) - {s.name for s in file.of("param")}
        if unknown:
            raise Fault(f"{name}: there is no parameter {sorted(unknown)}")

    def fault(self, text: str) -> Fault:
        return Fault(f"{self.name}: {text}")

    # Statements.

    def deploy(self) -> dict:
        # A variable is evaluated where it is used: what nothing uses refuses nothing.
        for statement in self.file.statements:
            if statement.kind in ("param", "resource", "module"):
                self.symbol(statement.name)
        return {s.name: self.evaluate(s.value) for s in self.file.of("output")}

    def symbol(self, name: str) -> Any:
        self.touched = self.touched or name in self.late
        if name in self.values:
            return self.values[name]
        if name not in self.symbols:
            raise self.fault(f"{name} is not known")
        if name in self.evaluating:
            raise self.fault(f"{name} needs itself")
        self.evaluating.append(name)
        statement = self.symbols[name]
        before, self.touched = self.touched, False
        self.values[name] = getattr(self, f"make_{statement.kind}")(statement)
        # A variable is put in where it is used, with all that it reads. A resource is not.
        if self.touched and statement.kind == "var":
            self.late.add(name)
        self.touched = before or name in self.late
        self.evaluating.pop()
        return self.values[name]

    def make_param(self, statement: Statement) -> Any:
        if statement.name in self.given:
            value = self.given[statement.name]
        elif statement.value is not None:
            value = self.evaluate(statement.value)
        elif statement.type is not None and statement.type.kind == "nullable":
            value = None
        else:
            raise self.fault(f"the parameter {statement.name} is missing")
        self.check(statement, value)
        return value

    def check(self, statement: Statement, value: Any) -> None:
        measure = {"minLength": len, "maxLength": len, "minValue": int, "maxValue": int}
        for name, of in measure.items():
            limit = statement.decorator(name)
            if limit is None or value is None:
                continue
            bound = self.evaluate(limit.args[0])
            if of(value) < bound if name.startswith("min") else of(value) > bound:
                raise self.fault(f"{statement.name} breaks {name}({bound})")
        options = [t.value for t in statement.type.value] if getattr(statement.type, "kind", "") == "union" else []
        if options and value not in options:
            raise self.fault(f"{statement.name} is none of {options}")

    def make_var(self, statement: Statement) -> Any:
        return self.evaluate(statement.value)

    def make_func(self, statement: Statement) -> Any:
        return lambda args: self.evaluate(statement.value, dict(zip(statement.params, args)))

    def make_import(self, statement: Statement) -> Any:
        name, file = self.project.find(self.name, statement.reference)
        exported = next((s for s in file.statements if s.name == statement.name and s.decorator("export")), None)
        if exported is None:
            raise self.fault(f"{statement.name} is not exported")
        if exported.kind == "type":
            return exported.type
        return Frame(self.project, self.deployment, name, file, {}, self.scope, self.environment).symbol(statement.name)

    def make_resource(self, statement: Statement) -> Any:
        return self.unfold(statement.value, {}, lambda body, local: self.resource(statement, body, local, None), statement.name)

    def make_module(self, statement: Statement) -> Any:
        return self.unfold(statement.value, {}, lambda body, local: self.module(statement, body, local), statement.name)

    def unfold(self, body: Any, local: dict, make: Callable, symbol: str) -> Any:
        """Loops and conditions around a resource or module."""
        if isinstance(body, For):
            items = self.early(body.collection, local, f"the loop of {symbol}")
            return [self.unfold(body.body, {**local, **self.loop_names(body, item, i)}, make, symbol) for i, item in enumerate(items)]
        if isinstance(body, If):
            if not self.early(body.condition, local, f"the condition of {symbol}"):
                return Absent(symbol)
            body = body.body
        return make(body, local)

    @staticmethod
    def loop_names(loop: For, item: Any, index: int) -> dict:
        return {loop.item: item, **({loop.index: index} if loop.index else {})}

    def early(self, tree: Any, local: dict, what: str) -> Any:
        """The value of a tree that has to be known before the deployment runs."""
        before, self.touched = self.touched, False
        value = self.evaluate(tree, local)
        if self.touched or is_running(value):
            raise self.fault(f"{what} has to be known before the deployment runs: {value}")
        self.touched = before
        return value

    def early_property(self, tree: ObjectTree, name: str, local: dict, symbol: str) -> Any:
        found = next((item.value for item in tree.items if isinstance(item, Property) and item.key == Literal(name)), None)
        return None if found is None else self.early(found, local, f"the {name} of {symbol}")

    def resource(self, statement: Statement, tree: ObjectTree, local: dict, outer: Resource | None) -> Resource:
        body = self.evaluate(tree, local)
        parent, target = body.pop("parent", outer), body.pop("scope", None)
        kind, version = type_name(statement.reference, outer)
        name = self.early_property(tree, "name", local, statement.name)
        if not name:
            raise self.fault(f"{statement.name} has no name")
        if isinstance(parent, Absent) or isinstance(target, Absent):
            raise self.fault(f"{statement.name} hangs on {(parent or target).symbol}, which is not deployed")
        made = Resource(kind, version, name, self.identity(kind, name, parent, target), body, statement.existing, self.name, statement.name, parent, target if isinstance(target, Resource) else None)
        self.deployment.resources.append(made)
        for nested in tree.nested:
            # Those declared before it are known by their names.
            within = {**local, **made.children}
            inner = self.unfold(nested.value, within, lambda b, l: self.resource(nested, b, l, made), nested.name)
            made.children[nested.name] = inner
        return made

    def identity(self, kind: str, name: str, parent: Resource | None, target: Any) -> str:
        if parent is not None:
            return f"{parent.id}/{kind.rsplit('/', 1)[1]}/{name}"
        base = target.id if isinstance(target, (Resource, Scope)) else self.scope.id
        if kind == "Microsoft.Resources/resourceGroups":
            return f"{base}/resourceGroups/{name}"
        return f"{base}/providers/{kind}/{name}"

    def module(self, statement: Statement, tree: ObjectTree, local: dict) -> Module:
        body = self.evaluate(tree, local)
        name, file = self.project.find(self.name, statement.reference)
        scope = self.module_scope(statement, self.early_property(tree, "scope", local, statement.name))
        if file.scope != scope.kind:
            raise self.fault(f"{statement.name} is for a {file.scope}, and is deployed to a {scope.kind}")
        given = marked(body.get("params", {}), running=False)
        frame = Frame(self.project, self.deployment, name, file, given, scope, self.environment)
        made = Module(name, statement.name, scope, marked(frame.deploy(), running=True))
        self.deployment.modules.append(made)
        return made

    def module_scope(self, statement: Statement, scope: Any) -> Scope:
        if scope is None:
            return self.scope
        if isinstance(scope, Scope):
            return scope
        if isinstance(scope, Resource) and scope.type == "Microsoft.Resources/resourceGroups":
            return Scope("resourceGroup", self.scope.subscription, scope.name)
        raise self.fault(f"the scope of {statement.name} is not a scope")

    # Expressions.

    def evaluate(self, tree: Any, local: dict | None = None) -> Any:
        return getattr(self, f"of_{type(tree).__name__}")(tree, local or {})

    def of_Literal(self, tree: Literal, local: dict) -> Any:
        return tree.value

    def of_Text(self, tree: Text, local: dict) -> str:
        parts = [part if isinstance(part, str) else self.evaluate(part, local) for part in tree.parts]
        return joined(parts)

    def of_Name(self, tree: Name, local: dict) -> Any:
        return local[tree.name] if tree.name in local else self.symbol(tree.name)

    def of_Member(self, tree: Member, local: dict) -> Any:
        base = self.evaluate(tree.base, local)
        if base is None and tree.safe:
            return None
        value = self.member(base, tree.name, tree.safe)
        self.touched = self.touched or is_running(value)
        return value

    def member(self, base: Any, name: str, safe: bool) -> Any:
        if isinstance(base, dict):
            if name not in base and not safe:
                raise self.fault(f"there is no {name} in {sorted(base)}")
            return base.get(name)
        if isinstance(base, Absent):
            raise self.fault(f"{base.symbol} is used and not deployed")
        if isinstance(base, Module):
            return {"outputs": base.outputs, "name": base.symbol}[name]
        if isinstance(base, Scope):
            return {"id": base.id, "subscriptionId": base.subscription, "name": base.group}[name]
        if isinstance(base, Resource):
            known = {"id": Placeholder(base.id), "name": base.name, "type": base.type}
            return known[name] if name in known else Placeholder(f"<{base.type}/{base.name}>.{name}", True)
        if isinstance(base, Placeholder):
            # Endpoints end with a slash; what is put behind them relies on it.
            return Placeholder(f"{base}.{name}" + ("/" if base.endswith(".primaryEndpoints") else ""), base.running)
        raise self.fault(f"{name} of {base!r}")

    def of_NestedAccess(self, tree: NestedAccess, local: dict) -> Any:
        return self.evaluate(tree.base, local).children[tree.name]

    def of_Index(self, tree: Index, local: dict) -> Any:
        return self.evaluate(tree.base, local)[self.evaluate(tree.index, local)]

    def of_Sure(self, tree: Sure, local: dict) -> Any:
        value = self.evaluate(tree.base, local)
        if value is None:
            raise self.fault("what is said not to be null is null")
        return value

    def of_Unary(self, tree: Unary, local: dict) -> Any:
        value = self.evaluate(tree.operand, local)
        return not value if tree.operator == "!" else -value

    def of_Binary(self, tree: Binary, local: dict) -> Any:
        left = self.evaluate(tree.left, local)
        lazy = {"??": left is not None, "||": left is True, "&&": left is False}
        if lazy.get(tree.operator):
            return left
        right = self.evaluate(tree.right, local)
        if tree.operator in lazy:
            return right
        return OPERATORS[tree.operator](left, right)

    def of_Ternary(self, tree: Ternary, local: dict) -> Any:
        return self.evaluate(tree.then if self.evaluate(tree.condition, local) else tree.otherwise, local)

    def of_Lambda(self, tree: Lambda, local: dict) -> Any:
        return lambda *args: self.evaluate(tree.body, {**local, **dict(zip(tree.params, args))})

    def of_ObjectTree(self, tree: ObjectTree, local: dict) -> dict:
        made: dict = {}
        for item in tree.items:
            if isinstance(item, Spread):
                made.update(self.evaluate(item.value, local))
            else:
                made[self.evaluate(item.key, local)] = self.evaluate(item.value, local)
        return made

    def of_ArrayTree(self, tree: ArrayTree, local: dict) -> list:
        made: list = []
        for item in tree.items:
            made += self.evaluate(item.value, local) if isinstance(item, Spread) else [self.evaluate(item, local)]
        return made

    def of_For(self, tree: For, local: dict) -> list:
        items = self.evaluate(tree.collection, local)
        return [self.evaluate(tree.body, {**local, **self.loop_names(tree, item, i)}) for i, item in enumerate(items)]

    def of_Call(self, tree: Call, local: dict) -> Any:
        args = [self.evaluate(arg, local) for arg in tree.args]
        if tree.name in self.symbols:
            return self.symbol(tree.name)(args)
        if tree.name in FUNCTIONS:
            return FUNCTIONS[tree.name](*args)
        if hasattr(self, f"call_{tree.name}"):
            return getattr(self, f"call_{tree.name}")(*args)
        raise self.fault(f"the function {tree.name} is not known")

    def call_loadTextContent(self, path: str) -> str:
        file = (self.project.root / self.name).parent / path
        if not file.is_file():
            raise self.fault(f"{path} is not there")
        return file.read_text(encoding="utf-8")

    def call_fail(self, why: str) -> None:
        raise self.fault(why)

    def call_subscription(self, *args: str) -> dict | Scope:
        if args:
            return Scope("subscription", args[0])
        return {"id": f"/subscriptions/{self.scope.subscription}", "subscriptionId": self.scope.subscription}

    def call_resourceGroup(self, *args: str) -> Scope:
        if not args:
            if self.scope.kind != "resourceGroup":
                raise self.fault("there is no resource group here")
            return self.scope
        group, subscription = args[-1], args[0] if len(args) == 2 else self.scope.subscription
        if is_running(list(args)):
            raise self.fault("a scope has to be known before the deployment runs")
        return Scope("resourceGroup", subscription, group)

    def call_deployment(self) -> dict:
        return {"location": "westeurope"}

    def call_tenant(self) -> dict:
        return {"tenantId": TENANT}

    def call_environment(self) -> dict:
        return {
            "suffixes": {"keyvaultDns": ".vault.azure.net", "storage": "core.windows.net"},
            "authentication": {"loginEndpoint": "https://login.microsoftonline.com/"},
        }

    def call_subscriptionResourceId(self, kind: str, *names: str) -> str:
        return joined([f"/subscriptions/{self.scope.subscription}/providers/{kind}/", *names])

    def call_readEnvironmentVariable(self, name: str, default: str | None = None) -> str:
        if name not in self.environment and default is None:
            raise self.fault(f"the environment variable {name} is missing")
        return self.environment.get(name, default)


def joined(parts: list, between: str = "") -> str:
    text = between.join(str(part) if not isinstance(part, bool) else str(part).lower() for part in parts)
    placeholders = [part for part in parts if isinstance(part, Placeholder)]
    return Placeholder(text, any(p.running for p in placeholders)) if placeholders else text


def digest(name: str, args: tuple) -> str:
    """A made-up value that says what it was made from."""
    inner = joined(list(args), ",")
    return Placeholder(f"{name}({inner})", is_running(inner))


def unite(first: Any, *others: Any) -> Any:
    made = first.copy()
    for other in others:
        if isinstance(made, dict):
            made.update(other)
        else:
            made += other
    # Azure counts equal items once, also those of one list.
    return made if isinstance(made, dict) else [item for i, item in enumerate(made) if item not in made[:i]]


def short_hash(*args: str) -> str:
    return f"{sum(ord(c) * (i + 1) for i, c in enumerate(joined(list(args)))) % 10**13:013d}"


OPERATORS = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
}

FUNCTIONS: dict[str, Callable] = {
    "cidrSubnet": lambda prefix, size, index: f"{prefix}#{size}.{index}",
    "concat": lambda *lists: [item for each in lists for item in each],
    "contains": lambda whole, part: part in whole,
    "empty": lambda value: value is None or len(value) == 0,
    "items": lambda of: [{"key": key, "value": of[key]} for key in sorted(of)],
    "filter": lambda items, test: [item for item in items if test(item)],
    "flatten": lambda lists: [item for each in lists for item in each],
    "guid": lambda *args: digest("guid", args),
    "join": lambda items, between: joined(items, between),
    "length": len,
    "max": lambda *numbers: max(numbers[0] if isinstance(numbers[0], list) else numbers),
    "min": lambda *numbers: min(numbers[0] if isinstance(numbers[0], list) else numbers),
    "map": lambda items, make: [make(item) for item in items],
    "replace": lambda text, old, new: text.replace(old, new),
    "split": lambda text, by: text.split(by),
    "string": lambda value: str(value),
    "take": lambda text, count: text[:count],
    "toLower": lambda text: Placeholder(text.lower(), text.running) if isinstance(text, Placeholder) else text.lower(),
    "toObject": lambda items, key, value=lambda item: item: {key(item): value(item) for item in items},
    "union": unite,
    "uniqueString": short_hash,
}
