"""Patterns of object keys: `*`, `?` and `[...]` stay inside a part of the path, `**` stands for any number of parts."""

import fnmatch
import re
from itertools import groupby

_WILD = re.compile(r"[*?[]")


def is_pattern(name: str) -> bool:
    """Tell whether a name holds a wildcard."""
    return _WILD.search(name) is not None


class Pattern:
    """One pattern; `prefix` is what all its keys begin with, `folder` that up to its last slash."""

    def __init__(self, text: str) -> None:
        self.prefix = _WILD.split(text, maxsplit=1)[0]
        self.folder = self.prefix[: self.prefix.rfind("/") + 1]
        #: An expression for each part, None for any number of parts. Python's own translation of a part is guarded
        #: against patterns that would take for ever.
        self._parts = [
            None if part == "**" else re.compile(fnmatch.translate(part))
            for part, again in groupby(text.split("/"))
            for _ in ([0] if part == "**" else again)
        ]

    def matches(self, key: str) -> bool:
        """Tell whether the whole of a key is of the pattern; takes time in proportion to both."""
        places = {0}
        for name in key.split("/"):
            following = set()
            for place in self._reached(places):
                if place == len(self._parts):
                    continue
                part = self._parts[place]
                if part is None:
                    following.add(place)
                elif part.match(name):
                    following.add(place + 1)
            places = following
        return len(self._parts) in self._reached(places)

    def _reached(self, places: set[int]) -> set[int]:
        """Return the places with those behind a `**`, which may stand for nothing."""
        return places | {it + 1 for it in places if it < len(self._parts) and self._parts[it] is None}
