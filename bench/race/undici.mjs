// What undici, also the one inside Node.js, tells of its connections on diagnostics channels.

import { subscribe } from "node:diagnostics_channel";

/** How long each connection was idle when a request took it, in ms. */
const idleAges = [];
let resent = 0;
const sentIds = new Set();
const socketOf = new WeakMap();
const freeSince = new WeakMap();

subscribe("undici:client:sendHeaders", ({ request, headers, socket }) => {
  const id = /\r\nx-id: *(\S+)/i.exec(headers)?.[1];
  if (sentIds.has(id)) resent++;
  sentIds.add(id);
  socketOf.set(request, socket);
  const since = freeSince.get(socket);
  if (since !== undefined) idleAges.push(performance.now() - since);
});
subscribe("undici:request:trailers", ({ request }) => {
  freeSince.set(socketOf.get(request), performance.now());
});

/** `request` sends through an undici dispatcher. */
export function sendThrough(request, dispatcher, origin) {
  return {
    send: async ({ id, method, body }) => {
      const response = await request(`${origin}/`, {
        dispatcher,
        method,
        headers: { "x-id": id, ...(body === null ? {} : { "content-type": "application/json" }) },
        body: body === null ? null : JSON.stringify(body),
      });
      await (response.body.text?.() ?? response.text());
    },
    stop: () => dispatcher?.destroy(),
  };
}

export const facts = () => ({ resent, idleAges });
