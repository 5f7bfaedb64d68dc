"""Calls every REST method of the official Python client without a token, as its unit suite does, and tells what came back."""

import json
import sys

from kiteconnect import KiteConnect

errand = json.loads(sys.stdin.readline())
kite = KiteConnect(api_key="any-key", root=errand["root"])
order = {"exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": "BUY", "variety": "regular", "product": "CNC",
         "order_type": "LIMIT", "quantity": 1, "price": 1500}
placed = dict(order, validity="DAY")
leg = {"transaction_type": "SELL", "quantity": 1, "order_type": "LIMIT", "product": "CNC", "price": 1.0}
CALLS = {
    "login_url": ([], {}),
    "set_access_token": ([None], {}),
    "generate_session": (["any"], {"api_secret": "any"}),
    "renew_access_token": (["any", "any"], {}),
    "invalidate_access_token": ([], {}),
    "invalidate_refresh_token": (["any"], {}),
    "profile": ([], {}),
    "margins": ([], {}),
    "place_order": ([], placed),
    "place_autoslice_order": ([], placed),
    "modify_order": (["regular", "100"], {"quantity": 2}),
    "cancel_order": (["regular", "100"], {}),
    "exit_order": (["co", "100"], {}),
    "orders": ([], {}),
    "order_history": (["100"], {}),
    "trades": ([], {}),
    "order_trades": (["100"], {}),
    "positions": ([], {}),
    "holdings": ([], {}),
    "get_auction_instruments": ([], {}),
    "convert_position": (["NSE", "INFY", "BUY", "day", 1, "MIS", "CNC"], {}),
    "mf_orders": ([], {}),
    "place_mf_order": (["INF174K01LS2", "BUY"], {"amount": 1000}),
    "cancel_mf_order": (["any"], {}),
    "mf_sips": ([], {}),
    "place_mf_sip": (["INF174K01LS2", 1000, 12, "monthly"], {}),
    "modify_mf_sip": (["any"], {"amount": 2000}),
    "cancel_mf_sip": (["any"], {}),
    "mf_holdings": ([], {}),
    "mf_instruments": ([], {}),
    "instruments": (["NSE"], {}),
    "quote": (["NSE:INFY"], {}),
    "ohlc": (["NSE:INFY"], {}),
    "ltp": (["NSE:INFY"], {}),
    "historical_data": ([123, "2026-10-05", "2026-10-05", "minute"], {}),
    "trigger_range": (["BUY", "NSE:INFY", "NSE:RELIANCE"], {}),
    "get_gtts": ([], {}),
    "get_gtt": ([123], {}),
    "place_gtt": (["single", "INFY", "NSE", [1], 798, [leg]], {}),
    "modify_gtt": ([123, "single", "INFY", "NSE", [1], 798, [leg]], {}),
    "delete_gtt": ([123], {}),
    "order_margins": ([[order]], {}),
    "basket_order_margins": ([[order]], {}),
    "get_virtual_contract_note": ([[dict(order, order_id="1", average_price=1)]], {}),
}
kinds = {name: type(getattr(kite, name)(*given, **named)).__name__ for name, (given, named) in CALLS.items()}
rest = [kite.margins("equity"), kite.mf_orders("any"), kite.mf_sips("any"), kite.instruments()]
public = {name for name in dir(kite) if not name.startswith("_") and callable(getattr(kite, name))}
hooks = {"set_session_expiry_hook", "session_expiry_hook"}
print(json.dumps({"kinds": kinds, "rest": [type(one).__name__ for one in rest], "left_out": sorted(public - hooks - set(CALLS))}))
