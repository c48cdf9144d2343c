import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { randomStream } from "../simulate/random.ts";
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

test("text is what the whole of the bytes decodes to, wherever they are split and whenever it is asked for", async () => {
  const random = randomStream(7, 1);
  const below = (limit: number): number => Math.floor(random() * limit);
  // Lead bytes, continuations, and what is neither: most of it is no UTF-8, and half of it at splits.
  const kinds = [0x41, 0x80, 0xbb, 0xbf, 0x9f, 0xc0, 0xc3, 0xe2, 0xed, 0xef, 0xf0, 0xf4, 0xff];
  for (let round = 0; round < 300; round++) {
    const sizes = Array.from({ length: 1 + below(12) }, () =>
      below(3) === 0 ? below(900) : below(6),
    );
    const pieces = sizes.map((size) =>
      Buffer.from(Array.from({ length: size }, () => kinds[below(kinds.length)] ?? 0)),
    );
    if (below(2) === 0) pieces.unshift(Buffer.from([0xef, 0xbb]), Buffer.from([0xbf, 0x41]));
    const body = new IncomingBody(owner);
    const askedAfter = below(pieces.length + 2);
    let text: Promise<string> | null = null;
    for (const [index, piece] of pieces.entries()) {
      if (index === askedAfter) text = new ClientBody(body, { rawHeaders: [] }).text();
      // As from a socket: the bytes are written over when the call is over.
      const lent = Buffer.from(piece);
      body.receive(lent, 0, lent.length);
      lent.fill(0);
    }
    if (askedAfter === pieces.length) text = new ClientBody(body, { rawHeaders: [] }).text();
    body.end();
    text ??= new ClientBody(body, { rawHeaders: [] }).text();
    assert.equal(await text, new TextDecoder().decode(Buffer.concat(pieces)), `round ${round}`);
  }
});

test("bytes are in memory of their own, however many pieces they came in", async () => {
  for (const count of [0, 1, 3]) {
    const body = new IncomingBody(owner);
    const reading = new ClientBody(body, { rawHeaders: [] }).bytes();
    for (let piece = 0; piece < count; piece++) body.push(Buffer.from([piece, piece]));
    body.end();
    const bytes = await reading;
    assert.deepEqual([...bytes], [0, 0, 1, 1, 2, 2].slice(0, 2 * count));
    assert.equal(bytes.buffer.byteLength, bytes.length);
  }
});

test("a body that is collected, or read in pieces, takes no more memory than it is long", async () => {
  const sent = Buffer.alloc(40_000);
  const collected = new IncomingBody(owner);
  const gathering = collected.gather({});
  for (let count = 0; count < 3; count++) collected.receive(sent, 0, sent.length);
  collected.end();
  const read = new IncomingBody(owner);
  read.use();
  read.receive(sent, 0, sent.length);
  const { value } = await read.pull({});
  for (const piece of [...(await gathering), value as Buffer]) {
    assert.equal(piece.buffer.byteLength, sent.length);
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
  ["borrow", (body, keeper) => body.borrow(keeper, () => true)],
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
