"""Spells data sources and destinations as one argument: `s3://bucket/folder/`, an http(s) URL, or JSON."""

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from gridloom.errors import BadInput

Json = dict[str, Any]

SPELLING = "{s3,gcp,storj}://[SECRET@]BUCKET/NAME"

Secret = Annotated[
    str,
    typer.Option(
        "--secret", metavar="ID", help="The secret with the bucket's keys; a public one needs none."
    ),
]
Region = Annotated[str, typer.Option("--region", metavar="NAME", help="The bucket's region.")]
Endpoint = Annotated[
    str,
    typer.Option("--endpoint", metavar="URL", help="The server of the bucket, if it is not the usual one."),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that the destination has already.")
]
Destination = Annotated[
    str, typer.Option("--destination", metavar="PLACE", help=f"Where output goes: {SPELLING}, or JSON.")
]

_KINDS = {"s3": "s3", "aws": "aws", "gcp": "gcp", "gs": "gcp", "storj": "storj"}
_BUCKET_TYPE = "type.googleapis.com/bytenite.data_source.S3DataSource"
_URL_TYPE = "type.googleapis.com/bytenite.data_source.HttpDataSource"
_PLACE = re.compile(r"([a-z0-9]+)://(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketOptions:
    """What options say of every bucket that a command names."""

    secret: str = ""
    region: str = ""
    endpoint: str = ""

    def params(self) -> Json:
        """Return the params that they stand for."""
        named = {"secret_id": self.secret, "cloudRegion": self.region, "endpoint": self.endpoint}
        return {name: value for name, value in named.items() if value}


def read_end(text: str, options: BucketOptions) -> Json | None:
    """Return the data source or destination that a text spells, None when it may be a file of this machine.

    Raises:
        BadInput: when it begins like one but is none.
    """
    if text.lstrip().startswith("{"):
        return _from_json(text)
    found = _PLACE.fullmatch(text)
    if found is None:
        return None
    kind, rest = found[1], found[2]
    if kind in ("http", "https"):
        return {"dataSourceDescriptor": "url", "params": {"@type": _URL_TYPE, "url": text}}
    if kind not in _KINDS:
        raise BadInput(f"{text}: {kind}:// is unknown; write {SPELLING}")
    server, _, name = rest.partition("/")
    secret, _, bucket = server.rpartition("@")
    if not bucket:
        raise BadInput(f"{text} names no bucket; write {SPELLING}")
    params = {"@type": _BUCKET_TYPE, "bucketName": bucket, "name": name} | options.params()
    return {
        "dataSourceDescriptor": _KINDS[kind],
        "params": params | ({"secret_id": secret} if secret else {}),
    }


def read_destination(text: str, options: BucketOptions, *, overwrite: bool = False) -> Json | None:
    """Return the destination that a text spells, None when the text is empty.

    Raises:
        BadInput: when it is none.
    """
    if not text:
        if overwrite:
            raise BadInput("--overwrite is for a --destination")
        return None
    end = read_end(text, options)
    if end is None:
        raise BadInput(f"--destination {text}: write {SPELLING}, or JSON")
    return end | {"params": end["params"] | {"overwrite": True}} if overwrite else end


def _from_json(text: str) -> Json:
    try:
        end = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{text[:60]}… is no JSON: {error}") from None
    if not isinstance(end.get("dataSourceDescriptor"), str) or not isinstance(
        end.setdefault("params", {}), dict
    ):
        raise BadInput(f'{text[:60]}: write {{"dataSourceDescriptor": "s3", "params": {{…}}}}')
    return dict(end)
