/**
 * The demo's servers, in a process of their own so that they use another core: one HTTP and one HTTPS
 * origin on 127.0.0.1. They answer with the client's port as they see it, after `?delay=` milliseconds.
 * Invariant: this process ends when the one that started it does.
 */
import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { makeCertificate } from "../certificate.ts";

/** What this process tells the one that started it, once. */
export type ServerMessage =
  | {
      readonly kind: "ready";
      readonly httpPort: number;
      readonly httpsPort: number;
      /** The certificate to trust, PEM. */
      readonly cert: string;
    }
  | { readonly kind: "failed"; readonly problem: string };

/** What a response says. */
export interface Answer {
  readonly clientPort: number;
}

const mostDelayMsecs = 1_000;
/** Longer than any client of the demo keeps a connection: what closes one is the client's own setting. */
const keepAliveTimeout = 60_000;

const answer: RequestListener = (request, response) => {
  const { clientPort }: Answer = { clientPort: request.socket.remotePort ?? 0 };
  const body = JSON.stringify({ clientPort });
  const delay = /[?&]delay=(\d+)/.exec(request.url ?? "")?.[1];
  const send = (): void => {
    response.writeHead(200, {
      "content-type": "application/json",
      "content-length": body.length,
    });
    response.end(body);
  };
  if (delay === undefined) send();
  else setTimeout(send, Math.min(Number(delay), mostDelayMsecs));
};

async function listen(server: Server): Promise<number> {
  server.listen({ port: 0, host: "127.0.0.1", backlog: 1_024 });
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function start(): Promise<ServerMessage> {
  const { cert, key } = makeCertificate();
  const settings = { keepAliveTimeout, noDelay: true };
  try {
    const httpPort = await listen(createHttpServer(settings, answer));
    const httpsPort = await listen(createHttpsServer({ ...settings, cert, key }, answer));
    return { kind: "ready", httpPort, httpsPort, cert };
  } catch (error) {
    return { kind: "failed", problem: error instanceof Error ? error.message : String(error) };
  }
}

// Ctrl-C reaches every process of the terminal's group: the one that started this one decides.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit());
// It may have gone while this file was being loaded.
if (!process.connected) process.exit();
process.send?.(await start());
