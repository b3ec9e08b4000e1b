"""${message}.

Revision: ${up_revision}
After: ${down_revision | comma,n}
"""

import sqlalchemy as sa
from alembic import op
% if imports:
${imports}
% endif

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Move the tables and what is in them forward."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """There is no way back but the backup: going back would lose what was written since."""
    raise NotImplementedError
