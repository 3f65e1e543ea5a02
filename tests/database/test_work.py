"""The unit of work: one transaction, one revision an organization, or nothing at all."""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.context import SpawnProcess

import pytest
from sqlalchemy import Connection, Engine, Table, func, insert, select

from rbac.database import tables
from rbac.database.audit.log import entries
from rbac.database.audit.verify import verify
from rbac.database.engine import open_engine, reading
from rbac.database.unit_of_work import Work, founding, transaction, writing
from rbac.errors import Refused
from tests.database import writer


def revision(engine: Engine, organization: str = "acme") -> int:
    with reading(engine) as connection:
        found: int = connection.execute(select(tables.organization.c.revision).where(tables.organization.c.id == organization)).scalar_one()
    return found


def rows(engine: Engine, table: Table) -> int:
    with reading(engine) as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


MADE = {"created_by": None, "personal": False}


def new_workspace(work: Work, name: str) -> None:
    writer.put(work, "workspace", MADE, domain=f"workspace:{name}")


def test_a_change_makes_one_revision_with_one_audit_row(acme: Engine) -> None:
    with writing(acme, "acme", actor="ada", actor_kind="member", operation="record", ticket="SUP-1", at=5_000_000) as work:
        assert work.revision == 1
        new_workspace(work, "t2")
        new_workspace(work, "t3")

    assert work.revision == revision(acme) == 2
    with reading(acme) as connection:
        (entry,) = entries(connection, "acme", first=2)
    assert (entry.actor, entry.actor_kind, entry.operation, entry.ticket, entry.at) == ("ada", "member", "record", "SUP-1", 5_000_000)
    assert [change.domain for change in entry.changes] == ["workspace:t2", "workspace:t3"]


def test_where_nothing_is_recorded_nothing_is_written(acme: Engine) -> None:
    with writing(acme, "acme", actor="ada", actor_kind="member", operation="record", at=1) as work:
        work.connection.execute(insert(tables.workspace).values(organization="acme", id="t2", **MADE))

    assert work.revision == revision(acme) == 1
    assert rows(acme, tables.workspace) == 5


def test_a_fact_that_does_not_change_is_not_recorded(acme: Engine) -> None:
    with writing(acme, "acme", actor="ada", actor_kind="member", operation="configure", at=1) as work:
        work.record("settings", before={"plugins_enabled": True}, after={"plugins_enabled": True})

    assert work.changes == 0
    assert revision(acme) == 1


def test_an_exception_undoes_everything_and_goes_on(acme: Engine) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        writing(acme, "acme", actor="ada", actor_kind="member", operation="record", at=1) as work,
    ):
        for number in range(1500):  # more than are buffered
            new_workspace(work, f"n{number}")
        raise ZeroDivisionError

    assert revision(acme) == 1
    assert rows(acme, tables.workspace) == 5
    assert rows(acme, tables.audit) == 3


def test_what_the_database_refuses_is_refused_and_undone(acme: Engine) -> None:
    with (
        pytest.raises(Refused, match="the store refused the change"),
        writing(acme, "acme", actor="ada", actor_kind="member", operation="deactivate", at=1) as work,
    ):
        new_workspace(work, "t2")
        writer.put(work, "member", {"role": "administrator", "state": "deactivated"}, user="olga", before={"state": "active"})

    assert revision(acme) == 1
    assert rows(acme, tables.workspace) == 5


def test_an_organization_that_is_not_there_is_refused(acme: Engine) -> None:
    with (
        pytest.raises(Refused, match="there is no organization nowhere"),
        writing(acme, "nowhere", actor="ada", actor_kind="member", operation="record", at=1),
    ):
        raise AssertionError("not reached")


def test_the_operation_may_be_named_at_the_end(acme: Engine) -> None:
    with writing(acme, "acme", actor="ada", actor_kind="member", operation="batch", at=1) as work:
        new_workspace(work, "t2")
        work.operation = "grant, add"

    with reading(acme) as connection:
        assert next(entries(connection, "acme", first=2)).operation == "grant, add"


def test_a_new_organization_has_its_owner_and_the_settings_asked_for(engine: Engine) -> None:
    with founding(engine, "acme", owner="olga", actor="root", operation="init", at=7, settings={"plugins_enabled": True}) as work:
        assert work.revision == 0

    assert work.revision == revision(engine) == 1
    with reading(engine) as connection:
        row = connection.execute(select(tables.organization)).one()
        assert (row.owner, row.plugins_enabled, row.manual_role_management) == ("olga", True, True)
        assert connection.execute(select(tables.member.c.role, tables.member.c.state)).one() == ("administrator", "active")
        assert verify(connection, "acme")


def test_an_organization_is_founded_once(acme: Engine) -> None:
    with (
        pytest.raises(Refused, match="there is already an organization acme"),
        founding(acme, "acme", owner="mallory", actor="root", operation="init", at=1),
    ):
        raise AssertionError("not reached")


def test_a_setting_that_does_not_exist_is_an_error(engine: Engine) -> None:
    with (
        pytest.raises(ValueError, match="no such setting: plugin"),
        founding(engine, "acme", owner="olga", actor="root", operation="init", at=1, settings={"plugin": True}),
    ):
        raise AssertionError("not reached")


def test_one_transaction_changes_several_organizations_and_only_those_told_of(acme: Engine) -> None:
    with transaction(acme) as works:
        first = works.lock("acme", actor="root", actor_kind="operator", operation="import", at=1)
        second = works.found("third", owner="olga", actor="root", operation="import", at=1)
        untold = works.lock("other", actor="root", actor_kind="operator", operation="import", at=1)
        new_workspace(first, "t2")

    assert (first.revision, second.revision, untold.revision) == (2, 1, 2)
    assert (revision(acme), revision(acme, "third"), revision(acme, "other")) == (2, 1, 2)
    with reading(acme) as connection:
        assert all(verify(connection, each) for each in ("acme", "other", "third"))


def test_one_transaction_fails_for_all_its_organizations(acme: Engine) -> None:
    with pytest.raises(Refused), transaction(acme) as works:
        new_workspace(works.lock("acme", actor="root", actor_kind="operator", operation="import", at=1), "t2")
        works.found("third", owner="olga", actor="root", operation="import", at=1)
        works.found("other", owner="olga", actor="root", operation="import", at=1)

    assert revision(acme) == 1
    assert rows(acme, tables.organization) == 2


def test_an_organization_has_one_unit_of_work_in_a_transaction(acme: Engine) -> None:
    with pytest.raises(ValueError, match="acme has a unit of work in this transaction already"), transaction(acme) as works:
        works.lock("acme", actor="root", actor_kind="operator", operation="import", at=1)
        works.lock("acme", actor="root", actor_kind="operator", operation="import", at=1)


def test_many_changes_stay_in_one_revision_and_in_their_order(acme: Engine) -> None:
    with writing(acme, "acme", actor="root", actor_kind="operator", operation="record", at=1) as work:
        for number in range(2500):
            new_workspace(work, f"n{number}")

    with reading(acme) as connection:
        (entry,) = entries(connection, "acme", first=2)
        assert verify(connection, "acme")
    assert [change.domain for change in entry.changes] == [f"workspace:n{number}" for number in range(2500)]


def count_up(engine: Engine, times: int) -> None:
    """Read how many workspaces there are and add the next one: two who do this at once without a lock collide."""
    for _ in range(times):
        with writing(engine, "acme", actor="root", actor_kind="operator", operation="record", at=1) as work:
            new_workspace(work, f"n{counted(work.connection) + 1}")


def counted(connection: Connection) -> int:
    here = (tables.workspace.c.organization == "acme") & tables.workspace.c.id.like("n%")
    return connection.scalar(select(func.count()).where(here)) or 0


def count_up_elsewhere(url: str, times: int) -> None:
    engine = open_engine(url)
    count_up(engine, times)
    engine.dispose()


def test_no_change_of_several_threads_and_processes_is_lost(acme: Engine, url: str) -> None:
    times = 20
    spawn = multiprocessing.get_context("spawn")
    workers: list[threading.Thread | SpawnProcess] = [
        *(threading.Thread(target=count_up, args=(acme, times)) for _ in range(2)),
        *(spawn.Process(target=count_up_elsewhere, args=(url, times)) for _ in range(2)),
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    with reading(acme) as connection:
        assert counted(connection) == 4 * times
        assert verify(connection, "acme")
    assert revision(acme) == 1 + 4 * times
