import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ClientBody } from "./body.ts";
import { IncomingBody } from "./incoming-body.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const owner = { resume: () => {}, taken: () => {}, cancel: () => {} };

test("a body in tiny pieces is held in few, in the order in which they came", async () => {
  for (const piecesBefore of [0, 1_500]) {
    const body = new IncomingBody(owner);
    const sent = Buffer.from(Array.from({ length: 30_000 }, (_, index) => index % 251));
    const received: Buffer[] = [];
    const iterator = new ClientBody(body, { rawHeaders: [] })[Symbol.asyncIterator]();
    let count = 0;
    for (let at = 0; at < sent.length; at++) {
      body.push(sent.subarray(at, at + 1));
      // Reading between has some of the small ones gone when the rest is joined.
      if (at >= piecesBefore) continue;
      received.push((await iterator.next()).value as Buffer);
    }
    body.push(Buffer.alloc(1_000, 7));
    body.end();
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      received.push(next.value);
      count++;
    }
    assert.deepEqual(Buffer.concat(received), Buffer.concat([sent, Buffer.alloc(1_000, 7)]));
    assert.ok(count < 1_100, `${count} pieces were held`);
  }
});

/** True when nothing but `ref` references what it refers to. */
async function isCollected(ref: WeakRef<object>): Promise<boolean> {
  await turn(); // what was looked at in this turn stays until its end
  collectGarbage();
  return ref.deref() === undefined;
}

const begins: readonly [string, (body: IncomingBody, keeper: object) => Promise<unknown>][] = [
  ["gather", (body, keeper) => body.gather(keeper)],
  ["dump", (body, keeper) => body.dump(keeper, 100)],
  [
    "pull",
    (body, keeper) => {
      body.use();
      return body.pull(keeper);
    },
  ],
];

for (const [name, begin] of begins) {
  test(`${name} holds the program's side for as long as it is under way`, async () => {
    const body = new IncomingBody(owner);
    const start = (): { ref: WeakRef<object>; reading: Promise<unknown> } => {
      const keeper = {};
      return { ref: new WeakRef(keeper), reading: begin(body, keeper) };
    };
    const { ref, reading } = start();
    assert.equal(await isCollected(ref), false);
    body.push(Buffer.from("piece"));
    assert.equal(await isCollected(ref), name === "pull");
    body.end();
    await reading;
  });
}

test("a body that nobody reads does not hold the program's side", async () => {
  const body = new IncomingBody(owner);
  const ref = (() => new WeakRef(new ClientBody(body, { rawHeaders: [] })))();
  body.push(Buffer.from("piece"));
  assert.equal(await isCollected(ref), true);
  assert.equal(body.isNeglected, true);
});
