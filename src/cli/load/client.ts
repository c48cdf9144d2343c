/**
 * What sends a load: keepline's own client, and the shape that every other has to take.
 */
import { Client, worldOf } from "../../client/client.ts";
import type { RequestOptions } from "../../client/request.ts";
import type { Msecs } from "../../core/clock.ts";
import { version } from "../../version.ts";
import { Latencies } from "./latencies.ts";
import type { LoadPlan } from "./plan.ts";

/** A response that was read to its end. */
export interface Answer {
  readonly statusCode: number;
  readonly bodyBytes: number;
  /** Waiting for a socket, the dial not included; null where the client does not tell. */
  readonly queuedMsecs: Msecs | null;
}

/** Sockets of a client. */
export interface SocketCounts {
  /** So far. */
  readonly opened: number;
  /** That there are now, with those that are being opened. */
  readonly open: number;
}

/** What a client has done with connections so far. Null where it does not tell. */
export interface ConnectionCounts {
  readonly opened: number;
  readonly mostOpen: number;
  readonly closed: Readonly<Record<string, number>> | null;
  readonly resent: number | null;
  /** DNS, TCP and TLS together, of each. */
  readonly dials: Latencies;
}

/** Sends requests as `LoadPlan` says. */
export interface LoadClient {
  readonly name: string;
  readonly version: string;
  /** Rejects when there is no response, or not all of it. */
  send(url: string): Promise<Answer>;
  counts(): ConnectionCounts;
  /** Of `counts` what may be asked for many times a second. */
  sockets(): SocketCounts;
  /** Everything ends now. */
  end(): void;
}

/** keepline's own client, with the options of `plan`. `made` is given it before it sends anything. */
export function keeplineClient(
  plan: LoadPlan,
  made: (client: Client) => void = () => {},
): LoadClient {
  const client = new Client({
    requestTimeoutMsecs: plan.timeoutMsecs,
    // The report says how requests wait.
    saturationMsecs: Number.POSITIVE_INFINITY,
    ...plan.options,
    connect: { tls: plan.tls },
  });
  made(client);
  const { pools } = worldOf(client, "keepline load");
  const options: RequestOptions = {
    method: plan.method,
    headers: plan.headers,
    ...(plan.body === null ? {} : { body: plan.body }),
  };
  const dials = new Latencies();
  return {
    name: "keepline",
    version,
    send: async (url) => {
      const response = await client.request(url, options);
      const { dns, connect, tls, queued } = response.timings;
      if (connect !== null) dials.record((dns ?? 0) + connect + (tls ?? 0));
      let bodyBytes = 0;
      await response.body.forEachChunk((bytes) => {
        bodyBytes += bytes.length;
      });
      return { statusCode: response.statusCode, bodyBytes, queuedMsecs: queued };
    },
    counts: () => {
      const { services } = client.stats();
      const closed: Record<string, number> = {};
      for (const { totals } of services) {
        for (const [reason, count] of Object.entries(totals.closed)) {
          if (count > 0) closed[reason] = (closed[reason] ?? 0) + count;
        }
      }
      return {
        opened: services.reduce((sum, each) => sum + each.totals.opened, 0),
        mostOpen: services.reduce((sum, each) => sum + each.highWater.open, 0),
        closed,
        resent: services.reduce((sum, each) => sum + each.totals.resent, 0),
        dials,
      };
    },
    sockets: () => {
      let opened = 0;
      for (const { past } of pools.services) opened += past.opened;
      for (const { tally } of pools.all) opened += tally.opened;
      return { opened, open: pools.budget.open };
    },
    end: () => client.destroy(),
  };
}
