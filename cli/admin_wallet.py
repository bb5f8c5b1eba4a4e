"""`gridloom admin coupon ...` and `gridloom admin grant`."""

from datetime import datetime
from decimal import Decimal
from secrets import token_hex
from typing import Annotated

import typer

from cli.amounts import amount_of, decimal
from cli.components import Limit, Offset
from cli.moments import future
from cli.output import AsJson, Wide, moment, rest_of, show, table
from cli.user_ids import Who, user_id_of

coupon = typer.Typer(
    help="Codes that give ByteChips.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)

Amount = Annotated[Decimal, typer.Argument(parser=decimal, metavar="AMOUNT", help="ByteChips.")]


@coupon.command("add")
def add(
    context: typer.Context,
    amount: Amount,
    *,
    code: Annotated[str, typer.Option(help="What users type; made up by default.")] = "",
    uses: Annotated[int, typer.Option(min=1, help="How many accounts may redeem it.")] = 1,
    expires: Annotated[
        datetime | None,
        typer.Option(parser=future, metavar="WHEN", help="When it ends, such as 30d or 2027-01-31."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a coupon and print its code.

    Example: gridloom admin coupon add 100 --code SPRING-2027 --uses 50 --expires 90d
    """
    with context.obj.client() as client:
        made = client.create_coupon(code or token_hex(12), amount, uses=uses, expires_at=expires)
    show(made.raw, made.code, as_json=as_json)


@coupon.command("list")
def list_all(
    context: typer.Context,
    *,
    limit: Limit = 100,
    offset: Offset = 0,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """List all coupons, the newest first.

    Example: gridloom admin coupon list
    """
    with context.obj.client() as client:
        page = client.coupons(limit=limit, offset=offset)
    rows = [(it.code, amount_of(it.amount), f"{it.used}/{it.uses}", moment(it.expires_at)) for it in page]
    titles = ("code", "ByteChips", "used", "expires")
    show(page.raw, table(titles, rows, wide=wide) + rest_of(page.raw), as_json=as_json)


def grant(
    context: typer.Context,
    who: Who,
    amount: Amount,
    *,
    description: Annotated[str, typer.Option(help="What the user reads.")] = "",
    reference: Annotated[
        str, typer.Option(help="An invoice or the like; one reference is granted only once.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Give an account ByteChips.

    Example: gridloom admin grant ada 500 --reference INV-7
    """
    with context.obj.client() as client:
        account_id = user_id_of(client, who)
        booked = client.grant(amount, account_id=account_id, description=description, reference=reference)
    text = f"{who} was given {amount_of(booked.amount)} ByteChips and has {amount_of(booked.balance)}"
    show(booked.raw, text, as_json=as_json)
