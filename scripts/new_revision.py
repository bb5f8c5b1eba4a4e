"""Write the revision that brings older databases to storage/tables: `python scripts/new_revision.py "Add X to Y"`."""

import sys
import tempfile
from pathlib import Path

from alembic import command

from storage.db import Database
from storage.migrate import upgrade
from storage.revisions import config


def main(message: str) -> None:
    """Compare the tables with what the known revisions make, and write the difference below storage/migrations."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'empty.db'}")
        upgrade(database)
        with database.write() as connection:
            known = len(list((Path(__file__).parents[1] / "storage/migrations/versions").glob("0*.py")))
            command.revision(config(connection), message=message, autogenerate=True, rev_id=f"{known + 1:04}")
        database.close()


if __name__ == "__main__":
    main(sys.argv[1])
