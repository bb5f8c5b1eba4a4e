"""Descriptors: which there are, and where each may stand."""

import pytest

from gridloom.errors import BadInput
from storage.descriptors import SOURCES, Descriptor, check_texts, known_descriptor


def test_a_known_descriptor_is_returned() -> None:
    assert known_descriptor("url", SOURCES, "dataSource") is Descriptor.URL


@pytest.mark.parametrize("descriptor", ["ftp", "", "URL", "bucket"])
def test_an_unknown_or_misplaced_descriptor_names_its_field(descriptor: str) -> None:
    with pytest.raises(BadInput, match="use one of aws, bypass") as caught:
        known_descriptor(descriptor, SOURCES, "dataSource")
    assert caught.value.field == "dataSource.dataSourceDescriptor"


def test_params_that_must_be_texts_are_named_when_they_are_not() -> None:
    check_texts({"username": None, "password": ""}, ("username", "password", "name"), "dataSource")
    with pytest.raises(BadInput, match="must be a string") as caught:
        check_texts({"username": 3}, ("username",), "dataSource")
    assert caught.value.field == "dataSource.params.username"
