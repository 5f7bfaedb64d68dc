// The official JavaScript ticker: tells in lines of JSON what it receives; the errand comes as one line on stdin.
'use strict';

const readline = require('node:readline');
const { KiteTicker } = require('kiteconnect');

const tell = (what) => process.stdout.write(JSON.stringify(what) + '\n');

readline.createInterface({ input: process.stdin }).once('line', (line) => {
  const errand = JSON.parse(line);
  const ticker = new KiteTicker({ api_key: errand.api_key, access_token: errand.access_token, root: errand.root });
  ticker.autoReconnect(errand.reconnect, 5, 5);
  let connections = 0;
  let told = 0;
  ticker.on('connect', () => {
    connections += 1;
    ticker.subscribe(errand.tokens);
    ticker.setMode(ticker.modeFull, errand.tokens);
  });
  // A tick may fall between the two messages; only those of the mode that was asked for last count.
  const full = (list) => list.length > 0 && list.every((one) => one.mode === ticker.modeFull);
  ticker.on('ticks', (list) => {
    if (told === connections || !full(list)) return;
    told += 1;
    tell({ ticks: list, connection: connections });
  });
  ticker.on('order_update', (order) => tell({ order: order.status }));
  ticker.on('error', (error) => {
    if (connections === 0) tell({ error: String(error && error.message) });
  });
  ticker.on('close', () => {
    if (errand.reconnect) return;
    tell({ closed: true });
    process.exit(0);
  });
  ticker.connect();
});
