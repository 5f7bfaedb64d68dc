"""Calls every public REST method of the official Python client; the errand comes as one line of JSON on stdin."""

import datetime
import json
import sys

from kiteconnect import KiteConnect
from kiteconnect.exceptions import TokenException

errand = json.loads(sys.stdin.readline())
kite = KiteConnect(api_key=errand["api_key"], root=errand["root"])
told = {"called": []}
expired = []
kite.set_session_expiry_hook(lambda: expired.append(True))


def call(name, *positional, **named):
    told["called"].append(name)
    return getattr(kite, name)(*positional, **named)


call("login_url")
session = call("generate_session", errand["request_token"], api_secret=errand["api_secret"])
told["login_time"] = str(session["login_time"])
call("set_access_token", session["access_token"])
assert call("profile")["user_id"] == session["user_id"]
assert call("margins")["equity"]["net"] > 0
assert call("margins", "commodity")["enabled"] is True

share = {"exchange": "NSE", "tradingsymbol": "RELIANCE", "product": "MIS", "quantity": 1}
price = call("ltp", "NSE:RELIANCE")["NSE:RELIANCE"]["last_price"]
quote = call("quote", "NSE:INFY", "NSE:RELIANCE")
assert len(quote) == 2 and len(quote["NSE:INFY"]["depth"]["buy"]) == 5
assert isinstance(quote["NSE:INFY"]["timestamp"], (str, datetime.datetime))
assert call("ohlc", ["NSE:INFY"])["NSE:INFY"]["ohlc"]["close"] > 0

bought = call("place_order", "regular", transaction_type="BUY", order_type="MARKET", market_protection=-1, tag="first", **share)
history = call("order_history", bought)
assert history[0]["tag"] == "first" and history[-1]["status"] == "COMPLETE", history
assert isinstance(history[-1]["order_timestamp"], datetime.datetime)
assert [t["order_id"] for t in call("order_trades", bought)] == [bought]
low = round(price * 0.99, 1)
waiting = call("place_order", "regular", transaction_type="BUY", order_type="LIMIT", price=low, **share)
assert call("modify_order", "regular", waiting, quantity=2, price=low - 1) == waiting
changed = next(o for o in call("orders") if o["order_id"] == waiting)
assert (changed["quantity"], changed["price"], changed["status"]) == (2, low - 1, "OPEN"), changed
call("cancel_order", "regular", waiting)
assert "CANCELLED" in kite.order_history(waiting)[-1]["status"]
cover = call("place_order", "co", transaction_type="BUY", order_type="MARKET", market_protection=-1, trigger_price=low, **share)
leg = next(o for o in kite.orders() if o["parent_order_id"] == cover)
assert (leg["product"], leg["variety"], leg["status"]) == ("CO", "co", "TRIGGER PENDING"), leg
call("exit_order", "co", leg["order_id"], parent_order_id=cover)
assert kite.order_history(leg["order_id"])[-1]["status"] == "COMPLETE"
sliced = call("place_autoslice_order", "regular", "NSE", "ITC", "BUY", 250000, "MIS", "LIMIT", price=1)
assert len(sliced["children"]) == 2, sliced
assert len(call("trades")) == 3
assert call("positions")["net"][0]["quantity"] == 1
held = call("holdings")
assert held and call("get_auction_instruments")[0]["auction_number"]
assert call("convert_position", "NSE", "RELIANCE", "BUY", "day", 1, "MIS", "CNC") is True

fund = call("mf_instruments")[0]["tradingsymbol"]
fund_order = call("place_mf_order", fund, "BUY", amount=1000, tag="fund")["order_id"]
assert call("mf_orders")[0]["order_id"] == call("mf_orders", fund_order)["order_id"] == fund_order
call("cancel_mf_order", fund_order)
plan = call("place_mf_sip", fund, 1000, 12, "monthly", instalment_day=1)["sip_id"]
assert call("mf_sips")[0]["sip_id"] == call("mf_sips", plan)["sip_id"]
call("modify_mf_sip", plan, amount=2000, status="paused")
assert kite.mf_sips(plan)["instalment_amount"] == 2000
call("cancel_mf_sip", plan)
assert call("mf_holdings")

assert any(row["instrument_token"] == 256265 for row in call("instruments"))
assert all(row["exchange"] == "NFO" for row in call("instruments", "NFO"))
day = datetime.datetime(2026, 10, 1, 9, 15)
candles = call("historical_data", 256265, day, day.replace(hour=15, minute=30), "minute", oi=True)
assert len(candles) == 375 and candles[0]["date"].hour == 9 and "oi" in candles[0]
assert call("trigger_range", "BUY", "NSE:INFY", "NSE:RELIANCE")["NSE:INFY"]["lower"] > 0

leg = {"transaction_type": "SELL", "quantity": 1, "order_type": "LIMIT", "product": "CNC", "price": 1.0}
gtt = call("place_gtt", "single", "INFY", "NSE", [price * 9], price, [leg])["trigger_id"]
assert call("get_gtts")[0]["id"] == call("get_gtt", gtt)["id"] == gtt
call("modify_gtt", gtt, "two-leg", "INFY", "NSE", [1, price * 9], price, [leg, leg])
assert kite.get_gtt(gtt)["type"] == "two-leg"
assert call("delete_gtt", gtt)["trigger_id"] == gtt

order = dict(share, transaction_type="BUY", variety="regular", order_type="MARKET", price=0, trigger_price=0)
assert call("order_margins", [order])[0]["total"] > 0
assert call("basket_order_margins", [order, order], mode="compact")["final"]["total"] > 0
note = call("get_virtual_contract_note", [dict(order, order_id="1", average_price=price)])
assert note[0]["charges"]["total"] > 0

for name, arguments in [("renew_access_token", ["none", "secret"]), ("invalidate_refresh_token", ["none"])]:
    try:
        call(name, *arguments)
    except TokenException:
        told[name] = "refused"
told["hooks_before"] = len(expired)
print(json.dumps(told), flush=True)

sys.stdin.readline()  # Now the flush has ended the token.
try:
    kite.positions()
except TokenException as e:
    print(json.dumps({"code": e.code, "hooks": len(expired)}), flush=True)
try:
    call("invalidate_access_token")
except TokenException:
    pass
public = {name for name in dir(kite) if not name.startswith("_") and callable(getattr(kite, name))}
print(json.dumps({"left_out": sorted(public - set(told["called"]) - {"set_session_expiry_hook", "session_expiry_hook"})}), flush=True)
