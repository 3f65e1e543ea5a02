"""Mutations of bytes and of trees, each from a generator that is given: the same seed makes the same input.

Bytes lose, double and swap parts and get pieces that readers stumble over. Trees, which become YAML or JSON, get plausible
values, taken from other places of the same name, and implausible ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import yaml

LONGEST = 200_000

NASTY_TEXTS: tuple[str, ...] = (
    "", " ", "\ufeff", "\x00", "\t", "\r\n", "\r", "\n", "\x0b", "\x1b[2J", "\x7f", "\x85", "\u2028", "\u200b", "\u202e", "\u00a0",
    "m\u0430x", "\uff11", "\u0663", "\u00b2", "\u0131", "\u212a", "\U0001f600", "a,b", "a)b", "(a", "a\nb", "a\"b", "a'b", "a b", "*", "&",
    "NaN", "Infinity", "-Infinity", "1e999", "-1", "1.5", "0", "1", "01", "1_000", "0x10", "0o7", "1:30:00", "9" * 30, "9" * 5000,
    "null", "~", "true", "yes", "on", "<<", "=", "x" * 128, "x" * 129, "x" * 5000, "(a+)+$", "a{1,99999}", "[", "{", "}", "]", "%s", "{0}",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z",
    "2027-01-31", "2027-01-31T12:00:00", "2027-02-30T12:00:00Z", "2027-01-31T12:00:60Z", "2027-01-31T12:00:00+99:00", "2027-W05-1",
    "../x", "a/b", " - at `$.", "x - at `$[...].\u00b2", "olga", "owner", "acme", "organization", "project:p1", "project:", "always",
)  # fmt: skip
"""Texts that names, numbers and instants are mistaken for."""

NASTY_VALUES: tuple[Any, ...] = (
    *NASTY_TEXTS, None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, 2**64, 10**40, -(10**40), 1.5, float("nan"), float("inf"), 1e308,
    [], {}, [[]], [{}], {"": ""}, {"x": None}, [None], ["max", "max"], {"until": "2030-01-01T00:00:00Z"}, {"until": 5}, [1, "a", {}],
)  # fmt: skip

NASTY_BYTES: tuple[bytes, ...] = (
    *(text.encode() for text in NASTY_TEXTS),
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", b"\x80", b"\xf4\x90\x80\x80", b"\xe2\x80", b"\\ud800", b"\\u0000", b"\\x",
    b"<<<<<<< HEAD\n", b"=======\n", b"#", b" # x", b",", b",,", b"&&", b"||", b"!", b"==", b"&a ", b"*a", b"<<: *a", b"? ", b": ", b"- ",
    b"|", b">", b"---\n", b"...\n", b"%YAML 1.1\n---\n", b"%TAG ! x\n", b"!!timestamp x", b"!!int ''", b"!!int x", b"!!float ''",
    b"!!bool x",
    b"!!binary x", b"!!set ", b"!!omap ", b"!!pairs ", b"!!map x", b"!!seq x", b"!!str [a]", b"!!null x", b"!!merge x", b"!!value x",
    b"!!python/object/apply:os.getcwd []", b"! ", b"!x ", b"!!python/name:os.system ", b"{a: &a [*a]}", b"&a [*a, *a]", b'{"a":1,"a":2}',
    b"[" * 400, b"{a: " * 400, b"(" * 300, b"!" * 3000, b"\\", b"\\\n", b";", b"x" * 20_000, b"\n" * 500, b"0" * 5000,
)  # fmt: skip


def plain(rng: Random, text: str) -> str:
    """One letter of a word wrong: left out, doubled, exchanged, or in the wrong case."""
    if not text:
        return "x"
    at = rng.randrange(len(text))
    return text[:at] + rng.choice(("", text[at] * 2, text[at].swapcase(), "x", "_", "\u0430", " ")) + text[at + 1 :]


# -- bytes -----------------------------------------------------------------------------------------------------------------


def _span(rng: Random, data: bytes, most: int = 40) -> slice:
    start = rng.randrange(len(data) + 1)
    return slice(start, start + rng.randrange(most))


def _insert(rng: Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(NASTY_BYTES) + data[at:]


def _replace(rng: Random, data: bytes) -> bytes:
    where = _span(rng, data)
    return data[: where.start] + rng.choice(NASTY_BYTES) + data[where.stop :]


def _delete(rng: Random, data: bytes) -> bytes:
    where = _span(rng, data)
    return data[: where.start] + data[where.stop :]


def _flip(rng: Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) or 1)
    return data[:at] + bytes([(data[at] if data else 0) ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _repeat(rng: Random, data: bytes) -> bytes:
    where = _span(rng, data)
    return data[: where.stop] + data[where] * rng.choice((1, 2, 10, 1000)) + data[where.stop :]


def _truncate(rng: Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _lines(rng: Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one] if rng.random() < 0.5 else lines[other]
    return b"\n".join(lines)


def _ends(rng: Random, data: bytes) -> bytes:
    return data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n", b"\x0b\n", "\u2028".encode())))


_BYTES: tuple[Callable[[Random, bytes], bytes], ...] = (
    _insert,
    _insert,
    _replace,
    _replace,
    _delete,
    _flip,
    _repeat,
    _truncate,
    _lines,
    _ends,
)
_TEXT = ("utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig", "latin-1")


def bytes_of(rng: Random, data: bytes, most: int = 3) -> bytes:
    """Some mutations of bytes."""
    for _ in range(rng.randint(1, most)):
        data = rng.choice(_BYTES)(rng, data)[:LONGEST]
    if rng.random() < 0.02:
        data = data.decode("utf-8", "replace").encode(rng.choice(_TEXT), "replace")
    return data


# -- trees -----------------------------------------------------------------------------------------------------------------


def gather(pools: dict[str, list[Any]], tree: Any, key: str = "") -> dict[str, list[Any]]:
    """Every value of a tree by its key: what is plausible there."""
    pools.setdefault(key, []).append(tree)
    for name, value in tree.items() if isinstance(tree, Mapping) else ((key, each) for each in tree) if isinstance(tree, list) else ():
        pools.setdefault("key of " + key, []).append(name)
        gather(pools, value, str(name))
    return pools


def tree_of(rng: Random, tree: Any, pools: dict[str, list[Any]], *, nasty: float) -> Any:
    """One mutation somewhere in a tree, in place; `nasty` is the share of the implausible ones."""
    part, key = tree, ""
    while isinstance(part, dict | list) and part:
        chosen: Any = rng.choice(list(part)) if isinstance(part, dict) else rng.randrange(len(part))
        name = str(chosen) if isinstance(part, dict) else key
        value = part[chosen]
        if not isinstance(value, dict | list) or not value or rng.random() < 0.25:
            _change(rng, part, chosen, name, key, pools, nasty)
            return tree
        part, key = value, name
    return tree


def _change(rng: Random, part: Any, chosen: Any, name: str, key: str, pools: dict[str, list[Any]], nasty: float) -> None:
    """Change the value at `chosen` in a mapping or list."""
    new = copied(rng.choice(NASTY_VALUES if rng.random() < nasty else pools.get(name) or [None]))
    dice = rng.random()
    if dice < 0.55:
        part[chosen] = new
    elif dice < 0.7:
        del part[chosen]
    elif isinstance(part, list):
        part.insert(chosen, new if dice < 0.85 else copied(part[chosen]))
    else:
        names = pools.get("key of " + key) or [""]
        other = rng.choice(NASTY_TEXTS) if rng.random() < nasty else rng.choice(names)
        part[other if dice < 0.9 else plain(rng, str(chosen))] = new if dice < 0.8 else part.pop(chosen)


def copied(value: Any) -> Any:
    """A tree of its own: what is mutated here must not stand anywhere else."""
    return json.loads(json.dumps(value)) if isinstance(value, dict | list) else value


def written(rng: Random, tree: Any, *, as_json: bool) -> bytes:
    """A tree as JSON, or as YAML in block style, in flow style, or in the JSON that YAML takes as well."""
    dice = rng.random()
    if as_json or dice < 0.5:
        return json.dumps(tree, ensure_ascii=dice < 0.25).encode("utf-8", "surrogatepass")
    text: str = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, default_flow_style=dice < 0.7, allow_unicode=dice < 0.6)
    return text.encode("utf-8", "surrogatepass")


_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def bomb(rng: Random, levels: Sequence[str]) -> bytes:
    """Aliases of aliases: a small file that is an enormous tree, `levels` being what each level is called."""
    inside = rng.choice(("x", "{id: a, owner: b}", "[]"))
    text = f"a0: &a0 {inside}\n"
    for number in range(1, rng.choice((2, 9))):
        wide = ", ".join([f"*a{number - 1}"] * rng.choice((2, 10, 60)))
        text += f"{rng.choice(levels)}{number}: &a{number} {rng.choice((f'[{wide}]', f'{{k: [{wide}]}}'))}\n"
    return (text + f"{rng.choice(levels)}: *a1\n").encode()
