"""The first schema. Frozen: its SQL stands beside it, one statement a paragraph, and knows nothing of today's tables."""

import time
import uuid
from pathlib import Path

from alembic import op

revision = "0002"
down_revision = None


def upgrade() -> None:
    """Make the tables, the view and the triggers, and give the store its first row."""
    frozen = Path(__file__).with_name(f"0002_{op.get_bind().dialect.name}.sql").read_text(encoding="utf-8")
    for statement in frozen.split("\n\n"):
        op.get_bind().exec_driver_sql(statement)
    made = f"INSERT INTO rbac_store (one, epoch, created_at) VALUES (1, '{uuid.uuid4().hex}', {time.time_ns() // 1000})"
    op.get_bind().exec_driver_sql(made)
