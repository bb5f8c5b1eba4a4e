"""Tells how serious a line of a user's program is, from the words at its start."""

import re

from gridloom.logs import LogLevel

_HEAD_CHARS = 120  #: where a level is looked for
_JSON_CHARS = 2048  #: in a line of JSON members may come in any order

_WORDS = {
    "error": LogLevel.ERROR,
    "err": LogLevel.ERROR,
    "fatal": LogLevel.ERROR,
    "critical": LogLevel.ERROR,
    "panic": LogLevel.ERROR,
    "warning": LogLevel.WARNING,
    "warn": LogLevel.WARNING,
    "info": LogLevel.INFO,
    "debug": LogLevel.DEBUG,
    "trace": LogLevel.DEBUG,
}
_WORD = f"(?P<word>{'|'.join(sorted(_WORDS, key=len, reverse=True))})"
#: Most lines say nothing, and this tells it in a fraction of what the patterns below take.
_STEMS = ("err", "info", "warn", "debug", "trac", "exception", "fatal", "critical", "panic")

_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        # "error: …", "[warn] …", "<info>", "DEBUG …": the line begins with it; a plain word needs capitals or a colon.
        rf"[\[(<]\s*{_WORD}\s*[\])>]",
        rf"{_WORD}(?:\[[^\]]*\]|\([^)]*\))?\s*[:|]",
        # A time stamp, thread numbers and the like, then the word in whatever fence.
        rf"[\[(]?\d[\d\-/.:,tz+ \])\[(|]*\s?{_WORD}(?![\w'])",
        # " - INFO - ", "[INFO]", "| INFO |", ": error: " after the name of a logger or a file.
        rf".{{0,90}}?(?:\s-\s|\[|\|\s*|:\s){_WORD}\s*(?:\s-\s|\]|\||:)",
        # "level=error", "severity: warning", and members of JSON.
        rf".*?\b(?:level|severity|lvl|levelname|log\.level|loglevel)[\"']?\s*[=:]\s*[\"']?{_WORD}\b",
    )
)
_CAPITALS = re.compile(rf"{_WORD.upper().replace('P<WORD>', 'P<word>')}(?![\w'])")
_RAISED = re.compile(r"traceback \(most recent call last\)|[\w.]*(?:error|exception)(?:: |$)")
_KLOG = re.compile(r"([iwef])\d{4} \d\d:\d\d")
_KLOG_LEVELS = {"i": LogLevel.INFO, "w": LogLevel.WARNING, "e": LogLevel.ERROR, "f": LogLevel.ERROR}
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


def level_of(text: str, lowered: str) -> LogLevel:
    """Return the level that a line names, `UNKNOWN` when it names none; `lowered` is the text in lower case."""
    head = lowered[: _JSON_CHARS if lowered.startswith("{") else _HEAD_CHARS]
    for stem in _STEMS:
        if stem in head:
            return _named(text, head)
    if text[1:5].isdigit() and (match := _KLOG.match(head)):
        return _KLOG_LEVELS[match[1]]
    return LogLevel.UNKNOWN


def _named(text: str, head: str) -> LogLevel:
    if "\x1b" in head:
        text, head = _COLOUR.sub("", text), _COLOUR.sub("", head)
    text, head = text.lstrip(), head.lstrip()
    if match := _CAPITALS.match(text):
        return _WORDS[match["word"].lower()]
    for pattern in _PATTERNS:
        if match := pattern.match(head):
            return _WORDS[match["word"]]
    return LogLevel.ERROR if _RAISED.match(head) else LogLevel.UNKNOWN
