// Loaded before a program: its official clients speak with kitesim where they would speak with Kite.
'use strict';

const { createRequire } = require('node:module');
const { join } = require('node:path');

const client = createRequire(createRequire(join(process.cwd(), 'program.js')).resolve('kiteconnect'));
client('../constants').DEFAULTS.root = process.env.KITE_API;
const path = client.resolve('ws');
const Official = client('ws');
require.cache[path].exports = class extends Official {
  constructor(url, ...rest) {
    super(url.replace('wss://ws.kite.trade/', process.env.KITE_TICKER), ...rest);
  }
};
