"""What a shell offers at TAB: names of closed sets, and what the store has.

Its one rule: a store that is missing, locked or not ours offers nothing and says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class

from rbac.vocabulary import Kind, Permission, Role

if TYPE_CHECKING:
    from rbac.cli.session import Session

_MOST = 500

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def files(context: click.Context, parameter: click.Parameter, beginning: str) -> list[CompletionItem]:
    """Files, found by the shell itself."""
    return [CompletionItem(beginning, type="file")]


def permissions(context: click.Context, parameter: click.Parameter, beginning: str) -> list[CompletionItem]:
    """The 54 permissions, each with its row of the page."""
    return [CompletionItem(name, help=name.row.wording) for name in Permission if name.startswith(beginning)]


def roles(context: click.Context, parameter: click.Parameter, beginning: str) -> list[CompletionItem]:
    """The five roles."""
    return _beginning(Role, beginning)


def _stored(names: Callable[[Session], Iterable[str]]) -> Completer:
    """A completer that asks the store, and offers nothing when that fails for whatever reason."""

    def offer(context: click.Context, parameter: click.Parameter, beginning: str) -> list[CompletionItem]:
        from rbac.cli.session import Session

        with context.scope(), suppress(Exception):  # whatever is wrong, a shell that completes is the wrong place to say so
            return _beginning(names(context.ensure_object(Session)), beginning)
        return []

    return offer


def _beginning(names: Iterable[str], beginning: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(beginning)][:_MOST]


def _of_kind(*kinds: Kind) -> Completer:
    return _stored(lambda session: (str(each) for each in session.organization().domains() if each.kind in kinds))


@add_completion_class
class ColonsInBash(BashComplete):
    """Bash splits words at colons unless told otherwise, and permissions and domains have one."""

    source_template = "COMP_WORDBREAKS=${COMP_WORDBREAKS//:}\n" + BashComplete.source_template


organizations = _stored(lambda session: session.store().organizations())
users = _stored(lambda session: (each.user for each in session.organization().members()))
domains = _of_kind(*Kind)
projects = _of_kind(Kind.PROJECT)
workspace_ids = _stored(lambda session: (each.id for each in session.organization().domains() if each.kind is Kind.WORKSPACE))
project_ids = _stored(lambda session: (each.id for each in session.organization().domains() if each.kind is Kind.PROJECT))
