"""The commands that apps, engines and templates have alike: publish, unpublish, import, delete."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import AsJson, show
from cli.questions import Yes, confirm

if TYPE_CHECKING:
    from gridloom.client.calls.components import Shared

_ONE = {"app": "an app", "engine": "an engine", "template": "a template"}
_EXAMPLE = {"app": "shout@0.1", "engine": "by-chapter@0.1", "template": "shout-template"}


def add_sharing(group: typer.Typer, kind: "Shared") -> None:
    """Give a group the commands."""
    one, example = _ONE[kind], _EXAMPLE[kind]
    metavar = "ID" if kind == "template" else "TAG"
    tag_help = f"Which one, as gridloom {kind} list has it."
    Tag = Annotated[str, typer.Argument(metavar=metavar, help=tag_help)]  # noqa: N806 (a type)

    @group.command(
        "publish",
        help=f"Let every user of the fabric use {one}.\n\nExample: gridloom {kind} publish {example}",
    )
    def publish(context: typer.Context, tag: Tag, *, as_json: AsJson = False) -> None:
        with context.obj.client() as client:
            answer = client.publish(kind, tag).raw
        show(answer, f"{tag} published", as_json=as_json)

    @group.command(
        "unpublish", help=f"Make {one} private again.\n\nExample: gridloom {kind} unpublish {example}"
    )
    def unpublish(context: typer.Context, tag: Tag, *, as_json: AsJson = False) -> None:
        with context.obj.client() as client:
            answer = client.unpublish(kind, tag).raw
        show(answer, f"{tag} is private again", as_json=as_json)

    @group.command(
        "import",
        help=f"Copy {one} that another user published.\n\n"
        f"Example: gridloom {kind} import {example} --user ada --name mine",
    )
    def import_(
        context: typer.Context,
        tag: Tag,
        *,
        user: Annotated[str, typer.Option(help="Whose it is.")] = "",
        name: Annotated[str, typer.Option(help="What the copy is called.")] = "",
        as_json: AsJson = False,
    ) -> None:
        with context.obj.client() as client:
            if kind == "template":
                answer = client.import_template(tag, user_name=user, name=name).raw
            else:
                answer = client.import_component(kind, tag, user_name=user, name=name).raw
        show(answer, f"{tag} imported", as_json=as_json)

    @group.command("delete", help=f"Delete {one}.\n\nExample: gridloom {kind} delete {example} --yes")
    def delete(context: typer.Context, tag: Tag, *, yes: Yes = False, as_json: AsJson = False) -> None:
        confirm(f"Delete {kind} {tag}?", yes=yes)
        with context.obj.client() as client:
            if kind == "template":
                answer = client.delete_template(tag).raw
            else:
                answer = client.delete_component(kind, tag).raw
        show(answer, f"{tag} deleted", as_json=as_json)
