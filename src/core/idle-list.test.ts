import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../test/support/fast-check.ts";
import type { Connection } from "./connection.ts";
import { type IdleLink, IdleList } from "./idle-list.ts";
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
        assert.equal(list.longestIdle, model[0]?.connection ?? null);
        assert.equal(list.shortestIdle, model.at(-1)?.connection ?? null);
        for (const [at, each] of model.entries()) {
          assert.equal(each.longer, model[at - 1] ?? null);
          assert.equal(each.shorter, model[at + 1] ?? null);
        }
      }
    }),
  );
});
