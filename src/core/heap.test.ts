import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../test/support/fast-check.ts";
import { Heap, type Ranked } from "./heap.ts";

class Item implements Ranked {
  rank = 0;
  heapIndex = -1;
}

test("an empty heap has no top, and taking out what is not in it changes nothing", () => {
  const heap = new Heap<Item>();
  assert.equal(heap.top, null);
  heap.remove(new Item());
  assert.equal(heap.size, 0);
});

test("placing an item again moves it", () => {
  const heap = new Heap<Item>();
  const [a, b] = [new Item(), new Item()];
  heap.place(a, 1);
  heap.place(b, 2);
  heap.place(a, 3);
  assert.equal(heap.size, 2);
  assert.equal(heap.top, b);
  heap.place(a, 0);
  assert.equal(heap.top, a);
});

const scripts = fc.array(fc.tuple(fc.nat(15), fc.option(fc.integer({ min: -20, max: 20 }))), {
  maxLength: 80,
  size: "max",
});

test("the least rank is on top, whatever was placed, moved and taken out", () => {
  fc.assert(
    fc.property(scripts, (script) => {
      const heap = new Heap<Item>();
      const items = Array.from({ length: 16 }, () => new Item());
      const model = new Map<Item, number>();
      for (const [index, rank] of script) {
        const item = items[index] as Item;
        if (rank === null) {
          heap.remove(item);
          model.delete(item);
        } else {
          heap.place(item, rank);
          model.set(item, rank);
        }
        assert.equal(heap.size, model.size);
        assert.equal(heap.top?.rank ?? null, model.size === 0 ? null : Math.min(...model.values()));
        for (const each of items) {
          assert.equal(each.heapIndex !== -1, model.has(each));
          if (model.has(each)) assert.equal(each.rank, model.get(each));
        }
      }
      const sorted: number[] = [];
      for (let top = heap.top; top !== null; top = heap.top) {
        sorted.push(top.rank);
        heap.remove(top);
      }
      assert.deepEqual(
        sorted,
        [...model.values()].sort((a, b) => a - b),
      );
    }),
    { numRuns: 2_000 },
  );
});
