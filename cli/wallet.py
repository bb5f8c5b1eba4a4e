"""`gridloom wallet ...`."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from cli.amounts import amount_of, decimal
from cli.catalog import command_group
from cli.components import Limit, Offset
from cli.moments import past
from cli.output import AsJson, Wide, fields, moment, rest_of, say, show, table

if TYPE_CHECKING:
    from gridloom.client import Client, Filter
    from gridloom.client.answers.base import Page
    from gridloom.client.answers.wallet import Transaction

wallet = command_group("wallet")

_BALANCE = ("accountId", "totalBalance", "availableBalance", "amountDue")
_TRANSACTIONS = ("date", "type", "amount", "balance", "description", "id")


@wallet.command("balance")
def balance(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show what you have, and what of it jobs have not reserved.

    Example: gridloom wallet balance
    """
    with context.obj.client() as client:
        found = client.balance().raw
    show(found, fields(found, _BALANCE), as_json=as_json)


@wallet.command("transactions")
def transactions(  # noqa: PLR0913 (one for each option)
    context: typer.Context,
    *,
    kind: Annotated[str, typer.Option("--type", help="Only of this type, such as payment.")] = "",
    since: Annotated[
        datetime | None, typer.Option(parser=past, metavar="WHEN", help="From then on, such as 30d.")
    ] = None,
    until: Annotated[datetime | None, typer.Option(parser=past, metavar="WHEN", help="Before then.")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print all of them as CSV.")] = False,
    limit: Limit = 20,
    offset: Offset = 0,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """List what came in and went out, the newest first.

    Example: gridloom wallet transactions --since 30d
    """
    from gridloom.client import Filter

    conditions = [
        *([Filter(field="transactionType", value=kind)] if kind else ()),
        *([Filter(field="createdAt", condition="GTE", value=since.isoformat())] if since else ()),
        *([Filter(field="createdAt", condition="LT", value=until.isoformat())] if until else ()),
    ]
    if csv and (conditions or as_json):
        raise typer.BadParameter(
            "--csv prints all transactions; it goes with no condition and not with --json"
        )
    with context.obj.client() as client:
        if csv:
            say(client.transactions_csv().rstrip("\n"))
            return
        page = _page(client, conditions, limit, offset)
    rows = [
        (
            moment(it.raw.get("createdAt")),
            it.transaction_type,
            amount_of(it.amount),
            amount_of(it.balance),
            it.description,
            it.id,
        )
        for it in page
    ]
    show(page.raw, table(_TRANSACTIONS, rows, wide=wide) + rest_of(page.raw), as_json=as_json)


@wallet.command("rates")
def rates(context: typer.Context, *, wide: Wide = False, as_json: AsJson = False) -> None:
    """Show the price list.

    Example: gridloom wallet rates
    """
    with context.obj.client() as client:
        found = client.rates()
    rows = [(it.name, it.type, amount_of(it.rate), it.unit) for it in found.rates]
    show(found.raw, table(("name", "type", "ByteChips", "per"), rows, wide=wide), as_json=as_json)


@wallet.command("redeem")
def redeem(
    context: typer.Context, code: Annotated[str, typer.Argument(metavar="CODE")], *, as_json: AsJson = False
) -> None:
    """Redeem a coupon.

    Example: gridloom wallet redeem SPRING-2027
    """
    with context.obj.client() as client:
        coupon = client.redeem(code)
    show(coupon.raw, f"{amount_of(coupon.amount)} ByteChips", as_json=as_json)


@wallet.command("usage")
def usage(
    context: typer.Context,
    *,
    month: Annotated[str, typer.Option(help="Such as 2027-01; the present one by default.")] = "",
    template: Annotated[str, typer.Option(help="Only jobs of this template.")] = "",
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Show what each day of a month cost.

    Example: gridloom wallet usage --month 2027-01
    """
    with context.obj.client() as client:
        found = client.usage(month, template_id=template)
    rows = [(it.date, it.template_id, amount_of(it.amount)) for it in found.data]
    text = table(("date", "template", "ByteChips"), rows, wide=wide)
    show(found.raw, f"{text}\nin all {amount_of(found.total)}", as_json=as_json)


@wallet.command("top-up")
def top_up(
    context: typer.Context,
    amount: Annotated[Decimal, typer.Argument(parser=decimal, metavar="AMOUNT", help="ByteChips to buy.")],
    *,
    currency: Annotated[str, typer.Option(help="What to pay with; the fabric has one.")] = "",
    as_json: AsJson = False,
) -> None:
    """Print where ByteChips can be bought, if this fabric sells any.

    Example: gridloom wallet top-up 100
    """
    with context.obj.client() as client:
        found = client.top_up(amount, currency=currency)
    show(found.raw, found.url or "done", as_json=as_json)


def _page(client: "Client", conditions: list["Filter"], limit: int, offset: int) -> "Page[Transaction]":
    if conditions:
        return client.filter_transactions(*conditions, limit=limit, offset=offset)
    return client.transactions(limit=limit, offset=offset)
