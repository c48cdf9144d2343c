import assert from "node:assert/strict";
import { test } from "node:test";
import { IncomingBody } from "./body.ts";

const owner = { resume: () => {}, cancel: () => {} };

test("a body in tiny pieces is held in few, in the order in which they came", async () => {
  for (const piecesBefore of [0, 1_500]) {
    const body = new IncomingBody(owner, () => "");
    const sent = Buffer.from(Array.from({ length: 30_000 }, (_, index) => index % 251));
    const received: Buffer[] = [];
    const iterator = body[Symbol.asyncIterator]();
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
