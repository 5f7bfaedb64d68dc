// A strategy on the package firstbell: it never hears of a token. Tells in lines of JSON what it sees.

import { kite, ticker } from 'firstbell';

const INSTRUMENTS = [408065, 256265];
const tell = (what) => process.stdout.write(`${JSON.stringify({ at: Date.now() / 1000, ...what })}\n`);

tell({ waits: true });
const kc = await kite(undefined, { root: process.env.KITE_API, waitS: 60 });
const stream = await ticker(undefined, { root: process.env.KITE_TICKER, waitS: 60 });
stream.on('connect', () => {
  stream.subscribe(INSTRUMENTS);
  stream.setMode(stream.modeFull, INSTRUMENTS);
});
stream.on('ticks', (ticks) => {
  for (const tick of ticks.filter((one) => one.mode === 'full')) {
    tell({ tick: tick.instrument_token, second: tick.exchange_timestamp / 1000 });
  }
});
stream.on('order_update', (order) => tell({ order: order.order_id, status: order.status }));
stream.on('error', (fault) => tell({ refused: fault.message.includes('403') }));
stream.connect();
for (;;) {
  try {
    tell({ user: (await kc.getProfile()).user_id });
  } catch (fault) {
    tell({ fault: fault.error_type });
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
}
