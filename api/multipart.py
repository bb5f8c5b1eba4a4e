"""Takes the first file out of a multipart/form-data body as it streams by."""

from collections.abc import Iterable, Iterator
from email.message import Message

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from gridloom.errors import BadInput


def disposition_name(header: str) -> str:
    """Return the file name of a Content-Disposition header, or the empty string."""
    message = Message()
    message["Content-Disposition"] = header.replace("\r", " ").replace("\n", " ")
    return message.get_filename("")


class FilePart:
    """Parses one body; `name` is the file's proposed name once `unpack` came past it."""

    def __init__(self, content_type: str) -> None:
        """Read the boundary from the Content-Type header.

        Raises:
            BadInput: when it names none.
        """
        message = Message()
        message["Content-Type"] = content_type
        boundary = message.get_boundary("")
        if not boundary:
            raise BadInput("the multipart body's Content-Type names no boundary")
        self.name = ""
        self._parts = 0
        self._ended = False
        self._field = self._value = b""
        self._pieces: list[bytes] = []
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part,
                "on_header_field": self._on_field,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_part_data": self._on_data,
                "on_end": self._on_end,
            },
        )

    def unpack(self, body: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the bytes of the first part.

        Raises:
            BadInput: when the body is not what it says.
        """
        try:
            for block in body:
                self._parser.write(block)
                yield b"".join(self._pieces)
                self._pieces.clear()
        except MultipartParseError as error:
            raise BadInput(f"the body is no multipart/form-data: {error}") from error
        if not self._ended:
            raise BadInput("the multipart body ends before its last boundary")

    def _on_part(self) -> None:
        self._parts += 1

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        if self._parts == 1 and self._field.lower() == b"content-disposition":
            self.name = disposition_name(self._value.decode(errors="replace"))
        self._field = self._value = b""

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._parts == 1:
            self._pieces.append(data[start:end])

    def _on_end(self) -> None:
        self._ended = True
