"""The policy whose cells the space is asked about."""

from __future__ import annotations

import pytest

from rbac.policy.reader import Policy, read_policy


@pytest.fixture(scope="session")
def shipped() -> Policy:
    """The policy in the package."""
    return read_policy()
