import json

import pytest

from gridloom.errors import BadInput
from gridloom.templates import Template, parse_template


def parse(**members):
    return parse_template(json.dumps({"id": "t"} | members))


def test_unset_members_are_fine():
    template = parse()
    assert (template.app, template.data_source, template.params.app, template.config.task_timeout) == (
        "",
        None,
        {},
        None,
    )


def test_the_older_parameters_are_taken_from_their_sections():
    template = parse(
        default_params={"app": {"app_id": "x", "version": "1", "parameters": {"N": 1}}, "assembler": {"y": 2}}
    )
    assert (template.params.app, template.params.assembler) == ({"N": 1}, {"y": 2})


def test_the_newer_parameters_win():
    assert parse(params={"app": {"a": 1}}, defaultParams={"app": {"b": 1}}).params.app == {"a": 1}


def test_parameters_and_source_keep_their_spelling():
    template = parse(
        params={"app": {"Num_Replicas": 3}},
        data_source={"dataSourceDescriptor": "s3", "params": {"@type": "x", "secret_id": "k"}},
    )
    assert template.params.app == {"Num_Replicas": 3}
    assert template.data_source.params == {"@type": "x", "secret_id": "k"}


def test_numbers_may_be_text_and_empty_text_means_none():
    config = parse(
        config={"taskTimeout": "3600", "job_timeout": "", "maxTaskRetries": "2", "isTestJob": True}
    ).config
    assert (config.task_timeout, config.job_timeout, config.max_task_retries, config.is_test_job) == (
        3600,
        None,
        2,
        True,
    )


def test_what_the_server_sets_is_ignored_but_for_is_public():
    assert parse(owner="x", createdAt="y", isPublic=True).is_public is True


def test_a_template_survives_the_database():
    template = parse(config={"taskTimeout": 5}, app="a@1", dataDestination={"dataSourceDescriptor": "bucket"})
    assert Template.model_validate(template.model_dump(mode="json")) == template


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"id": ""}, "template.json.id"),
        ({"id": "a/b"}, "template.json.id"),
        ({"id": None}, "template.json.id"),
        ({"app": "a b"}, "template.app"),
        ({"config": {"taskTimeout": -1}}, "template.json.config.task_timeout"),
        ({"params": {"app": []}}, "template.json.params.app"),
    ],
)
def test_a_broken_member_is_named(members, field):
    with pytest.raises(BadInput) as caught:
        parse(**members)
    assert caught.value.field == field
