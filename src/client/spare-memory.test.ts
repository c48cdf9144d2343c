import assert from "node:assert/strict";
import { test } from "node:test";
import { randomStream } from "../simulate/random.ts";
import { giveBack, spareCopy } from "./spare-memory.ts";

test("what was not given back is never written over, whatever sizes come and go", () => {
  const random = randomStream(5, 1);
  const below = (limit: number): number => Math.floor(random() * limit);
  const source = Buffer.allocUnsafe(200_000);
  const given: Buffer[] = [];
  const held: { piece: Buffer; byte: number; length: number }[] = [];
  for (let round = 0; round < 1_000; round++) {
    const length =
      [below(10), below(32_768), 32_768 + below(32_769), 65_536 + below(100_000)][below(4)] ?? 0;
    const start = below(source.length - length);
    source.fill(round & 255, start, start + length);
    held.push({ piece: spareCopy(source, start, start + length), byte: round & 255, length });
    while (held.length > below(40)) {
      const [gone] = held.splice(below(held.length), 1);
      if (gone === undefined) break;
      giveBack(gone.piece);
      given.push(gone.piece);
    }
    // By mistake, by somebody who holds it still: others may have its memory by now.
    const again = given[below(given.length)];
    if (again !== undefined) giveBack(again);
    for (const { piece, byte, length } of held) {
      assert.ok(piece.equals(Buffer.alloc(length, byte)), `written over in round ${round}`);
    }
  }
});

test("the memory of large pieces is used again, and that of others is not taken", () => {
  const source = Buffer.alloc(65_536);
  const first = spareCopy(source, 0, 40_000);
  giveBack(first);
  const second = spareCopy(source, 0, 65_536);
  assert.equal(second.buffer, first.buffer);

  const foreign = Buffer.allocUnsafeSlow(65_536);
  giveBack(foreign);
  assert.notEqual(spareCopy(source, 0, 65_536).buffer, foreign.buffer);
});

test("memory that a reader has transferred is not used again", () => {
  const source = Buffer.alloc(65_536);
  const piece = spareCopy(source, 0, 65_536);
  structuredClone(piece.buffer, { transfer: [piece.buffer as ArrayBuffer] });
  giveBack(piece);
  assert.equal(spareCopy(source, 0, 65_536).length, 65_536);
});
