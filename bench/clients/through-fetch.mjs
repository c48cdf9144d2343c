// How requests are sent with a function like fetch, whichever it is.

import { works } from "../works.mjs";

export function sendByFetch(
  fetch,
  url,
  { method, headers, body } = works.get,
  stop = () => {},
  init = {},
) {
  const plain = method === "GET" ? init : { ...init, method, headers, body };
  return {
    run: async (signal) => {
      const response = await fetch(url, signal ? { ...plain, signal } : plain);
      await response.text();
    },
    stop,
  };
}
