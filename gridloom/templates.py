"""template.json: which app, partitioner and assembler belong together, with defaults for jobs made from them."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gridloom.handwritten import Folded, build, fold, folded_name, parse_file
from gridloom.inline_credentials import NAMES
from gridloom.tags import parse_tag

_FILE = "template.json"
_CREDENTIALS = NAMES | {"accesskey"}
_OWNERS_ALONE = frozenset({"secretid", "username"})


def _blank_is_none(value: Any) -> Any:
    return None if value == "" else value


Seconds = Annotated[float | None, Field(ge=0), BeforeValidator(_blank_is_none)]
Retries = Annotated[int | None, Field(ge=0, le=1_000_000), BeforeValidator(_blank_is_none)]


class TemplateSource(Folded):
    """A data source or destination: the published descriptor and its params, kept as they were written."""

    data_source_descriptor: str = ""
    params: dict[str, Any] = Field(default_factory=dict)

    def shown(self) -> "TemplateSource":
        """Return it without the credentials that nobody is told."""
        return self._without(_CREDENTIALS)

    def shared(self) -> "TemplateSource":
        """Return it as others than its owner may have it: without credentials and the names of secrets."""
        return self._without(_CREDENTIALS | _OWNERS_ALONE)

    def _without(self, names: frozenset[str]) -> "TemplateSource":
        kept = {it: value for it, value in self.params.items() if folded_name(it) not in names}
        return self.model_copy(update={"params": kept})


class TemplateParams(Folded):
    """Default parameters of each component, kept as they were written."""

    partitioner: dict[str, Any] = Field(default_factory=dict)
    app: dict[str, Any] = Field(default_factory=dict)
    assembler: dict[str, Any] = Field(default_factory=dict)


class TemplateConfig(Folded):
    """Default execution settings; None means that the template says nothing. Timeouts in seconds."""

    task_timeout: Seconds = None
    job_timeout: Seconds = None
    is_test_job: bool | None = None
    max_task_retries: Retries = None
    reuse: bool | None = None


class Template(Folded):
    """A parsed template; `model_dump(mode="json")` and `model_validate` keep it in the database."""

    id: Annotated[str, StringConstraints(pattern=r"^[^/\s\p{Cc}]{1,200}$")]
    description: str = ""
    app: str = ""
    partitioner: str = ""
    assembler: str = ""
    data_source: TemplateSource | None = None
    data_destination: TemplateSource | None = None
    params: TemplateParams = TemplateParams()
    config: TemplateConfig = TemplateConfig()
    is_public: bool | None = None  # None: as it was, and at first private

    @model_validator(mode="before")
    @classmethod
    def _old_params(cls, content: Any) -> Any:
        """Take params from their older name, whose sections look like `{app_id, version, parameters}`."""
        folded = fold(content)
        if (
            isinstance(folded, dict)
            and "params" not in folded
            and isinstance(folded.get("defaultparams"), Mapping)
        ):
            folded["params"] = {name: _parameters(it) for name, it in folded["defaultparams"].items()}
        return folded

    @field_validator("app", "partitioner", "assembler")
    @classmethod
    def _is_tag(cls, text: str, info: ValidationInfo) -> str:
        if text.strip():
            parse_tag(text, f"template.{info.field_name}")
        return text.strip()

    def shared(self) -> "Template":
        """Return it as others than its owner may have it: without credentials and the names of secrets."""
        ends = {name: getattr(self, name) for name in ("data_source", "data_destination")}
        return self.model_copy(update={name: end and end.shared() for name, end in ends.items()})


def parse_template(data: bytes | str) -> Template:
    """Read template.json.

    Raises:
        BadManifest: when it is not JSON or a member breaks the rules; the message names the member.
    """
    return parse_file(Template, data, _FILE)


def template_of(content: Mapping[str, Any]) -> Template:
    """Make a template of parsed JSON.

    Raises:
        BadManifest: when a member breaks the rules; the message names it.
    """
    return build(Template, content, "template")


def _parameters(section: Any) -> Any:
    return section["parameters"] if isinstance(section, Mapping) and "parameters" in section else section
