// The usual recipe with Puppeteer, written as a careful user would: one more opponent of firstbell.
//
// The same six steps as usual.py: open the login page, send user id and password, send the TOTP code, take the request
// token from the address, exchange it, prove the token with one call. Usage: node usual.js CREDENTIALS TOKEN.
const began = performance.now();

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');

// The packages lie in the benchmark's own folder, which NODE_PATH names.
const puppeteer = createRequire(path.join(process.env.NODE_PATH, 'x.js'))('puppeteer-core');

const CHROME = '/usr/lib/chromium/chromium';
const TIMEOUT_MS = 20000;

function totp(seed) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...seed].map((c) => letters.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
  const mac = crypto.createHmac('sha1', key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1000000).padStart(6, '0');
}

async function logIn(page, who) {
  const query = new URLSearchParams({ v: '3', api_key: who.api_key });
  // The landing page need not answer: the address is read from the request.
  const landed = page.waitForRequest((r) => r.url().includes('request_token='), { timeout: TIMEOUT_MS });
  await page.goto(`${who.site}/connect/login?${query}`, { waitUntil: 'domcontentloaded' });
  await (await page.waitForSelector('#userid', { visible: true, timeout: TIMEOUT_MS })).type(who.user_id);
  await (await page.$('#password')).type(who.password);
  await page.click('button[type=submit]');
  await (await page.waitForSelector('input[type=number]', { visible: true, timeout: TIMEOUT_MS })).type(totp(who.totp_seed));
  return new URL((await landed).url()).searchParams.get('request_token');
}

async function main(credentials, tokenFile) {
  const steps = {};
  let at = began;
  const step = (name) => {
    const now = performance.now();
    steps[name] = Math.round((now - at) * 10) / 10;
    at = now;
  };
  step('imports');
  const who = JSON.parse(fs.readFileSync(credentials, 'utf8'));
  // Chrome refuses its sandbox to root, so such scripts turn it off. firstbell is measured with its sandbox on.
  const args = process.geteuid() === 0 ? ['--no-sandbox'] : [];
  const browser = await puppeteer.launch({ executablePath: CHROME, headless: true, args });
  try {
    const page = await browser.newPage();
    step('browser start');
    const requestToken = await logIn(page, who);
    step('login');
    const checksum = crypto.createHash('sha256').update(who.api_key + requestToken + who.api_secret).digest('hex');
    const form = new URLSearchParams({ api_key: who.api_key, request_token: requestToken, checksum });
    const headers = { 'X-Kite-Version': '3' };
    const session = await (await fetch(`${who.api}/session/token`, { method: 'POST', body: form, headers })).json();
    const token = session.data.access_token;
    headers.Authorization = `token ${who.api_key}:${token}`;
    const profile = await (await fetch(`${who.api}/user/profile`, { headers })).json();
    if (profile.data.user_id !== who.user_id) throw new Error('the token belongs to another user');
    fs.writeFileSync(tokenFile, token, { mode: 0o600 });
    step('exchange and proof');
  } finally {
    await browser.close();
  }
  step('browser end');
  console.log(JSON.stringify(steps));
}

main(process.argv[2], process.argv[3]).catch((error) => {
  console.error(error);
  process.exit(1);
});
