"""What a photo shows, in the words of who sent it.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what is there has no words yet."""
    op.add_column("attachment", sa.Column("alt", sa.String(), nullable=False, server_default=""))
