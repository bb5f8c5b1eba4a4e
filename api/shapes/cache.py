"""Shapes of the caches."""

from datetime import datetime

from pydantic import Field

from api.shapes.base import Int64Text, PaginatedResponse, Shape


class CacheEntry(Shape):
    """A file or folder; a folder's size and time are those of all that lies in it."""

    name: str
    path: str
    is_dir: bool
    size: Int64Text
    updated_at: datetime


class CacheListResponse(Shape):
    """One page of what lies in a folder."""

    path: str
    entries: list[CacheEntry]
    pagination: PaginatedResponse


class CacheUploadRequest(Shape):
    """Where the file shall lie, and its bytes in base64, or nothing to be given a link; size in bytes."""

    path: str
    size: Int64Text | None = Field(None, ge=0)
    data: str | None = None


class CacheUploadResponse(Shape):
    """The file where its bytes came along, else where to put them."""

    upload_url: str = ""
    expires_at: datetime | None = None
    entry: CacheEntry | None = None
