"""The usual recipe that firstbell takes the place of: a scheduler of Python that waits for half past eight."""

import sys

import pyotp  # noqa: F401  what the job would use is loaded, as in every such script
from apscheduler.schedulers.background import BackgroundScheduler
from kiteconnect import KiteConnect

accounts = int(sys.argv[1])
clients = [KiteConnect(api_key=f"key{n}") for n in range(accounts)]
scheduler = BackgroundScheduler(timezone="Asia/Kolkata")


def log_in(client):
    """Never runs in the measurement."""
    print(client.login_url())


for client in clients:
    scheduler.add_job(log_in, "cron", day_of_week="mon-fri", hour=8, minute=30, args=[client])
scheduler.start()
print("ready", flush=True)
sys.stdin.read()
