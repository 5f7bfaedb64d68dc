// Calls every REST method of the official JavaScript client without a token, as its unit suite does.
'use strict';

const readline = require('node:readline');
const { KiteConnect } = require('kiteconnect');

const order = {
  exchange: 'NSE', tradingsymbol: 'INFY', transaction_type: 'BUY', variety: 'regular', product: 'CNC',
  order_type: 'LIMIT', quantity: 1, price: 1500,
};
const leg = { transaction_type: 'SELL', quantity: 1, order_type: 'LIMIT', product: 'CNC', price: 1 };
const gtt = {
  trigger_type: 'single', tradingsymbol: 'INFY', exchange: 'NSE', trigger_values: [1], last_price: 798, orders: [leg],
};
const CALLS = {
  generateSession: ['any', 'any'], renewAccessToken: ['any', 'any'], invalidateAccessToken: ['any'],
  invalidateRefreshToken: ['any'], getProfile: [], getMargins: ['test'], placeOrder: ['test', { ...order, autoslice: true }],
  modifyOrder: ['test', 100, { quantity: 2 }], cancelOrder: ['test', 100], exitOrder: ['test', 100], getOrders: [],
  getOrderHistory: [100], getTrades: [], getOrderTrades: [100], orderMargins: [[order], 'compact'],
  getvirtualContractNote: [[order]], orderBasketMargins: [[order], true, 'compact'], getHoldings: [],
  getAuctionInstruments: [], getPositions: [], convertPosition: [order], getInstruments: [], getQuote: [['NSE:INFY']],
  getOHLC: [['NSE:INFY']], getLTP: [['NSE:INFY']], getHistoricalData: [456, 'minute', '2026-10-05', '2026-10-05', 0, 1],
  getMFOrders: [], placeMFOrder: [{ tradingsymbol: 'INF174K01LS2' }], cancelMFOrder: ['any'], getMFSIPS: [],
  placeMFSIP: [{ tradingsymbol: 'INF174K01LS2' }], modifyMFSIP: ['any', { amount: 1 }], cancelMFSIP: ['any'],
  getMFHoldings: [], getMFInstruments: [], getGTTs: [], getGTT: [100], placeGTT: [gtt], modifyGTT: [100, gtt],
  deleteGTT: [100],
};
// They ask nobody: those of the library's own workings, and those of the other test.
const SILENT = ['constructor', 'request', 'createAxiosInstance', 'parseHistorical', 'formatResponse',
  'transformInstrumentsResponse', 'setSessionExpiryHook', 'session_expiry_hook', 'requestInstance', 'setAccessToken',
  'getLoginURL', 'validatePostback'];

readline.createInterface({ input: process.stdin }).once('line', async (line) => {
  const kite = new KiteConnect({ api_key: 'any-key', root: JSON.parse(line).root });
  const kinds = {};
  for (const [name, given] of Object.entries(CALLS)) {
    const value = await kite[name](...given);
    kinds[name] = Array.isArray(value) ? 'list' : typeof value;
    // A session that was made would be sent from here on; replay is asked without one.
    kite.access_token = null;
  }
  const placed = await kite.placeOrder('test', { ...order, autoslice: true });
  const own = Object.getOwnPropertyNames(Object.getPrototypeOf(kite)).concat(Object.keys(kite));
  const asks = (name) => typeof kite[name] === 'function' && !name.startsWith('_') && !SILENT.includes(name);
  const leftOut = own.filter((name) => asks(name) && !(name in CALLS));
  process.stdout.write(JSON.stringify({ kinds, child: placed.children[2].error.error_type, left_out: leftOut }) + '\n');
  process.exit(0);
});
