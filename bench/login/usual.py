"""The usual recipe for a Kite Connect token, written with Selenium as a careful user would: firstbell's opponent.

Six steps: open the login page in Chrome, send user id and password, send the TOTP code, take the request token from
the address, exchange it for the access token, prove that token with one call. Waits are explicit and look often;
nothing sleeps. Usage: usual.py CREDENTIALS TOKEN, where CREDENTIALS is a JSON file with site, api, user_id, password,
totp_seed, api_key and api_secret (secrets are no arguments: every user of a machine can read those), and TOKEN is the
file to write; a third word, firefox, takes Firefox in Chrome's place. One JSON line on stdout says how many milliseconds
each step took.
"""

import time

BEGAN = time.perf_counter()

import json
import os
import sys
from urllib.parse import parse_qs, urlencode, urlsplit

import pyotp
from kiteconnect import KiteConnect
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.firefox.service import Service as FirefoxService
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.ui import WebDriverWait

# Where Debian puts them. The browser's program and not /usr/bin/chromium, a shell script that starts it a little
# later; and a named driver, or Selenium would first run a program that looks for one.
CHROME = "/usr/lib/chromium/chromium"
CHROMEDRIVER = "/usr/bin/chromedriver"
FIREFOX = "/usr/lib/firefox-esr/firefox-esr"

TIMEOUT_S = 20
# Selenium's own default is 0.5 s, which would add a quarter of a second on average to each wait.
POLL_S = 0.05


def start_chrome():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROME
    options.add_argument("--headless=new")
    if os.geteuid() == 0:
        # Chrome refuses its sandbox to root, so such scripts turn it off. firstbell is measured with its sandbox on.
        options.add_argument("--no-sandbox")
    return webdriver.Chrome(service=Service(CHROMEDRIVER), options=options)


def start_firefox():
    options = webdriver.FirefoxOptions()
    options.binary_location = FIREFOX
    options.add_argument("--headless")
    return webdriver.Firefox(service=FirefoxService(os.environ["GECKODRIVER"]), options=options)


def log_in(driver, who):
    """Steps 1 to 4: from the login page to the request token."""
    wait = WebDriverWait(driver, TIMEOUT_S, poll_frequency=POLL_S)
    driver.get(f"{who['site']}/connect/login?" + urlencode({"v": 3, "api_key": who["api_key"]}))

    wait.until(expected.element_to_be_clickable((By.ID, "userid"))).send_keys(who["user_id"])
    driver.find_element(By.ID, "password").send_keys(who["password"])
    driver.find_element(By.CSS_SELECTOR, "button[type=submit]").click()

    # The second step's field has the first one's id and another type. It submits itself on the sixth digit.
    code = wait.until(expected.element_to_be_clickable((By.CSS_SELECTOR, "input[type=number]")))
    code.send_keys(pyotp.TOTP(who["totp_seed"]).now())

    wait.until(expected.url_contains("request_token="))
    return parse_qs(urlsplit(driver.current_url).query)["request_token"][0]


def main(credentials, token_file, browser="chrome"):
    steps = {}

    def step(name, since):
        now = time.perf_counter()
        steps[name] = round((now - since) * 1000, 1)
        return now

    at = step("imports", BEGAN)
    with open(credentials, encoding="utf-8") as file:
        who = json.load(file)
    driver = start_firefox() if browser == "firefox" else start_chrome()
    try:
        at = step("browser start", at)
        request_token = log_in(driver, who)
        at = step("login", at)

        # Steps 5 and 6: exchange, and proof.
        kite = KiteConnect(api_key=who["api_key"], root=who["api"])
        access_token = kite.generate_session(request_token, api_secret=who["api_secret"])["access_token"]
        kite.set_access_token(access_token)
        if kite.profile()["user_id"] != who["user_id"]:
            raise SystemExit("usual.py: the token belongs to another user")
        with open(os.open(token_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(access_token)
        at = step("exchange and proof", at)
    finally:
        driver.quit()
    step("browser end", at)
    print(json.dumps(steps))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        raise SystemExit("usage: usual.py CREDENTIALS TOKEN [firefox]")
    main(*sys.argv[1:])
