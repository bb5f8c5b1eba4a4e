import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloom.errors import BadInput
from gridloom.tags import Tag, parse_tag

ID = "3F2504E0-4F89-41D3-9A0C-0305E82C3301"


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("hello", Tag(name="hello")),
        ("hello@1", Tag(name="hello", major=1)),
        ("hello@v1", Tag(name="hello", major=1)),
        ("video-transcoding@v0.10", Tag(name="video-transcoding", major=0, minor=10)),
        (" ada/hello@V2.0 ", Tag(user="ada", name="hello", major=2, minor=0)),
        (ID, Tag(id=ID.lower())),
    ],
)
def test_every_published_form_is_read(text, tag):
    assert parse_tag(text) == tag


@pytest.mark.parametrize(
    "text", ["", "@", "a@", "a@v", "a@1.", "a@1.2.3", "a b", "a/b/c", "a@-1", "ä", "a\n@1", "a@1\n2"]
)
def test_other_texts_are_refused_with_their_place(text):
    with pytest.raises(BadInput, match="is not a tag") as caught:
        parse_tag(text, "appTag")
    assert caught.value.field == "appTag"


@given(st.text(max_size=80))
def test_any_text_is_a_tag_or_refused(text):
    try:
        tag = parse_tag(text)
    except BadInput:
        return
    assert parse_tag(str(tag)) == tag
