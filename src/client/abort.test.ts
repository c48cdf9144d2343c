import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { type Abortable, unwatchAbort, watchAbort } from "./abort.ts";

class Watcher implements Abortable {
  readonly reasons: unknown[] = [];

  aborted(reason: unknown): void {
    this.reasons.push(reason);
  }
}

function listeners(signal: AbortSignal): number {
  return getEventListeners(signal, "abort").length;
}

test("every watcher of a signal is told its reason, once", () => {
  const controller = new AbortController();
  const watchers = [new Watcher(), new Watcher(), new Watcher()];
  for (const each of watchers) watchAbort(controller.signal, each);
  controller.abort("enough");
  controller.signal.dispatchEvent(new Event("abort"));
  for (const each of watchers) assert.deepEqual(each.reasons, ["enough"]);
});

test("who does not watch any more is not told, whoever else still does", () => {
  for (const count of [1, 2, 5]) {
    for (let leaver = 0; leaver < count; leaver++) {
      const controller = new AbortController();
      const watchers = Array.from({ length: count }, () => new Watcher());
      for (const each of watchers) watchAbort(controller.signal, each);
      unwatchAbort(controller.signal, watchers[leaver] as Watcher);
      controller.abort("enough");
      const told = watchers.map((each) => each.reasons.length);
      assert.deepEqual(
        told,
        watchers.map((_, index) => (index === leaver ? 0 : 1)),
      );
    }
  }
});

test("a signal has one listener while anybody watches it, and none otherwise", () => {
  const { signal } = new AbortController();
  const watchers = Array.from({ length: 100 }, () => new Watcher());
  for (const each of watchers) watchAbort(signal, each);
  assert.equal(listeners(signal), 1);
  for (const each of watchers.slice(1)) unwatchAbort(signal, each);
  assert.equal(listeners(signal), 1);
  unwatchAbort(signal, watchers[0] as Watcher);
  assert.equal(listeners(signal), 0);
  unwatchAbort(signal, watchers[0] as Watcher);
  watchAbort(signal, watchers[1] as Watcher);
  assert.equal(listeners(signal), 1);
});

test("a watcher that is told may stop others, and start new ones", () => {
  const controller = new AbortController();
  const late = new Watcher();
  const told: string[] = [];
  const second: Abortable = { aborted: () => told.push("second") };
  const first: Abortable = {
    aborted: () => {
      told.push("first");
      unwatchAbort(controller.signal, second);
      watchAbort(controller.signal, late);
    },
  };
  watchAbort(controller.signal, first);
  watchAbort(controller.signal, second);
  controller.abort();
  // It was aborted already when it asked not to be told; its request ignores that.
  assert.deepEqual(told, ["first", "second"]);
  assert.deepEqual(late.reasons, []);
});
