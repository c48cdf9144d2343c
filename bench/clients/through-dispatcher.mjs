// How requests are sent with undici's request through a dispatcher, whichever it is.

import { works } from "../works.mjs";

export function sendThrough(request, dispatcher, url, { method, headers, body } = works.get) {
  const options = method === "GET" ? { dispatcher } : { dispatcher, method, headers, body };
  return {
    run: async (signal) => {
      const response = await request(url, { ...options, signal });
      await response.body.text();
    },
    stop: () => dispatcher.destroy(),
  };
}
