// Calls every public REST method of the official JavaScript client; the errand comes as one line of JSON on stdin.
'use strict';

const assert = require('node:assert');
const { createHash } = require('node:crypto');
const readline = require('node:readline');
const { KiteConnect } = require('kiteconnect');

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => (await lines.next()).value;
const tell = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const called = new Set();

async function main() {
  const errand = JSON.parse(await next());
  const kite = new KiteConnect({ api_key: errand.api_key, root: errand.root });
  let hooks = 0;
  kite.setSessionExpiryHook(() => { hooks += 1; });
  const call = (name, ...given) => { called.add(name); return kite[name](...given); };
  const refused = async (promise, type) => {
    const error = await promise.then(() => null, (error) => error);
    assert.strictEqual(error && error.error_type, type);
  };

  call('getLoginURL');
  const session = await call('generateSession', errand.request_token, errand.api_secret);
  call('setAccessToken', session.access_token);
  assert.strictEqual((await call('getProfile')).user_id, session.user_id);
  assert.ok((await call('getMargins')).equity.net > 0);
  assert.ok((await call('getMargins', 'commodity')).enabled);

  const share = { exchange: 'NSE', tradingsymbol: 'RELIANCE', product: 'MIS', quantity: 1, transaction_type: 'BUY' };
  const price = (await call('getLTP', ['NSE:RELIANCE']))['NSE:RELIANCE'].last_price;
  assert.strictEqual(Object.keys(await call('getQuote', ['NSE:INFY', 'NSE:SBIN'])).length, 2);
  assert.ok((await call('getOHLC', ['NSE:INFY']))['NSE:INFY'].ohlc.close > 0);

  const bought = (await call('placeOrder', 'regular', { ...share, order_type: 'MARKET', market_protection: -1 })).order_id;
  const history = await call('getOrderHistory', bought);
  assert.strictEqual(history[history.length - 1].status, 'COMPLETE');
  assert.strictEqual((await call('getOrderTrades', bought)).length, 1);
  const low = Math.round(price * 0.99);
  const waiting = (await call('placeOrder', 'regular', { ...share, order_type: 'LIMIT', price: low })).order_id;
  await call('modifyOrder', 'regular', waiting, { quantity: 2 });
  assert.strictEqual((await call('getOrders')).find((one) => one.order_id === waiting).quantity, 2);
  await call('cancelOrder', 'regular', waiting);
  const cover = { ...share, order_type: 'MARKET', market_protection: -1, trigger_price: low };
  const parent = (await call('placeOrder', 'co', cover)).order_id;
  await call('exitOrder', 'co', parent, { parent_order_id: parent });
  assert.strictEqual((await call('getTrades')).length, 3);
  assert.strictEqual((await call('getPositions')).net[0].quantity, 1);
  assert.ok((await call('getHoldings')).length && (await call('getAuctionInstruments')).length);
  const convert = { ...share, position_type: 'day', old_product: 'MIS', new_product: 'CNC' };
  assert.strictEqual(await call('convertPosition', convert), true);

  const order = { ...share, variety: 'regular', order_type: 'MARKET', price: 0 };
  assert.ok((await call('orderMargins', [order]))[0].total > 0);
  assert.ok((await call('orderBasketMargins', [order])).final.total > 0);
  assert.ok((await call('getvirtualContractNote', [{ ...order, average_price: price }]))[0].charges.total > 0);

  assert.ok((await call('getInstruments')).length > 10);
  assert.ok((await call('getInstruments', 'NFO')).some((one) => one.expiry instanceof Date));
  const candles = await call('getHistoricalData', 256265, 'day', '2026-09-01', '2026-10-01', 0, 1);
  assert.ok(candles.length > 15 && candles[0].date instanceof Date);

  const fund = (await call('getMFInstruments'))[0].tradingsymbol;
  const ordered = (await call('placeMFOrder', { tradingsymbol: fund, transaction_type: 'BUY', amount: 500 })).order_id;
  assert.strictEqual((await call('getMFOrders', ordered)).order_id, ordered);
  await call('cancelMFOrder', ordered);
  const plan = { tradingsymbol: fund, amount: 500, instalments: 12, frequency: 'monthly' };
  const sip = (await call('placeMFSIP', plan)).sip_id;
  await call('modifyMFSIP', sip, { amount: 600 });
  assert.strictEqual((await call('getMFSIPS', sip)).instalment_amount, 600);
  await call('cancelMFSIP', sip);
  assert.ok((await call('getMFHoldings')).length);

  const leg = { transaction_type: 'SELL', quantity: 1, order_type: 'LIMIT', product: 'CNC', price: 1 };
  const gtt = {
    trigger_type: 'single', tradingsymbol: 'INFY', exchange: 'NSE', trigger_values: [price * 9], last_price: price,
    orders: [leg],
  };
  const trigger = (await call('placeGTT', gtt)).trigger_id;
  assert.strictEqual((await call('getGTTs'))[0].id, trigger);
  await call('modifyGTT', trigger, { ...gtt, trigger_values: [price * 8] });
  assert.strictEqual((await call('getGTT', trigger)).condition.trigger_values.length, 1);
  await call('deleteGTT', trigger);
  const postback = { order_id: '1', order_timestamp: '2026-10-05 09:15:00' };
  const text = postback.order_id + postback.order_timestamp + errand.api_secret;
  postback.checksum = createHash('sha256').update(text).digest('hex');
  assert.strictEqual(call('validatePostback', postback, errand.api_secret), true);

  await refused(call('renewAccessToken', 'none', 'secret'), 'TokenException');
  await refused(call('invalidateRefreshToken', 'none'), 'TokenException');
  const before = hooks;
  tell({ login_time: session.login_time, hooks_before: before });
  await next();
  await refused(kite.getPositions(), 'TokenException');
  tell({ hooks: hooks - before });
  await refused(call('invalidateAccessToken', session.access_token), 'TokenException');

  const own = Object.getOwnPropertyNames(Object.getPrototypeOf(kite)).concat(Object.keys(kite));
  const internal = ['constructor', 'request', 'createAxiosInstance', 'parseHistorical', 'formatResponse',
    'transformInstrumentsResponse', 'setSessionExpiryHook', 'session_expiry_hook', 'requestInstance'];
  const isPublic = (name) => typeof kite[name] === 'function' && !name.startsWith('_') && !internal.includes(name);
  tell({ left_out: own.filter((name) => isPublic(name) && !called.has(name)) });
  process.exit(0);
}

main().catch((error) => { process.stderr.write(`${error.stack || JSON.stringify(error)}\n`); process.exit(1); });
