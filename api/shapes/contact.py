"""Shape of the contact form."""

from pydantic import Field

from api.shapes.base import Shape


class ContactRequest(Shape):
    """A message to the operator."""

    email: str = Field(max_length=254)
    summary: str = Field(min_length=1, max_length=200)
    description: str = Field(min_length=1, max_length=20_000)
