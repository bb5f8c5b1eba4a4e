"""/v1/wallet: balance, transactions, coupons, rates, usage, top-ups."""

from fastapi import APIRouter

from api.json_route import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Wallet"])
