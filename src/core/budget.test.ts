import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../test/support/fast-check.ts";
import { Budget, type IdleLink, IdleList } from "./budget.ts";
import type { Connection } from "./connection.ts";
import type { PendingRequest } from "./pending.ts";

type Link = IdleLink<PendingRequest, never>;

/** Lists hold connections and do not look into them. */
function link(): Link {
  return { connection: {} as Connection<PendingRequest, never>, longer: null, shorter: null };
}

test("an idle list keeps the order in which its links came, whichever leave", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat()), { maxLength: 40, size: "max" }), (script) => {
      const list = new IdleList<PendingRequest, never>();
      const model: Link[] = [];
      for (const index of script) {
        if (index === null) {
          const added = link();
          list.push(added);
          model.push(added);
        } else if (model.length > 0) {
          const [removed] = model.splice(index % model.length, 1);
          list.remove(removed as Link);
        }
        assert.equal(list.longest, model[0]?.connection ?? null);
        assert.equal(list.shortest, model.at(-1)?.connection ?? null);
        for (const [at, each] of model.entries()) {
          assert.equal(each.longer, model[at - 1] ?? null);
          assert.equal(each.shorter, model[at + 1] ?? null);
        }
      }
    }),
  );
});

test("a permit counts at every level, and comes back at every level", () => {
  const client = new Budget("maxTotalSockets", 3, null);
  const [a, b] = [new Budget("maxSockets", 2, client), new Budget("maxSockets", 2, client)];
  a.take();
  a.take();
  b.take();
  assert.deepEqual([a.open, b.open, client.open], [2, 1, 3]);
  a.give();
  assert.deepEqual([a.open, b.open, client.open], [1, 1, 2]);
});

test("the nearest full budget is named, and a lowered limit is exceeded until enough is given back", () => {
  const client = new Budget("maxTotalSockets", 3, null);
  const own = new Budget("maxSockets", 2, client);
  assert.equal(own.firstFull(), null);
  own.take();
  own.take();
  assert.equal(own.firstFull(), own);
  own.limit = 5;
  client.limit = 2;
  assert.equal(own.firstFull(), client);
  assert.equal(own.isExceeded(), false);
  client.limit = 1;
  assert.equal(own.isExceeded(), true);
  own.give();
  assert.equal(own.isExceeded(), false);
});
