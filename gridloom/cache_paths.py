"""Paths in a cache, as users write them: relative, plain, and short enough for every file system."""

from unicodedata import category

from gridloom.errors import BadInput

MAX_BYTES = 1024
MAX_PART_BYTES = 255
MAX_DEPTH = 32
RESERVED = ".gridloom-"  #: files that are just being brought begin so


def check_cache_path(text: str, field: str = "path") -> str:
    """Return the path of a file or folder unchanged; `field` is where it stood, for the error.

    Raises:
        BadInput: when it is empty or absolute, has a part that is empty or made of dots, a backslash or a control
            character, or is too long or too deep.
    """
    parts = text.split("/")
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        raise _refused(text, "is not plain Unicode", field) from None
    if any(part in ("", ".", "..") for part in parts):
        raise _refused(text, "must be a plain relative path, such as models/a.bin", field)
    if "\\" in text or any(category(char) == "Cc" for char in text):
        raise _refused(text, "holds a backslash or control character", field)
    if parts[0].startswith(RESERVED):
        raise _refused(text, f"begins with {RESERVED}, which is kept for files in transit", field)
    if max(sizes) > MAX_PART_BYTES or len(text.encode()) > MAX_BYTES or len(parts) > MAX_DEPTH:
        raise _refused(
            text,
            f"is too long: at most {MAX_BYTES} bytes, {MAX_PART_BYTES} in a part and {MAX_DEPTH} parts",
            field,
        )
    return text


def _refused(text: str, problem: str, field: str) -> BadInput:
    return BadInput(f"{field} {text[:100]!a} {problem}", field=field)
