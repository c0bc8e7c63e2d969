#!/usr/bin/env python3
"""Tests of the reader and of what gives its trees a meaning."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from bicep import Binary, Literal, Member, Name, Parser, Sure, SyntaxFault, Ternary, Text, tokens
from expand import Fault, Placeholder, Project


def tree(source: str):
    return Parser(tokens(source)).whole_expression()


def deployed(**files: str):
    """What `p.bicepparam` deploys, from files given by name."""
    with tempfile.TemporaryDirectory() as folder:
        for name, source in {"p_bicepparam": "using 'main.bicep'", **files}.items():
            Path(folder, name.replace("_", ".")).write_text(source)
        return Project(Path(folder)).deployment("p.bicepparam")


def value(expression: str, before: str = "") -> object:
    main = f"targetScope = 'subscription'\n{before}\noutput it string = {expression}"
    return deployed(main_bicep=main).outputs["it"]


GROUP = "resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {\n  name: 'g'\n  location: 'x'\n}\n"


class Reader(unittest.TestCase):
    def test_operators_bind_as_in_the_language(self):
        one, two, three = Literal(1), Literal(2), Literal(3)
        self.assertEqual(tree("1 + 2 * 3"), Binary("+", one, Binary("*", two, three)))
        self.assertEqual(tree("1 == 2 || 3 > 1"), Binary("||", Binary("==", one, two), Binary(">", three, one)))
        self.assertEqual(tree("a ?? 1 == 2"), Binary("??", Name("a"), Binary("==", one, two)))
        self.assertEqual(tree("a\n  ? 1\n  : 2"), Ternary(Name("a"), one, two))

    def test_what_may_be_null_is_said(self):
        self.assertEqual(tree("a.?b!.c"), Member(Sure(Member(Name("a"), "b", safe=True)), "c"))
        self.assertEqual(tree("a! != b"), Binary("!=", Sure(Name("a")), Name("b")))

    def test_strings_hold_expressions_and_strings(self):
        self.assertEqual(tree("'a${b}c'"), Text(("a", Name("b"), "c")))
        self.assertEqual(tree("'it\\'s ${'{'}'"), Text(("it's ", Literal("{"), "")))
        self.assertEqual(tree("'''\nraw ${x}'''"), Literal("raw ${x}"))

    def test_what_is_not_known_is_refused(self):
        for source in ("'open", "a b", "{ a: 1 b: 2 }", "[1", "a.1", "1 ~ 2", "'\\q'"):
            with self.assertRaises((SyntaxFault, IndexError), msg=source):
                tree(source)
        for source in ("extension graph", "param a string b", "assert x = true", "resource a = {}"):
            with self.assertRaises(SyntaxFault, msg=source):
                Parser(tokens(source)).program()


class Meaning(unittest.TestCase):
    def test_expressions_have_values(self):
        self.assertEqual(value("join(map(filter([1, 2, 3], n => n > 1), n => 'x${n}'), '+')"), "x2+x3")
        self.assertEqual(value("toObject(['a'], k => k, k => 'v').a"), "v")
        self.assertEqual(value("{ ...{ a: '1' }, b: '2' }.b"), "2")
        self.assertEqual(value("f('a')", "func f(x string) string => '${x}!'"), "a!")
        self.assertEqual(value("f('a')", "func f(x string) string =>\n  join(\n    [x, '?'],\n    ''\n  )"), "a?")
        self.assertEqual(value("n.?a ?? 'none'", "var n = null"), "none")
        self.assertEqual(value("string(length([for (v, i) in ['a', 'b']: i]))"), "2")

    def test_what_only_azure_knows_stays_a_placeholder(self):
        late = value("group.properties.state", GROUP)
        self.assertEqual((late, isinstance(late, Placeholder) and late.running), ("<Microsoft.Resources/resourceGroups/g>.properties.state", True))
        self.assertFalse(value("group.id", GROUP).running)

    def test_names_and_conditions_are_known_early(self):
        late = "group.properties.state"
        for second in (f"= {{\n  name: '${{{late}}}'\n}}", f"= if (empty({late})) {{\n  name: 'h'\n}}",
                       f"= [for x in [{late}]: {{\n  name: 'h'\n}}]"):
            with self.assertRaisesRegex(Fault, "before the deployment runs", msg=second):
                value("'a'", GROUP + f"resource other 'Microsoft.Resources/resourceGroups@2024-11-01' {second}")

    def test_scopes_fit(self):
        def main(scope: str) -> str:
            module = f"module m 'm.bicep' = {{\n{scope}  params: {{\n    p: group.properties.state\n  }}\n}}\n"
            return f"targetScope = 'subscription'\n{GROUP}{module}output it string = m.outputs.o"

        inner = "param p string\noutput o string = p"
        with self.assertRaisesRegex(Fault, "is for a resourceGroup"):
            deployed(main_bicep=main(""), m_bicep=inner)
        self.assertTrue(deployed(main_bicep=main("  scope: group\n"), m_bicep=inner).outputs["it"].running)

    def test_parameters_are_held_to_what_they_say(self):
        for param in ("@minLength(1)\nparam a string[] = []", "param a 'x' | 'y' = 'z'", "param a string", "@maxValue(2)\nparam a int = 3"):
            with self.assertRaises(Fault, msg=param):
                value("'a'", param)

    def test_what_is_said_not_to_be_null_is_not(self):
        with self.assertRaisesRegex(Fault, "not to be null"):
            value("n!", "var n = null")

    def test_nested_resources_know_those_before_them(self):
        nested = "".join(f"  resource {name} 'b' = {{\n    name: '{name}'\n{wait}  }}\n" for name, wait in (("c", ""), ("d", "    dependsOn: [c]\n")))
        main = f"targetScope = 'subscription'\nresource a 'A.B/a@1' = {{\n  name: 'a'\n{nested}}}"
        c, d = deployed(main_bicep=main).of("A.B/a/b")
        self.assertEqual(d.body["dependsOn"], [c])

    def test_what_is_not_deployed_is_not_used(self):
        with self.assertRaisesRegex(Fault, "not deployed"):
            value("group.id", GROUP.replace("= {", "= if (false) {"))


if __name__ == "__main__":
    unittest.main(verbosity=0)
