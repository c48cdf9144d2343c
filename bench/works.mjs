// What the requests of a benchmark are: what is sent, and the path that says what is answered.

/** 1,024 bytes of JSON. */
const order = JSON.stringify({ items: [{ sku: "a-1", count: 2 }], note: "" });
const json = order.replace('"note":""', `"note":"${"n".repeat(1_024 - order.length)}"`);

/** `path` under the origin, and what a client is told beside its URL. */
export const works = {
  get: { path: "", method: "GET", headers: {}, body: null },
  post: { path: "", method: "POST", headers: { "content-type": "application/json" }, body: json },
  headers: { path: "headers", method: "GET", headers: {}, body: null },
  body: { path: "body", method: "GET", headers: {}, body: null },
};

/** The body of a small answer. */
export const smallBody = JSON.stringify({ hello: "world", filler: "x".repeat(60) });

/** Of the answer with 16 fields; each has another one, of 32 digits, so that no head is that of before. */
export const requestIdName = "x-request-id";

/** What it has beside: five fields come with every answer. */
export const furtherFields = [
  ["cache-control", "private, max-age=0, no-cache"],
  ["vary", "accept-encoding, origin"],
  ["x-ratelimit-limit", "5000"],
  ["x-ratelimit-remaining", "4987"],
  ["x-ratelimit-reset", "1735689600"],
  ["strict-transport-security", "max-age=31536000; includeSubDomains"],
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["access-control-allow-origin", "*"],
  ["via", "1.1 edge-7"],
];

/** 64 KiB, ASCII. */
export const largeBody = "0123456789abcdef".repeat(4_096);
