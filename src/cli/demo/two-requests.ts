/**
 * Experiment 1: what the second request to an origin does not have to do.
 */
import type { Client } from "../../client/client.ts";
import { type RetireReason, retireReasons } from "../../core/retire.ts";
import { finish, type Setting, send, statsOf, type Target, withClient } from "./load.ts";
import type { OneRequest, TwoRequests } from "./report.ts";
import type { Answer } from "./server-process.ts";

/** Sends two requests, one after the other. */
export function measureTwoRequests(target: Target, setting: Setting): Promise<TwoRequests> {
  return withClient(target, {}, setting, async (client) => {
    const [first, firstId] = await sendOne(client, target);
    const [second, secondId] = await sendOne(client, target);
    return {
      protocol: target.protocol,
      requests: [first, second],
      sameSocket: firstId === secondId,
      portsSeenBy: target.server === "own" ? "server" : "client",
      closedBecause: firstId === secondId ? null : closingReason(client),
    };
  });
}

async function sendOne(client: Client, target: Target): Promise<[OneRequest, number]> {
  const response = await send(client, target.url);
  const { connection } = response;
  let clientPort = connection.localPort ?? null;
  if (target.server === "own") clientPort = ((await response.body.json()) as Answer).clientPort;
  else await finish(response, target.url);
  const { dns, connect, tls, firstByte, total } = response.timings;
  const request = {
    statusCode: response.statusCode,
    clientPort,
    dnsMsecs: dns,
    connectMsecs: connect,
    tlsMsecs: tls,
    firstByteMsecs: firstByte,
    totalMsecs: total as number,
  };
  return [request, connection.id];
}

function closingReason(client: Client): RetireReason | null {
  const { closed } = statsOf(client);
  const reasons = Object.keys(retireReasons) as RetireReason[];
  return reasons.find((reason) => closed[reason] > 0) ?? null;
}
