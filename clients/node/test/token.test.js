// A token asked for and watched: found, refused with a reason, through restarts, and never shown.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';

import { NoDaemon, NoToken, Refused, token, watch } from '../lib/index.js';
import { places } from '../lib/place.js';
import { Wire } from '../lib/wire.js';
import { card, pause, stage, until } from './bench.js';

let bench;
before(async () => {
  bench = await stage();
});
after(() => bench.end());

const handOut = (generation, more) => bench.say(`card ${JSON.stringify(card(generation, more))}`);

/** Watches; gives what came, and how to end it. */
function watching() {
  const abort = new AbortController();
  const came = [];
  const done = (async () => {
    for await (const one of watch('main', { signal: abort.signal })) came.push(one.generation);
  })();
  const end = async () => {
    abort.abort();
    await done;
  };
  return { came, end };
}

test('gives the only account’s token, and shows it nowhere', async () => {
  await handOut(7);
  const today = await token();
  assert.deepEqual([today.account, today.generation, today.accessToken], ['main', 7, 'canary-Zq7x']);
  assert.equal(today.issued.toISOString(), '2026-11-25T03:00:07.000Z');
  for (const shown of [String(today), `${today}`, JSON.stringify(today), inspect(today), inspect({ today }, { showHidden: true })]) {
    assert.match(shown, /7/);
    assert.doesNotMatch(shown, /canary/);
  }
  assert.throws(() => {
    today.generation = 8;
  }, TypeError);
  await assert.rejects(token('third'), Refused);
});

test('says why there is none, and waits for one', async () => {
  await handOut(7);
  await bench.say('withhold');
  await assert.rejects(token(), (why) => why instanceof NoToken && why.retryAfterS === 7 && /by itself/.test(why.cure));
  setTimeout(() => handOut(8), 300);
  assert.equal((await token('main', { waitS: 20 })).generation, 8);
  await assert.rejects(token('main', { minGeneration: 9 }), NoToken);
  setTimeout(() => handOut(9), 300);
  assert.equal((await token('main', { minGeneration: 9, waitS: 20 })).generation, 9);
  await assert.rejects(token('main', { minGeneration: 10, waitS: 60, signal: AbortSignal.timeout(300) }), /timeout/i);
});

test('is not sent away by a daemon that reads its configuration', async () => {
  await handOut(9);
  const leaving = [503, { error: 'firstbell is stopping.', code: 'unavailable' }];
  await bench.say(`trick ${JSON.stringify([leaving, leaving, leaving])}`);
  assert.equal((await token('main')).generation, 9);
});

test('waits for the daemon itself', async () => {
  await bench.say('stop');
  await assert.rejects(token('main'), NoDaemon);
  setTimeout(() => bench.say('restart'), 300);
  assert.equal((await token('main', { waitS: 20 })).account, 'main');
});

test('tells what is no answer as such', async () => {
  const bad = [{}, { version: 2 }, card(1, { generation: '1' }), card(1, { generation: 0 }), card(1, { access_token: 'a\nb' }),
    card(1, { issued: 'today' }), card(1, { trusted_until: '2026-11-25T08:30:07' }), card(1, { account: 'other' })];
  for (const body of bad) {
    await bench.say(`trick ${JSON.stringify([[200, body]])}`);
    await assert.rejects(token('main'), (why) => why instanceof NoDaemon && !/canary/.test(why.message), JSON.stringify(body));
  }
});

test('does not wait without end for an answer', async () => {
  const server = http.createServer(() => {}).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { FIRSTBELL_SOCKET } = process.env;
  delete process.env.FIRSTBELL_SOCKET;
  Object.assign(process.env, { FIRSTBELL_URL: `http://127.0.0.1:${server.address().port}`, FIRSTBELL_KEY: 'fbk_k' });
  try {
    await assert.rejects(new Wire({ patienceMs: 200 }).ask('/v1/accounts'), (why) => why instanceof NoDaemon);
  } finally {
    delete process.env.FIRSTBELL_URL;
    delete process.env.FIRSTBELL_KEY;
    process.env.FIRSTBELL_SOCKET = FIRSTBELL_SOCKET;
    server.closeAllConnections();
    server.close();
  }
});

test('sends a key to this machine only, and shows it nowhere', () => {
  for (const url of ['http://example.com:7470', 'https://127.0.0.1:7470', 'http://127.0.0.1', 'nonsense']) {
    assert.throws(() => places({ FIRSTBELL_URL: url, FIRSTBELL_KEY: 'fbk_k' }), Refused, url);
  }
  const [place] = places({ FIRSTBELL_URL: 'http://127.0.0.1:7470', FIRSTBELL_KEY: 'fbk_k' });
  assert.equal(place.key, 'fbk_k');
  assert.doesNotMatch(inspect(place) + JSON.stringify(place), /fbk/);
});

test('does not believe a file in the place of a socket', async () => {
  const { FIRSTBELL_SOCKET } = process.env;
  process.env.FIRSTBELL_SOCKET = new URL(import.meta.url).pathname;
  await assert.rejects(token(), /no socket/);
  process.env.FIRSTBELL_SOCKET = FIRSTBELL_SOCKET;
});

test('asks the program where no daemon is', async () => {
  const { FIRSTBELL_SOCKET, PATH } = process.env;
  const folder = FIRSTBELL_SOCKET.replace(/\/[^/]*$/, '');
  writeFileSync(`${folder}/firstbell`, `#!/bin/sh\n[ "$*" = 'token --format json -- main' ] || exit 9\necho '${JSON.stringify(card(3))}'\n`, { mode: 0o700 });
  delete process.env.FIRSTBELL_SOCKET;
  Object.assign(process.env, { PATH: folder, XDG_STATE_HOME: `${folder}/none` });
  try {
    assert.equal((await token('main')).generation, 3);
    writeFileSync(`${folder}/firstbell`, "#!/bin/sh\necho 'no token yet.' >&2; echo 'What to do: firstbell login.' >&2; exit 6\n");
    await assert.rejects(token('main'), (why) => why instanceof NoToken && why.cure === 'firstbell login.');
  } finally {
    delete process.env.XDG_STATE_HOME;
    Object.assign(process.env, { FIRSTBELL_SOCKET, PATH });
  }
});

test('watches through restarts, each generation once', async () => {
  await handOut(20);
  const { came, end } = watching();
  await until('the present one', () => came.length === 1);
  await handOut(21);
  await until('the next one', () => came.length === 2);
  await bench.say('stop');
  await handOut(22);
  await bench.say('restart');
  await until('the one of after the restart', () => came.length === 3);
  assert.deepEqual(came, [20, 21, 22]);
  await end();
});

test('goes on where its connection is cut while it waits, and where an answer breaks off', async () => {
  await handOut(23);
  const { came, end } = watching();
  await until('the present one', () => came.length === 1);
  const asked = async () => (await bench.say('look')).asked;
  for (const generation of [24, 25]) {
    await until('the question', async () => (await asked()).at(-1).includes(`wait=${generation - 1}`));
    const before = (await asked()).length;
    await bench.say('hang-up');
    await until('it asks again', async () => (await asked()).length > before);
    await bench.say('break-off 1');
    await handOut(generation);
    await until('the next one', () => came.at(-1) === generation);
  }
  assert.deepEqual(came, [23, 24, 25]);
  await end();
});

test('a token that is waited for comes through a cut too', async () => {
  await bench.say('withhold');
  const before = (await bench.say('look')).asked.length;
  const waited = token('main', { waitS: 60 });
  await until('the question', async () => (await bench.say('look')).asked.length > before);
  await bench.say('hang-up');
  await until('it asks again', async () => (await bench.say('look')).asked.length > before + 1);
  await handOut(26);
  assert.equal((await waited).generation, 26);
});

test('ignores an older one, and does not ask in a circle', async () => {
  await handOut(30);
  const { came, end } = watching();
  await until('the present one', () => came.length === 1);
  await bench.say(`trick ${JSON.stringify([...Array(3).fill([200, card(29)]), ...Array(3).fill([204, null])])}`);
  const before = (await handOut(31)).asked.length;
  await until('the next one', () => came.length === 2);
  await handOut(32);
  await pause(2000);
  assert.ok((await bench.say('trick []')).asked.length - before < 9);
  await until('it goes on', () => came.at(-1) === 32);
  assert.deepEqual(came, [30, 31, 32]);
  await end();
});
