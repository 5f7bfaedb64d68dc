// The official JavaScript client against kitesim, across changes of the token: nothing lost, nothing twice, no order repeated.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { inspect } from 'node:util';

import { kite, ticker, token } from '../lib/index.js';
import { Handover } from '../lib/handover.js';
import { makeKite } from '../lib/kite.js';
import { official } from '../lib/official.js';
import { pause, stage, until } from './bench.js';

const INSTRUMENTS = [408065, 256265];

let bench;
before(async () => {
  bench = await stage();
});
after(() => bench.end());
beforeEach(() => bench.say('token'));

const handshakes = async () => (await bench.lever('/seen')).requests.filter((one) => one.path === '/').length;
const flush = () => bench.lever('/flush', {});

/** Counts what is sent. */
function counted(kc) {
  const sent = [];
  kc.requestInstance.interceptors.request.use((request) => {
    sent.push(request.method.toUpperCase());
    return request;
  });
  return sent;
}

const order = (kc) => kc.placeOrder('regular', {
  exchange: 'NSE', tradingsymbol: 'INFY', transaction_type: 'BUY', quantity: 1, product: 'CNC', order_type: 'LIMIT', price: 1000,
});

describe('kite', () => {
  test('is the official one, and shows no token', async () => {
    const kc = await kite('main', { root: bench.api, timeout: 3000 });
    assert.ok(kc instanceof official().KiteConnect);
    assert.equal((await kc.getProfile()).user_id, 'AB1234');
    assert.equal(kc.timeout, 3000);
    assert.ok(!inspect(kc, { depth: 9 }).includes((await token()).accessToken));
  });

  test('reads go on across the morning', async () => {
    const kc = await kite('main', { root: bench.api });
    const hooks = [];
    kc.setSessionExpiryHook(() => hooks.push(1));
    await kc.getProfile();
    await flush();
    setTimeout(() => bench.say('token'), 500);
    assert.equal((await kc.getProfile()).user_id, 'AB1234');
    assert.deepEqual(hooks, []);
  });

  test('reads without a newer token fail, and are not sent again and again', async () => {
    const kc = await kite('main', { root: bench.api, patienceS: 0.2 });
    const hooks = [];
    kc.setSessionExpiryHook(() => hooks.push(1));
    const sent = counted(kc);
    await flush();
    for (let n = 0; n < 4; n += 1) await assert.rejects(kc.getProfile(), { error_type: 'TokenException' });
    assert.deepEqual([sent, hooks.length], [['GET'], 4]);
    await bench.say('token');
    assert.equal((await kc.getProfile()).user_id, 'AB1234');
  });

  test('an order is never sent twice, and the next call has the new token', async () => {
    const kc = await kite('main', { root: bench.api });
    const sent = counted(kc);
    await flush();
    const refused = assert.rejects(order(kc), { error_type: 'TokenException' });
    await bench.say('token');
    await refused;
    assert.deepEqual(sent, ['POST']);
    await until('the new token', async () => (await order(kc).catch(() => null))?.order_id);
    assert.equal((await kc.getOrders()).length, 1);
  });

  test('calls that waited send the token that they chose, and bring no old one back', async () => {
    const make = (generation) => ({ generation, apiKey: 'key', accessToken: `token-${generation}` });
    const feed = { newest: make(1), newer: () => Promise.resolve(feed.answer) };
    const kc = makeKite(feed, 0, {});
    const sent = [];
    kc.requestInstance.defaults.adapter = async (request) => {
      const one = Number(request.headers.Authorization.split('-')[1]);
      sent.push(one);
      const data = one < 3 ? { status: 'error', message: 'dead', error_type: 'TokenException' } : { status: 'success', data: {} };
      const reply = { status: one < 3 ? 403 : 200, data: JSON.stringify(data), headers: { 'content-type': 'application/json' }, config: request };
      if (one < 3) throw Object.assign(new Error('dead'), { response: { ...reply, data } });
      return reply;
    };
    // The first call has chosen generation 1 and waits for its turn; the second one chooses 3 before that.
    const first = kc.getProfile();
    feed.newest = make(3);
    feed.answer = feed.newest;
    const second = kc.getProfile();
    await Promise.all([first, second]);
    assert.deepEqual(sent, [1, 3, 3]);
    // Whoever was given an older one than others have by now takes theirs.
    feed.newest = make(2);
    await kc.getProfile();
    assert.equal(sent.at(-1), 3);
    assert.equal(kc.access_token, 'token-3');
  });

  test('does not keep the process alive', () => {
    const program = `import { kite } from '${new URL('../lib/index.js', import.meta.url)}';
      const kc = await kite('main', { root: '${bench.api}' }); console.log((await kc.getProfile()).user_id);`;
    const began = Date.now();
    const ended = spawnSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 20_000, encoding: 'utf8' });
    assert.equal(ended.stdout, 'AB1234\n', ended.stderr);
    assert.ok(Date.now() - began < 8000);
  });
});

describe('ticker', () => {
  let stream;
  let heard;

  beforeEach(async () => {
    stream = await ticker('main', { root: bench.ticker });
    heard = { connect: 0, close: [], error: [], reconnect: [], full: [], orders: [] };
    stream.on('connect', () => {
      heard.connect += 1;
      stream.subscribe(INSTRUMENTS);
      stream.setMode(stream.modeFull, INSTRUMENTS);
    });
    stream.on('close', (event) => heard.close.push(event));
    stream.on('error', (error) => heard.error.push(error));
    stream.on('reconnect', (tries) => heard.reconnect.push(tries));
    stream.on('order_update', (update) => heard.orders.push(`${update.order_id} ${update.status}`));
    stream.on('ticks', (ticks) => heard.full.push(...ticks.filter((tick) => tick.mode === 'full')));
    stream.connect();
    await until('ticks', () => heard.full.length >= 4);
  });
  afterEach(async () => {
    stream.disconnect();
    await until('the end', () => !stream.connected());
  });

  test('goes over without losing a tick or an order', async () => {
    assert.ok(stream instanceof official().KiteTicker);
    // A third connection would be refused, and that would be seen.
    await bench.lever('/faults', { settings: { ticker_connections: 2 } });
    const kc = await kite('main', { root: bench.api });
    const placed = [];
    let done = false;
    const load = (async () => {
      while (!done) {
        placed.push((await order(kc)).order_id);
        await pause(130);
      }
    })();
    for (let n = 0; n < 2; n += 1) {
      const before = await handshakes();
      await bench.say('token');
      await until('the next connection', async () => (await handshakes()) > before);
      await pause(3000);
    }
    done = true;
    await load;
    await until('the last order', () => heard.orders.length >= placed.length);
    assert.deepEqual([...heard.orders].sort(), placed.map((one) => `${one} OPEN`).sort());
    for (const instrument of INSTRUMENTS) {
      const told = heard.full.filter((tick) => tick.instrument_token === instrument).map((tick) => tick.exchange_timestamp / 1000);
      // kitesim's beat is a little longer than a second, so it may leave one out; two in a row would be lost.
      const steps = told.slice(1).map((second, n) => second - told[n]);
      assert.ok(told.length > 5 && steps.every((step) => step === 1 || step === 2), `in order, none twice: ${told}`);
    }
    assert.deepEqual([heard.connect, heard.close, heard.error], [1, [], []], 'nobody noticed');
  });

  test('waits with a dead token for the next one', async () => {
    await flush();
    await until('the refusal', () => heard.error.length > 0);
    const before = await handshakes();
    await pause(4000);
    assert.equal(await handshakes(), before, 'nobody hammers');
    assert.equal(heard.error.length, 1);
    assert.match(heard.error[0].message, /403.*waits for the token after generation/);
    assert.doesNotMatch(inspect(heard, { depth: 9 }), /access_token/);
    heard.full = [];
    const changed = Date.now();
    await bench.say('token');
    await until('ticks', () => heard.full.length > 0);
    assert.ok(Date.now() - changed < 2000);
    assert.equal(heard.connect, 2);
  });

  test('opens a connection again that is lost', async () => {
    await bench.lever('/event', { event: 'ticker-drop' });
    await until('another connection', () => heard.connect === 2);
    heard.full = [];
    await until('ticks', () => heard.full.length > 0);
    assert.deepEqual(heard.reconnect, [1]);
  });
});

test('a handover gives each instrument to the new connection by itself', () => {
  const tick = (token, price, mode = 'full') => ({ instrument_token: token, last_price: price, mode });
  const handover = new Handover(new Map([[1, 'full'], [2, 'full']]), new Map([[2, tick(2, 20)]]));
  assert.deepEqual(handover.ofNew([tick(1, 10, 'quote')]), []);
  assert.deepEqual(handover.ofNew([tick(1, 11)]), [tick(1, 11)]);
  assert.deepEqual(handover.ofOld([tick(1, 10), tick(2, 20)]), [tick(2, 20)]);
  assert.equal(handover.complete, false);
  assert.deepEqual(handover.ofNew([tick(2, 20)]), []);
  assert.equal(handover.complete, true);
  const told = [['a', false], ['a', true], ['b', true], ['b', false], ['a', false], ['a', true], ['a', true]];
  assert.deepEqual(told.filter(([text, isNew]) => handover.text(text, isNew)).map(([text]) => text), ['a', 'b', 'a', 'a']);
});
