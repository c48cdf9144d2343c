/**
 * TLS in front of a server that speaks none: what one side says the other hears, as soon as it was said.
 * A raw server's script so decides what goes into which TLS record: each piece that it sends becomes one.
 */
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import type { TestContext } from "node:test";
import { createServer, type TLSSocket, type TlsOptions } from "node:tls";

/** A TLS server that passes everything on. */
export interface TlsFront {
  /** `https://127.0.0.1:port`. */
  readonly origin: string;
  readonly port: number;
  /** Connections whose handshake was completed, in order. */
  readonly secured: readonly TLSSocket[];
}

/** Starts a front of the server on `port`, for the time of the test. `options` as of `tls.createServer`. */
export async function tlsFront(
  t: TestContext,
  port: number,
  options: TlsOptions,
): Promise<TlsFront> {
  const secured: TLSSocket[] = [];
  const server = createServer(options, (outer) => {
    secured.push(outer);
    outer.setNoDelay(true);
    const inner = connect({ port, host: "127.0.0.1", noDelay: true });
    inner.on("error", () => outer.destroy());
    outer.on("error", () => inner.destroy());
    inner.on("data", (piece) => outer.write(piece));
    outer.on("data", (piece) => inner.write(piece));
    inner.on("end", () => outer.end());
    outer.on("end", () => inner.end());
    outer.on("close", () => inner.destroy());
  });
  // A handshake that the client breaks off is the client's to report.
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of secured) socket.destroy();
    server.close();
  });
  const address = server.address() as AddressInfo;
  return { origin: `https://127.0.0.1:${address.port}`, port: address.port, secured };
}
