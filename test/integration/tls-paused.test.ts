/**
 * A response that comes over TLS faster than the program reads it. Node tells what it has decrypted already
 * even after it was told to stop, so that a response may end while its socket stands still.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { makeClient } from "../support/client-kit.ts";
import { certificate, tlsServer } from "../support/loopback.ts";

test("after a response over TLS that ended while it was paused, its connection reads the next one", async (t) => {
  const { key, cert } = certificate();
  const server = await tlsServer(t, { key, cert }, (request, response) => {
    response.end(Buffer.alloc(Number(request.url?.slice(1))));
  });
  const options = { maxSockets: 1, connect: { tls: { ca: cert } }, headersTimeoutMsecs: 5_000 };
  const client = makeClient(t, options);
  // Of the sizes above 64 KiB, where the client stops, the rest of some comes in the same read.
  for (let bytes = 60_000; bytes < 140_000; bytes += 2_500) {
    const { body } = await client.request(`${server.origin}/${bytes}`);
    for (let turns = 0; turns < 20; turns++) await turn();
    assert.equal((await body.bytes()).length, bytes);
  }
  assert.equal(server.connectionCount, 1);
});
