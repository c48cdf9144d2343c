// The least that a queue of promises costs: the raw loop, and a list of those who wait for one of its sockets.

import { start as startRaw } from "./raw.mjs";

export const name = "raw loop, list of promises";

/** One that waits. */
class Waiting {
  constructor(resolve) {
    this.resolve = resolve;
    this.behind = null;
  }
}

export async function start(url, sockets) {
  const raw = await startRaw(url, sockets);
  let free = sockets;
  let first = null;
  let last = null;
  const turn = () =>
    new Promise((resolve) => {
      const waiting = new Waiting(resolve);
      if (first === null) first = waiting;
      else last.behind = waiting;
      last = waiting;
    });
  return {
    run: async () => {
      if (free > 0) free--;
      else await turn();
      await raw.run();
      const next = first;
      if (next === null) {
        free++;
        return;
      }
      first = next.behind;
      next.behind = null;
      next.resolve();
    },
    stop: raw.stop,
  };
}
