import assert from "node:assert/strict";
import { test } from "node:test";
import { manualWorld } from "../../test/support/manual-world.ts";

test("a cancelled pending request never receives a connection", () => {
  const world = manualWorld({ maxSockets: 1 });
  const holder = world.acquire();
  const cancelled = world.acquire();
  const next = world.acquire();
  world.cancel(cancelled);
  world.release(holder);
  assert.equal(world.grantedTo(), next);
  assert.equal(cancelled.outcome?.kind, "cancelled");
});
