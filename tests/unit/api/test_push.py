import base64

import pytest

from api.push import decode_base64
from gridloom.errors import BadArchive

DATA = bytes(range(256))


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes])
@pytest.mark.parametrize("strip", ["", "="])
def test_every_usual_base64_is_read(encode, strip):
    assert decode_base64(encode(DATA).decode().rstrip(strip or " ")) == DATA


@pytest.mark.parametrize("text", ["!", "A", "AAAAA", "ä", "AA=A"])
def test_other_text_is_refused(text):
    with pytest.raises(BadArchive, match="base64"):
        decode_base64(text)
