"""Command lines out of the command tree itself: a command that is added is asked too.

The name of a parameter says what is plausible for it; every parameter gets implausible values as well. Nothing
outside the present folder is named.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from random import Random
from typing import Any

import click

from rbac.cli import main
from rbac.cli.commands import GLOBAL_OPTIONS
from rbac.vocabulary import Permission, Role
from tests.fuzz import mutations

Line = tuple[list[str], dict[str, str]]
"""The words, and the environment."""

USERS = ("olga", "ada", "max", "mia", "rita", "andy", "dan", "nina", "zoe", "operator")
PROJECTS, WORKSPACES = ("p1", "p2", "p3", "p4", "p5", "p9"), ("w1", "w2", "max-sandbox", "w9")
ADDRESSES = (*(f"project:{name}" for name in PROJECTS), *(f"workspace:{name}" for name in WORKSPACES), "organization")
INSTANTS = (
    *("2099-01-31T12:00:00Z", "2030-06-01T00:00:00Z") * 5,
    "2099-01-31T12:00:00Z",
    "2001-01-31T12:00:00+02:00",
    "2030-06-01T00:00:00.000001Z",
    *(each for each in mutations.NASTY_TEXTS if ":00" in each),
)
NUMBERS = (
    "0",
    *("1", "2") * 4,
    "7",
    "-1",
    "1.5",
    "9" * 19,
    "9" * 40,
    "9" * 5000,
    "9223372036854775807",
    "9223372036854775808",
    "\u0663",
    "nan",
)
STORES = ("sqlite:///rbac.db", "sqlite:///other.db", "sqlite://", "sqlite:///nowhere/x.db", "sqlite:///folder", "sqlite:///policy.csv",
    "sqlite:///empty.db",
          "sqlite:///file:rbac.db?mode=ro&uri=true", "postgresql+psycopg://a:secret@127.0.0.1:1/x", "postgresql://[::1", "mysql://x",
          "sqlite:///rbac.db?timeout=x")  # fmt: skip
POLICIES = ("policy.csv", "policy.csv", "broken.csv", "HEAD", "nowhere.csv", "folder", "model.conf", "/dev/null", "caf\udce9.csv", "")
TESTS = ("test.rbac.yaml", "broken.rbac.yaml", "folder", "empty.db", "nowhere")
KNOWN: dict[str, tuple[str, ...]] = {
    "user": USERS, "target": USERS, "actor": ("olga", "ada", "max", *USERS), "owner": USERS, "operator": USERS, "role": tuple(Role),
    "level": tuple(Role),
    "permission": tuple(Permission), "domain": ADDRESSES, "project": (*ADDRESSES, *PROJECTS), "on": ADDRESSES, "workspace": WORKSPACES,
    "task": ("t1", "t2", "t9"), "organization": ("beta", "acme", "gamma"), "org": ("acme", "acme", "beta"), "until": INSTANTS,
    "since": INSTANTS,
    "moment": (*NUMBERS, *INSTANTS, "2026-11-24T12:00:00Z"), "first": NUMBERS, "last": NUMBERS, "at_least": NUMBERS, "threshold": NUMBERS,
    "settings": ("published=true", "distribution=manual", "distribution=automatic", "show_data_manager_to=annotator,reviewer",
    "review_only_assigned=1",
                 "plugins_enabled=false", "manual_role_management=no", "x=y", "=", "published=", "domain=x"),
    "ticket": ("SUP-1", "[bold]", "x" * 256, "a; b"), "file": ("acme.yaml", "broken.yaml", "broken.json", "requests.jsonl",
    "broken.jsonl", "-", "heads.txt"),
    "files": (*POLICIES, *TESTS), "claims_file": ("claims.yaml", "broken-claims.yaml", "nowhere"), "policy": POLICIES, "old": POLICIES,
    "new": POLICIES,
    "model": ("model.conf", "model.conf", "broken.conf", "nowhere", "policy.csv"), "db": STORES, "head": ("heads.txt", "broken.heads",
    "acme.yaml", "-"),
    "junit": ("out.xml", "folder", "nowhere/out.xml", "/dev/full"),
}  # fmt: skip
ANY = tuple(dict.fromkeys(each for pool in KNOWN.values() for each in pool))
RARE = {"demo": 0.03, "mutate": 0.05, "test": 0.15, "coverage": 0.15, "claims": 0.4, "lint": 0.4, "restored": 0.3}
"""Commands that take a tenth of a second and more, and how much of their turn they get."""
_DEVICES = ("/dev/null", "/dev/full")


def commands() -> list[tuple[list[str], click.Command]]:
    """Every command there is, with the words that lead to it."""
    return list(_below([], main))


def _below(words: list[str], command: click.Command) -> Iterator[tuple[list[str], click.Command]]:
    if not isinstance(command, click.Group):
        yield words, command
        return
    for name, each in command.commands.items():
        yield from _below([*words, name], each)


COMMANDS = commands()


def make(rng: Random) -> Line:
    """A command line and its environment."""
    words, command = rng.choice(COMMANDS)
    while words[-1] in RARE and rng.random() > RARE[words[-1]]:
        words, command = rng.choice(COMMANDS)
    given: list[str] = list(words)
    parameters = list(command.params)
    if rng.random() < 0.2:
        rng.shuffle(parameters)
    for parameter in parameters:
        given += _given(rng, parameter)
    if rng.random() < 0.3:
        given = ["--json", *given]
    if rng.random() < 0.15:
        _disturb(rng, given)
    return given, _environment(rng, given)


def _given(rng: Random, parameter: click.Parameter) -> list[str]:
    """The words of one parameter, or none when it is left out."""
    if rng.random() > _likely(parameter):
        return []
    if isinstance(parameter, click.Argument):
        return [_value(rng, parameter) for _ in range(rng.randint(1, 3) if parameter.nargs == -1 else 1)]
    name = parameter.opts[0]
    if getattr(parameter, "is_flag", False) or (getattr(parameter, "_flag_needs_value", False) and rng.random() < 0.5):
        return [name]
    return [f"{name}={_value(rng, parameter)}"] if rng.random() < 0.2 else [name, _value(rng, parameter)]


def _likely(parameter: click.Parameter) -> float:
    """How often a parameter is given."""
    if parameter.required or parameter.name == "actor":
        return 0.97
    return 0.8 if isinstance(parameter, click.Argument) else 0.04 if parameter in GLOBAL_OPTIONS else 0.12


def _value(rng: Random, parameter: click.Parameter) -> str:
    """Something plausible for a parameter, mostly."""
    pool: Any = parameter.type.choices if isinstance(parameter.type, click.Choice) else KNOWN.get(str(parameter.name), ANY)
    dice = rng.random()
    if dice < 0.9:
        return str(rng.choice(pool))
    text = (
        rng.choice(mutations.NASTY_TEXTS)
        if dice < 0.95
        else mutations.plain(rng, str(rng.choice(pool)))
        if dice < 0.98
        else rng.choice(ANY)
    )
    return _harmless(text + rng.choice(("", "", "\udcff")))


def _harmless(text: str) -> str:
    """What can be a word of a command line and leads nowhere else: no NUL, no path to the outside."""
    outside = text.startswith("/") or ".." in text or "//" in text
    return text.replace("\0", "") if not outside or text in (*_DEVICES, *STORES) else "x"


def _disturb(rng: Random, words: list[str]) -> None:
    at = rng.randrange(len(words) + 1)
    match rng.randrange(6):
        case 0:
            del words[at:]
        case 1:
            words.insert(
                at, rng.choice(("--", "-", "--help", "--version", "-h", "--as", "--json", "--db", "--frob", "--org=", "--jso", "-x"))
            )
        case 2:
            words.insert(at, _harmless(rng.choice(mutations.NASTY_TEXTS)))
        case 3:
            rng.shuffle(words)
        case 4:
            words[at:at] = words[: rng.randrange(3)]
        case _:
            words[at : at + 1] = [_harmless(mutations.plain(rng, rng.choice(words)))]


def _environment(rng: Random, words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, pool in (("RBAC_ACTOR", "actor"), ("RBAC_DB", "db"), ("RBAC_ORG", "org")):
        if rng.random() < 0.04:
            found[name] = _harmless(rng.choice((*KNOWN[pool], rng.choice(mutations.NASTY_TEXTS))))
    if rng.random() < 0.02:
        shell = rng.choice(("bash", "zsh", "fish"))
        line = shlex.join(each.encode("utf-8", "replace").decode() for each in ["rbac", *words])
        found |= {"_RBAC_COMPLETE": f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": str(rng.randint(0, len(words) + 1))}
    return found
