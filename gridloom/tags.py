"""Tags: how people name a component, `name`, `name@1`, `name@v1.2`, `user/name@1`, or its id."""

import re
from dataclasses import dataclass

from gridloom.errors import BadInput
from gridloom.ids import is_uuid

_TAG = re.compile(
    r"(?:(?P<user>[^/@\s\x00-\x1f]{1,64})/)?(?P<name>[A-Za-z0-9_-]{1,64})"
    r"(?:@[vV]?(?P<major>\d{1,9})(?:\.(?P<minor>\d{1,9}))?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A parsed tag: `id` stands alone; otherwise None and the empty string mean any."""

    name: str = ""
    major: int | None = None
    minor: int | None = None
    user: str = ""
    id: str = ""

    def __str__(self) -> str:
        if self.id:
            return self.id
        head = f"{self.user}/{self.name}" if self.user else self.name
        numbers = [str(number) for number in (self.major, self.minor) if number is not None]
        return f"{head}@{'.'.join(numbers)}" if numbers else head


def parse_tag(text: str, field: str = "tag") -> Tag:
    """Read a tag; `field` is where it stood, for the error.

    Raises:
        BadInput: when it has none of the forms.
    """
    text = text.strip()
    if is_uuid(text):
        return Tag(id=text.lower())
    match = _TAG.fullmatch(text)
    if not match:
        raise BadInput(
            f"{text[:200]!a} is not a tag; write name, name@major, name@major.minor or an id", field=field
        )
    return Tag(
        name=match["name"],
        user=match["user"] or "",
        major=None if match["major"] is None else int(match["major"]),
        minor=None if match["minor"] is None else int(match["minor"]),
    )
