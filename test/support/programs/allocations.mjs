// Prints how many bytes of the heap each small GET takes, one after another on one connection: argv[2] is the URL. Run
// with a young generation that is larger than all of it, so that nothing is collected meanwhile.
import { Client } from "keepline";

const url = process.argv[2];
const client = new Client({ maxSockets: 1 });

async function get(count) {
  for (let left = count; left > 0; left--) await (await client.request(url)).body.text();
}

const windows = 8;
const requests = 500;
// Until compilers have done what they will.
await get(20_000);
globalThis.gc();
const taken = [];
for (let window = 0; window < windows; window++) {
  const before = process.memoryUsage().heapUsed;
  await get(requests);
  taken.push((process.memoryUsage().heapUsed - before) / requests);
}
client.destroy();
process.stdout.write(JSON.stringify(taken.map(Math.round)));
