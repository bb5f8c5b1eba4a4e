"""`gridloom config ...`: profiles, which are fabrics by name."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.catalog import command_group
from cli.output import AsJson, Wide, fields, show, table
from cli.questions import Yes, confirm, read_hidden
from gridloom.errors import BadInput

if TYPE_CHECKING:
    from gridloom.profiles import Profile

config = command_group("config")

Name = Annotated[str, typer.Argument(metavar="NAME")]


@config.command("list")
def list_all(*, wide: Wide = False, as_json: AsJson = False) -> None:
    """List all profiles; the current one has a star.

    Example: gridloom config list
    """
    from gridloom.profiles import read_profiles

    profiles = read_profiles()
    found = [
        {"name": name, "url": it.url, "credential": credential_of(it), "current": name == profiles.current}
        for name, it in profiles.by_name.items()
    ]
    rows = [("*" if it["current"] else "", it["name"], it["url"], it["credential"]) for it in found]
    text = table(("", "name", "url", "credential"), rows, wide=wide) if rows else "there is no profile yet"
    show({"current": profiles.current, "profiles": found}, text, as_json=as_json)


@config.command("get")
def get(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="The current one by default.")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Show a profile; its credential is not shown.

    Example: gridloom config get office
    """
    from gridloom.profiles import config_file, read_profiles

    profiles = read_profiles()
    chosen = name or profiles.current
    if not chosen:
        raise BadInput("there is no current profile; name one")
    profile = profiles.get(chosen)
    found = {
        "name": chosen,
        "url": profile.url,
        "credential": credential_of(profile),
        "current": chosen == profiles.current,
        "file": str(config_file()),
    }
    show(found, fields(found, tuple(found)), as_json=as_json)


@config.command("set")
def set_(
    context: typer.Context,
    name: Name,
    *,
    url: Annotated[str, typer.Option(help="Where the fabric is.")] = "",
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Ask for an API key, or read it from standard input.")
    ] = False,
    key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the API key from a file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a profile, or change one.

    Without a key, sign in next: gridloom --profile NAME auth

    Example: gridloom config set office --url https://fabric.example --with-key
    """
    from gridloom.access import Access
    from gridloom.profiles import Profile, read_profiles, write_profiles

    profiles = read_profiles()
    known = profiles.by_name.get(name, Profile(url=""))
    wanted = url or context.obj.url or known.url
    if not wanted:
        raise typer.BadParameter("say where the fabric is: --url URL")
    wanted = Access(url=wanted).url
    # A credential belongs to one fabric.
    profile = known if wanted == known.url else Profile(url=wanted)
    if with_key or key_file:
        profile = Profile(url=wanted, api_key=read_hidden("API key", key_file).strip())
    write_profiles(profiles.having(name, profile))
    document = {"name": name, "url": profile.url, "credential": credential_of(profile)}
    show(document, f"{name}: {profile.url}, {credential_of(profile)}", as_json=as_json)


@config.command("use")
def use(name: Name, *, as_json: AsJson = False) -> None:
    """Make a profile the current one.

    Example: gridloom config use office
    """
    from gridloom.profiles import read_profiles, write_profiles

    profiles = read_profiles().switched(name)
    write_profiles(profiles)
    show({"current": name}, f"{name} is used from now on: {profiles.get(name).url}", as_json=as_json)


@config.command("delete")
def delete(name: Name, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Forget a profile and its credential; a key or session that it held stays good.

    Example: gridloom config delete office --yes
    """
    from gridloom.profiles import read_profiles, write_profiles

    profiles = read_profiles().without(name)
    confirm(f"Forget the profile {name}?", yes=yes)
    write_profiles(profiles)
    show({"deleted": name}, f"{name} deleted", as_json=as_json)


def credential_of(profile: "Profile") -> str:
    """Return what kind of credential a profile holds."""
    if profile.api_key:
        return "API key"
    return "sign-in" if profile.refresh_token else "none"
