"""Write README's table of GRIDLOOM_* variables from the settings class: `python scripts/settings_table.py [--check]`."""

import re
import sys
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from gridloom.settings import Settings

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile("(<!-- settings: .*? -->\n)(.*?)(<!-- /settings -->)", re.DOTALL)


def table() -> str:
    """Return the table in Markdown, one row for each setting."""
    prefix = Settings.model_config["env_prefix"]
    rows = [
        f"| `{prefix}{name.upper()}` | {_default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return "" if value in ("", None) else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def main() -> None:
    """Rewrite README, or with `--check` exit 1 when it is not up to date."""
    old = README.read_text()
    new = BLOCK.sub(lambda block: block[1] + table() + block[3], old)
    if "--check" in sys.argv[1:]:
        sys.exit("README.md: run scripts/settings_table.py" if new != old else 0)
    README.write_text(new)


if __name__ == "__main__":
    main()
