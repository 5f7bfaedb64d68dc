// The official JavaScript ticker: tells in lines of JSON what it receives; the errand comes as one line on stdin.
'use strict';

const readline = require('node:readline');
const { KiteTicker } = require('kiteconnect');

const tell = (what) => process.stdout.write(JSON.stringify(what) + '\n');

readline.createInterface({ input: process.stdin }).once('line', (line) => {
  const errand = JSON.parse(line);
  const ticker = new KiteTicker({ api_key: errand.api_key, access_token: errand.access_token, root: errand.root });
  ticker.autoReconnect(false);
  let ticks = 0;
  ticker.on('connect', () => {
    ticker.subscribe(errand.tokens);
    ticker.setMode(ticker.modeFull, errand.tokens);
  });
  // A tick may fall between the two messages; only those of the mode that was asked for last count.
  const full = (list) => list.length > 0 && list.every((one) => one.mode === ticker.modeFull);
  ticker.on('ticks', (list) => { if (full(list) && (ticks += 1) === 1) tell({ ticks: list }); });
  ticker.on('order_update', (order) => tell({ order: order.status }));
  ticker.on('error', (error) => tell({ error: String(error && error.message) }));
  ticker.on('close', () => { tell({ closed: true }); process.exit(0); });
  ticker.connect();
});
