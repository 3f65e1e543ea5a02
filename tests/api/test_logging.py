"""What an application sets up for its own logging turns nothing on here: facts do not go into a log."""

from __future__ import annotations

import logging
import logging.config
from collections.abc import Iterator

import pytest

import rbac
from rbac.organization import Organization


class Records(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record)


@pytest.fixture
def records() -> Iterator[Records]:
    """What the root logger gets after an application has set its logging up, as Django does."""
    handler, root = Records(), logging.getLogger()
    existing = {name: each for name, each in logging.root.manager.loggerDict.items() if isinstance(each, logging.Logger)}
    before = {name: (each.level, each.disabled, each.propagate, each.handlers[:]) for name, each in existing.items()}
    level = root.level
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "root": {"level": "DEBUG"},
            "loggers": {"casbin": {"level": "DEBUG"}, "casbin.enforcer": {"level": "DEBUG"}},
        }
    )
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)
    for name, (kept, disabled, propagate, handlers) in before.items():
        logger = existing[name]
        logger.setLevel(kept)
        logger.disabled, logger.propagate, logger.handlers = disabled, propagate, handlers


def test_decisions_are_not_logged_whatever_the_application_sets_up(acme: Organization, records: Records) -> None:
    for user in ("max", "andy", "nobody"):
        acme.can(user, "data:export", "project:p1")
        acme.check(user, "labeling:access", "project:p2", task="t1")
    acme.check_many([rbac.Request("max", "data:export", "project:p1")])
    acme.acting("ada").grant("andy", "reviewer")
    with rbac.connect("sqlite://"):
        pass

    assert [each.getMessage() for each in records.kept if each.name.startswith(("casbin", "rbac"))] == []
