/**
 * Runs the experiments in their order, and hands each result on as soon as it is there.
 */
import { lookup } from "node:dns/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { version } from "../../version.ts";
import { measureBursts } from "./bursts.ts";
import { sendLive } from "./live.ts";
import { type Setting, sendAll, type Target, withClient } from "./load.ts";
import { measureManyRequests, type Plan } from "./many-requests.ts";
import { measureQueue } from "./queue.ts";
import {
  type Bursts,
  type DemoReport,
  demoFormatVersion,
  type ManyRequests,
  type Queue,
  type TwoRequests,
} from "./report.ts";
import { type DemoServers, startServers } from "./servers.ts";
import { measureTwoRequests } from "./two-requests.ts";

/** Told of each result as it comes. */
export interface Listener {
  twoRequests(results: readonly TwoRequests[]): void;
  manyRequests(result: ManyRequests): void;
  queue(result: Queue): void;
  bursts(result: Bursts): void;
}

/** Requests that are not measured: until its code is compiled, any client looks slow. */
const warmUp = {
  own: { keptRequests: 4_000, freshRequests: 100, concurrency: 20 },
  /** Shorter: what a network adds is larger than what is left to gain. */
  foreign: { keptRequests: 1_000, freshRequests: 50, concurrency: 20 },
};

/** All experiments, against servers of the demo's own. */
export async function runOwnDemo(
  plan: Plan,
  setting: Setting,
  listener: Listener,
): Promise<DemoReport> {
  const started = begin();
  return withServers(setting, async (servers, own) => {
    const [http, https] = targetsOf(servers);
    const host = await localhost();
    const byName = [http, https].map((target) => ({
      ...target,
      url: target.url.replace("127.0.0.1", host),
    }));
    await warm(byName, warmUp.own, own);

    const twoRequests: TwoRequests[] = [];
    for (const target of byName) twoRequests.push(await measureTwoRequests(target, own));
    listener.twoRequests(twoRequests);
    const manyRequests = await measureManyRequests([http, https], plan, own);
    listener.manyRequests(manyRequests);
    const queue = await measureQueue(http, own);
    listener.queue(queue);
    const bursts = await measureBursts(http, own);
    listener.bursts(bursts);
    return report(started, { url: null, twoRequests, manyRequests, queue, bursts });
  });
}

/** Traffic against servers of the demo's own, until the signal aborts: for whoever looks at the dashboard. */
export async function runLive(setting: Setting): Promise<never> {
  return await withServers(setting, async (servers, own) => sendLive(...targetsOf(servers), own));
}

/** The first two experiments, against `target`. */
export async function runForeignDemo(
  target: Target,
  plan: Plan,
  setting: Setting,
  listener: Listener,
): Promise<DemoReport> {
  const started = begin();
  // At servers of its own, since it is this side that is cold: the foreign one gets what was announced.
  await withServers(setting, async (servers, own) => {
    await warm(
      targetsOf(servers).filter(({ protocol }) => protocol === target.protocol),
      warmUp.foreign,
      own,
    );
  });
  try {
    const twoRequests = [await measureTwoRequests(target, setting)];
    listener.twoRequests(twoRequests);
    const manyRequests = await measureManyRequests([target], plan, setting);
    listener.manyRequests(manyRequests);
    const { url } = target;
    return report(started, { url, twoRequests, manyRequests, queue: null, bursts: null });
  } catch (error) {
    throw setting.signal.aborted ? setting.signal.reason : error;
  }
}

/** Gives `use` servers and a signal that also aborts when they end by themselves. */
async function withServers<T>(
  setting: Setting,
  use: (servers: DemoServers, own: Setting) => Promise<T>,
): Promise<T> {
  const servers = await startServers(setting.signal);
  const signal = AbortSignal.any([setting.signal, servers.signal]);
  try {
    return await use(servers, { ...setting, signal });
  } catch (error) {
    // A request may fail before the news arrives that the servers have ended.
    if (!signal.aborted) await sleep(100, undefined, { signal }).catch(() => {});
    throw signal.aborted ? signal.reason : error;
  } finally {
    await servers.stop();
  }
}

function targetsOf(servers: DemoServers): [Target, Target] {
  const { httpPort, httpsPort, cert } = servers;
  const connect = { family: 4, tls: { ca: cert } } as const;
  const server = "own";
  return [
    { protocol: "http", url: `http://127.0.0.1:${httpPort}/`, connect, server },
    { protocol: "https", url: `https://127.0.0.1:${httpsPort}/`, connect, server },
  ];
}

async function warm(
  targets: readonly Target[],
  plan: (typeof warmUp)["own"],
  setting: Setting,
): Promise<void> {
  const { keptRequests, freshRequests, concurrency } = plan;
  const each = keptRequests + freshRequests;
  let before = 0;
  for (const target of targets) {
    for (const keepAlive of [true, false]) {
      const requests = keepAlive ? keptRequests : freshRequests;
      await withClient(target, { keepAlive }, setting, async (client) => {
        await sendAll(client, target, target.url, { requests, concurrency }, (count) =>
          setting.progress("warming up", (before + count) / (each * targets.length)),
        );
      });
      before += requests;
    }
  }
}

/** A name, so that there is something to look up; the address where that name means something else. */
async function localhost(): Promise<string> {
  try {
    const { address } = await lookup("localhost", { family: 4 });
    return address === "127.0.0.1" ? "localhost" : "127.0.0.1";
  } catch {
    return "127.0.0.1";
  }
}

interface Started {
  readonly startedAt: string;
  readonly clockMsecs: number;
}

function begin(): Started {
  return { startedAt: new Date().toISOString(), clockMsecs: performance.now() };
}

function report(
  { startedAt, clockMsecs }: Started,
  results: Pick<DemoReport, "url" | "twoRequests" | "manyRequests" | "queue" | "bursts">,
): DemoReport {
  return {
    format: "keepline-demo",
    formatVersion: demoFormatVersion,
    keepline: version,
    node: process.versions.node,
    startedAt,
    tookMsecs: performance.now() - clockMsecs,
    ...results,
  };
}
