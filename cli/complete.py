"""Shell completion: permissions, roles and files, and the users, domains and organizations of the store.

A store that is missing, locked or not ours completes nothing and prints no error.
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
    """Files; the shell lists them itself."""
    return [CompletionItem(beginning, type="file")]


def permissions(context: click.Context, parameter: click.Parameter, beginning: str) -> list[CompletionItem]:
    """The permissions, each with its action in the published table."""
    return [CompletionItem(name, help=name.row.wording) for name in Permission if name.startswith(beginning)]


def roles(context: click.Context, parameter: click.Parameter, beginning: str) -> list[CompletionItem]:
    """The five roles."""
    return _beginning(Role, beginning)


def _stored(names: Callable[[Session], Iterable[str]]) -> Completer:
    """A completer that asks the store, and offers nothing when that fails for any reason."""

    def offer(context: click.Context, parameter: click.Parameter, beginning: str) -> list[CompletionItem]:
        from rbac.cli.session import Session

        with context.scope(), suppress(Exception):  # an error message would end up in the middle of the command line
            return _beginning(names(context.ensure_object(Session)), beginning)
        return []

    return offer


def _beginning(names: Iterable[str], beginning: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(beginning) and name.isprintable()][:_MOST]


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
