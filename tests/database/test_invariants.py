"""What the database refuses by itself, whoever writes: raw SQL, without any code of ours, on both databases."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, IntegrityError

from rbac.database.audit.verify import verify
from rbac.database.engine import reading
from rbac.names import ID, USER_ID

ATTACKS = {
    "an organization without an owner": "UPDATE rbac_organization SET owner = NULL WHERE id = 'acme'",
    "the owner removed": "DELETE FROM rbac_member WHERE organization = 'acme' AND \"user\" = 'olga'",
    "a second row of the organization, with a second owner": """INSERT INTO rbac_organization SELECT id, 'ada', owner_state, revision, head,
        plugins_enabled, manual_role_management, administrators_make_administrators, tokens_for_annotators_and_reviewers
        FROM rbac_organization WHERE id = 'acme'""",
    "the owner deactivated": "UPDATE rbac_member SET state = 'deactivated' WHERE organization = 'acme' AND \"user\" = 'olga'",
    "the owner back to invited": "UPDATE rbac_member SET state = 'invited', role = NULL WHERE organization = 'acme' AND \"user\" = 'olga'",
    "a deactivated owner": "UPDATE rbac_organization SET owner = 'dan' WHERE id = 'acme'",
    "a deactivated owner who says so": "UPDATE rbac_organization SET owner = 'dan', owner_state = 'deactivated' WHERE id = 'acme'",
    "an invited owner": "UPDATE rbac_organization SET owner = 'nina' WHERE id = 'acme'",
    "an invited owner who says so": "UPDATE rbac_organization SET owner = 'nina', owner_state = 'invited' WHERE id = 'acme'",
    "an owner of another organization": "UPDATE rbac_organization SET owner = 'otto' WHERE id = 'acme'",
    "an owner nobody knows": "UPDATE rbac_organization SET owner = 'nobody' WHERE id = 'acme'",
    "an organization that is new and has no member": """INSERT INTO rbac_organization SELECT 'new', owner, owner_state, revision, head,
        plugins_enabled, manual_role_management, administrators_make_administrators, tokens_for_annotators_and_reviewers
        FROM rbac_organization WHERE id = 'acme'""",
    "the role owner given to a member": "UPDATE rbac_member SET role = 'owner' WHERE organization = 'acme' AND \"user\" = 'ada'",
    "a role outside the set": "UPDATE rbac_member SET role = 'root' WHERE organization = 'acme' AND \"user\" = 'ada'",
    "an active member without a role": "UPDATE rbac_member SET role = NULL WHERE organization = 'acme' AND \"user\" = 'ada'",
    "an invited member with a role": "UPDATE rbac_member SET role = 'manager' WHERE organization = 'acme' AND \"user\" = 'nina'",
    "a state outside the set": "UPDATE rbac_member SET state = 'sleeping' WHERE organization = 'acme' AND \"user\" = 'ada'",
    "a manager's role as a project role": "UPDATE rbac_project_role SET role = 'manager' WHERE organization = 'acme'",
    "a reason outside the set": "UPDATE rbac_pause SET reason = 'because' WHERE organization = 'acme'",
    "a distribution outside the set": "UPDATE rbac_project SET distribution = 'random' WHERE organization = 'acme'",
    "a level outside the set": "INSERT INTO rbac_restriction VALUES ('acme', 'plugin:configure', 'root')",
    "a restriction of nothing": "INSERT INTO rbac_restriction VALUES ('acme', 'plugin', 'owner')",
    "a task given as manager": "INSERT INTO rbac_assignment VALUES ('acme', 'p1', 't1', 'max', 'manager')",
    "a workspace in no organization": "INSERT INTO rbac_workspace VALUES ('nowhere', 'w9', NULL, FALSE)",
    "a creator of another organization": "INSERT INTO rbac_workspace VALUES ('acme', 'w9', 'otto', FALSE)",
    "a project in a workspace of another organization": "UPDATE rbac_project SET workspace = 'w7' WHERE organization = 'acme' AND id = 'p1'",  # noqa: E501
    "a project created in another organization": "UPDATE rbac_project SET created_by = 'otto' WHERE organization = 'acme' AND id = 'p1'",
    "a workspace member of another organization": "INSERT INTO rbac_workspace_member VALUES ('acme', 'otto', 'w1', NULL, FALSE)",
    "a member of a workspace of another organization": "INSERT INTO rbac_workspace_member VALUES ('acme', 'andy', 'w7', NULL, FALSE)",
    "a project member of another organization": "INSERT INTO rbac_project_member VALUES ('acme', 'otto', 'p1', NULL, FALSE)",
    "a member of a project of another organization": "INSERT INTO rbac_project_member VALUES ('acme', 'andy', 'p7', NULL, FALSE)",
    "a project role in another organization": "INSERT INTO rbac_project_role VALUES ('acme', 'andy', 'p7', 'reviewer', NULL)",
    "a pause in another organization": "INSERT INTO rbac_pause VALUES ('acme', 'andy', 'p7', 'manual', NULL)",
    "a task in a project of another organization": "INSERT INTO rbac_task VALUES ('acme', 'p7', 't9', 1)",
    "a task of another organization assigned": "INSERT INTO rbac_assignment VALUES ('acme', 'p7', 't7', 'andy', 'annotator')",
    "a task assigned to somebody of another organization": "INSERT INTO rbac_assignment VALUES ('acme', 'p1', 't1', 'otto', 'annotator')",
    "a task worked on from another organization": "INSERT INTO rbac_worked_on VALUES ('acme', 'p7', 't7', 'andy', 1)",
    "a member of a personal workspace": "INSERT INTO rbac_workspace_member VALUES ('acme', 'andy', 's1', NULL, FALSE)",
    "a member of a personal workspace who says so": "INSERT INTO rbac_workspace_member VALUES ('acme', 'andy', 's1', NULL, TRUE)",
    "a member of a personal project": "INSERT INTO rbac_project_member VALUES ('acme', 'andy', 'p5', NULL, FALSE)",
    "a member of a personal project who says so": "INSERT INTO rbac_project_member VALUES ('acme', 'andy', 'p5', NULL, TRUE)",
    "a workspace with members made personal": "UPDATE rbac_workspace SET personal = TRUE WHERE organization = 'acme' AND id = 'w1'",
    "a personal workspace of nobody": "INSERT INTO rbac_workspace VALUES ('acme', 's9', NULL, TRUE)",
    "a published personal project": "UPDATE rbac_project SET published = TRUE WHERE organization = 'acme' AND id = 'p5'",
    "a personal project that does not say so": "UPDATE rbac_project SET personal = FALSE WHERE organization = 'acme' AND id = 'p5'",
    "a workspace deleted under its projects": "DELETE FROM rbac_workspace WHERE organization = 'acme' AND id = 's1'",
    "a project deleted under its tasks": "DELETE FROM rbac_project WHERE organization = 'acme' AND id = 'p1'",
    "a task deleted under its assignments": "DELETE FROM rbac_task WHERE organization = 'acme'",
    "an audit row edited": "UPDATE rbac_audit SET actor = 'ada' WHERE organization = 'acme'",
    "an audit row deleted": "DELETE FROM rbac_audit WHERE organization = 'acme'",
    "an audit row written twice": "INSERT INTO rbac_audit SELECT * FROM rbac_audit WHERE organization = 'acme'",
    "a change edited": "UPDATE rbac_audit_change SET after = '{}' WHERE organization = 'acme'",
    "a change deleted": "DELETE FROM rbac_audit_change WHERE organization = 'acme'",
    "a change added to a closed revision": "INSERT INTO rbac_audit_change VALUES ('acme', 1, 99, 'pause', NULL, 'project:p1', NULL, '{}')",
    "a change of a revision that never comes": "INSERT INTO rbac_audit_change VALUES ('acme', 9, 0, 'pause', NULL, 'project:p1', NULL, '{}')",  # noqa: E501
    "a change of an unknown kind": "INSERT INTO rbac_audit_change VALUES ('acme', 9, 0, 'magic', NULL, 'project:p1', NULL, '{}')",
    "a date after the year 9999": "UPDATE rbac_pause SET until = 253402300800000000 WHERE organization = 'acme'",
    "a second row of the store": "INSERT INTO rbac_store SELECT 2, epoch, created_at FROM rbac_store",
    "a row in the view of Casbin": "INSERT INTO rbac_casbin_rule VALUES ('g', 'user:mallory', 'owner', 'acme', NULL, NULL, NULL)",
    "a row in the view of Casbin deleted": "DELETE FROM rbac_casbin_rule WHERE v0 = 'user:olga'",
    "a row in the view of Casbin edited": "UPDATE rbac_casbin_rule SET v1 = 'owner'",
}

SQLITE_ATTACKS = {
    "an audit row replaced": "INSERT OR REPLACE INTO rbac_audit SELECT * FROM rbac_audit WHERE organization = 'acme'",
    "a change replaced": "INSERT OR REPLACE INTO rbac_audit_change SELECT * FROM rbac_audit_change WHERE organization = 'acme'",
    "a switch that is neither on nor off": "UPDATE rbac_organization SET plugins_enabled = 2",
    "a switch that is a word": "UPDATE rbac_project SET published = 'yes' WHERE id = 'p1'",
    "an instant that is a word": "UPDATE rbac_pause SET until = 'tomorrow'",
    "an instant that is a fraction": "UPDATE rbac_pause SET until = 1.5",
    "an id that is a blob": "INSERT INTO rbac_task VALUES ('acme', 'p1', CAST('t9' AS BLOB), 1)",
}

POSTGRESQL_ATTACKS = {
    "the audit emptied": "TRUNCATE rbac_audit CASCADE",
    "the changes emptied": "TRUNCATE rbac_audit_change",
    "an audit row written over": "INSERT INTO rbac_audit SELECT * FROM rbac_audit ON CONFLICT (organization, revision) DO UPDATE SET actor = 'ada'",  # noqa: E501
}

BAD_IDS = {
    "a comma": "mallory, owner, acme",
    "a newline at the end": "mallory\n",
    "a newline": "mal\nlory",
    "a parenthesis": "mallory)",
    "NUL": "mallory\0owner",
    "NUL at the end": "mallory\0",
    "NUL at the start": "\0mallory",
    "a Cyrillic a": "m\u0430llory",
    "a fullwidth letter": "\uff4dallory",
    "an accent": "mállory",
    "a digit of another script": "mallory\u0661",
    "a zero-width space": "mal\u200blory",
    "129 characters": "m" * 129,
    "300 characters": "m" * 300,
    "nothing": "",
    "a leading dot": ".mallory",
    "a leading minus": "-mallory",
    "a space": "mal lory",
    "a slash": "mal/lory",
    "a colon": "user:mallory",
    "a quote": "mallory'",
    "a caret": "mallory^",
    "a bracket": "mallory]",
    "a backslash": "mallory\\",
    "a per cent sign": "mallory%",
}


def refused(engine: Engine, statement: str, **values: object) -> None:
    """Run one statement and commit; passes when the database refuses the one or the other."""
    with pytest.raises((IntegrityError, DataError, DatabaseError)) as caught, engine.connect() as connection, connection.begin():
        connection.execute(text(statement), values)
    assert not re.search("syntax|no such column|no column|does not exist|has no|values for", str(getattr(caught.value, "orig", "")))


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_database_refuses(acme: Engine, attack: str) -> None:
    refused(acme, ATTACKS[attack])

    with reading(acme) as connection:
        assert verify(connection, "acme")


@pytest.mark.parametrize("attack", SQLITE_ATTACKS)
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_sqlite_refuses(acme: Engine, attack: str) -> None:
    refused(acme, SQLITE_ATTACKS[attack])


@pytest.mark.parametrize("attack", POSTGRESQL_ATTACKS)
@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_postgresql_refuses(acme: Engine, attack: str) -> None:
    refused(acme, POSTGRESQL_ATTACKS[attack])


FOR_USERS_ONLY = {"a colon", "a quote", "129 characters"}


def test_no_bad_id_gets_into_any_table_of_ids(acme: Engine) -> None:
    tried = 0
    for what, bad in BAD_IDS.items():
        for statement in (
            "INSERT INTO rbac_workspace VALUES ('acme', :bad, NULL, FALSE)",
            "INSERT INTO rbac_project VALUES ('acme', :bad, 'w1', FALSE, NULL, FALSE, 'manual', FALSE, FALSE, FALSE)",
            "INSERT INTO rbac_task VALUES ('acme', 'p1', :bad, 1)",
            "UPDATE rbac_organization SET id = :bad WHERE id = 'acme'",
            *(() if what in FOR_USERS_ONLY else ("INSERT INTO rbac_member VALUES ('acme', :bad, 'manager', 'active')",)),
        ):
            refused(acme, statement, bad=bad)
            tried += 1

    assert tried == 5 * len(BAD_IDS) - len(FOR_USERS_ONLY)


STATEMENTS_OF_IDS = {
    "INSERT INTO rbac_task VALUES ('acme', 'p1', :name, 1)": (ID, 128),
    "INSERT INTO rbac_member VALUES ('acme', :name, 'manager', 'active')": (USER_ID, 255),
}


@pytest.mark.parametrize("statement", STATEMENTS_OF_IDS)
def test_both_databases_take_exactly_the_ids_that_names_takes(acme: Engine, statement: str) -> None:
    """Every character of ASCII and a few beyond, in the first place and later."""
    ids, longest = STATEMENTS_OF_IDS[statement]
    characters = [chr(code) for code in range(256)] + ["\u0430", "\u200b", "\uff4d", "\U0001f600"]
    for name in [*characters, *(f"a{character}" for character in characters), "a" * longest, "a" * (longest + 1)]:
        try:
            with acme.connect() as connection, connection.begin() as transaction:
                connection.execute(text(statement), {"name": name})
                transaction.rollback()
            taken = True
        except DBAPIError:
            taken = False

        assert taken == bool(ids.fullmatch(name)), repr(name)


def test_a_transfer_is_one_update_and_needs_an_active_member(acme: Engine) -> None:
    with acme.connect() as connection, connection.begin():
        connection.execute(text("UPDATE rbac_organization SET owner = 'ada' WHERE id = 'acme'"))

    with reading(acme) as connection:
        assert connection.scalar(text("SELECT owner FROM rbac_organization WHERE id = 'acme'")) == "ada"
        assert connection.scalar(text("SELECT owner FROM rbac_organization WHERE id = 'other'")) == "olga"


def test_ids_come_in_the_order_of_their_bytes(acme: Engine) -> None:
    names = ["a", "B", "b", "A-1", "A.1", "Z", "9", "a+", "a@", "a_b"]
    with acme.connect() as connection, connection.begin():
        for name in names:
            connection.execute(text("INSERT INTO rbac_task VALUES ('acme', 'p5', :name, 1)"), {"name": name})

    with reading(acme) as connection:
        found = connection.scalars(text("SELECT id FROM rbac_task WHERE organization = 'acme' AND project = 'p5' ORDER BY id")).all()
    assert found == sorted(names)


def test_the_view_shows_casbin_the_roles_that_are_in_force(acme: Engine) -> None:
    expired = 1_600_000_000_000_000
    with acme.connect() as connection, connection.begin():
        connection.execute(text("INSERT INTO rbac_project_member VALUES ('acme', 'max', 'p1', :until, FALSE)"), {"until": expired})
        connection.execute(text("INSERT INTO rbac_project_role VALUES ('acme', 'rita', 'p1', 'annotator', :until)"), {"until": expired})
        connection.execute(text("INSERT INTO rbac_project_role VALUES ('acme', 'max', 'p1', 'annotator', NULL)"))
        connection.execute(text("INSERT INTO rbac_workspace_member VALUES ('acme', 'dan', 'w1', NULL, FALSE)"))

    with reading(acme) as connection:
        rows = connection.execute(text("SELECT ptype, v0, v1, v2, v3, v4, v5 FROM rbac_casbin_rule WHERE v2 LIKE 'acme%'")).all()
    assert {(*row[:4],) for row in rows} == {
        ("g", "user:olga", "owner", "acme"),
        ("g", "user:ada", "administrator", "acme"),
        ("g", "user:max", "manager", "acme"),
        ("g", "user:rita", "reviewer", "acme"),
        ("g", "user:andy", "annotator", "acme"),
        ("g2", "user:andy", "reviewer", "acme/project/p1"),
        ("g3", "user:andy", "member", "acme/workspace/w1"),
        ("g3", "user:rita", "member", "acme/project/p1"),
    }
    assert all(row[4:] == (None, None, None) for row in rows)
