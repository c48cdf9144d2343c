// The ways of undici that know their origin beforehand, and so need look up nothing; whichever its version.

import { Writable } from "node:stream";
import { works } from "../works.mjs";

const open = (Pool, url, sockets) =>
  new Pool(new URL(url).origin, { connections: sockets, pipelining: 1 });

const optionsOf = (url, { method, headers, body } = works.get) =>
  method === "GET"
    ? { path: new URL(url).pathname, method }
    : { path: new URL(url).pathname, method, headers, body };

export function requestOf(Pool, url, sockets, work) {
  const pool = open(Pool, url, sockets);
  const options = optionsOf(url, work);
  return {
    run: async (signal) => {
      const response = await pool.request({ ...options, signal });
      await response.body.text();
    },
    stop: () => pool.destroy(),
  };
}

export function streamOf(Pool, url, sockets, work) {
  const pool = open(Pool, url, sockets);
  const options = optionsOf(url, work);
  return {
    run: async () => {
      let text = "";
      const write = (chunk, _, done) => {
        text += chunk.toString();
        done();
      };
      await pool.stream(options, () => new Writable({ write }));
      return text;
    },
    stop: () => pool.destroy(),
  };
}

/** The callbacks of one dispatched request. */
class Receiver {
  #text = "";
  #resolve;
  #reject;

  constructor(resolve, reject) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onRequestStart() {}

  onResponseStart() {}

  onResponseData(_, chunk) {
    this.#text += chunk.toString();
  }

  onResponseEnd() {
    this.#resolve(this.#text);
  }

  onResponseError(_, error) {
    this.#reject(error);
  }
}

export function dispatchOf(Pool, url, sockets, work) {
  const pool = open(Pool, url, sockets);
  const options = optionsOf(url, work);
  return {
    run: () =>
      new Promise((resolve, reject) => pool.dispatch(options, new Receiver(resolve, reject))),
    stop: () => pool.destroy(),
  };
}
