"""Everything that the workflows and the scripts of .ci install has its exact version, and every action its commit."""

import re
from pathlib import Path

PRODUCT = Path(__file__).resolve().parent.parent
FILES = [*PRODUCT.glob(".github/workflows/*.yml"), *(path for path in PRODUCT.glob(".ci/**/*") if path.is_file() and path.suffix in ("", ".txt"))]

faults, seen = [], 0
for path in FILES:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    variables = dict(re.findall(r"(\w+)='?([^'\s=][^'\s]*)'?", text))
    lists = dict(re.findall(r"^\s*(\w+)=[('\"]([^)'\"]*)[)'\"]", text, re.M | re.S))

    def words(line: str) -> list[str]:
        """The words of a command, with variables of the script in place."""
        found = []
        for word in line.split():
            name = re.fullmatch(r"\"?\$\{?(\w+)(?:\[@\])?\}?\"?", word)
            found += lists.get(name[1], variables.get(name[1], word)).split() if name else [re.sub(r"\$(\w+)", lambda of: variables.get(of[1], of[0]), word)]
        return [word.strip("'\"") for word in found]

    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        if found := re.search(r"uses: (\S+)", line):
            seen += 1
            if not found[1].startswith("./") and not re.fullmatch(r"\S+@[0-9a-f]{40}", found[1]):
                faults.append(f"{path.name}: {found[1]} is not pinned to a commit")
        if found := re.search(r"\bpip\"? install (.*)", line):
            for word in words(found[1]):
                if re.match(r"[A-Za-z][\w.-]*(\[|==|[<>~=]|$)", word) and not word.endswith(".txt"):
                    seen += 1
                    if "==" not in word or "*" in word:
                        faults.append(f"{path.name}: pip installs {word}")
                if word in (">&2", "||", "&&", ";"):
                    break
        if found := re.search(r"\bnpm install (.*)", line):
            for word in words(re.sub(r'--prefix "?\S+', "", found[1])):
                if word == "error":
                    continue
                if re.match(r"@?[a-z][\w./-]*(@|$)", word):
                    seen += 1
                    if not re.search(r".@\d+\.\d+\.\d+$", word):
                        faults.append(f"{path.name}: npm installs {word}")
        if found := re.search(r"\bcargo install (?!.*--version \d)", line):
            faults.append(f"{path.name}: {line.strip()}")
        if re.search(r"\bnpx\b(?!.*@\d+\.\d+\.\d+)", line):
            faults.append(f"{path.name}: {line.strip()}")

for fault in faults:
    print(f"NOT PINNED {fault}")
if faults or seen < 20:
    raise SystemExit(1)
print(f"{seen} tools and actions have their exact version")
