// A burst over TLS at an origin that nobody has asked before, behind a link with a delay: how many sockets are opened
// for it, and how long its requests take. Handshakes take time of the processor, and compete for it with all else.

import { someOf, whole } from "../options.mjs";
import { startClient, startOrigin } from "../processes.mjs";
import { ratioOf, spreadOf, takeTurns } from "../rounds.mjs";
import { openSite } from "../site.mjs";
import { count, figure, range } from "../table.mjs";
import { target } from "../targets.mjs";

const clients = ["keepline", "keepline-eager", "undici-pool", "undici-agent", "node-http", "fetch"];
const overMsecs = 100;

export const title = "a cold burst over TLS";
export const summary = "sockets and latency of a burst over TLS that meets a cold pool";
export const options = {
  rounds: whole(1, 100, 7, "rounds, after one that warms up"),
  requests: whole(1, 10_000, 400, `requests in ${overMsecs} ms`),
  delay: whole(0, 1_000, 12, "delay of the link, each way, in ms"),
  service: whole(0, 10_000, 20, "until the origin answers, in ms"),
  only: someOf(clients, [...clients, "keepline-patient"]),
};
export const examples = [["npm run bench -- burst", "about a minute"]];

export async function measure({ rounds, requests, delay, service, only }) {
  const site = await openSite({ kind: "lean", isTls: true, delayMsecs: service });
  const link = await startOrigin(new URL("../link.mjs", import.meta.url), {
    target: site.url,
    delayMsecs: delay,
  });
  const turns = [];
  for (const key of only) {
    const child = await startClient(
      new URL("../runners/burst.mjs", import.meta.url),
      {
        file: new URL(`../clients/${key}.mjs`, import.meta.url).href,
        url: link.ready.url,
        sockets: 10_000,
      },
      site.env,
      ["--disable-warning=KEEPLINE_SATURATED"],
    );
    let accepted = 0;
    const ask = async () => {
      accepted = (await link.ask("accepted")).accepted;
      const answer = await child.ask({ count: requests, overMsecs });
      const opened = (await link.ask("accepted")).accepted - accepted;
      return { ...answer, opened };
    };
    turns.push({ key, name: child.ready.name, child, ask });
  }
  const answers = await takeTurns(rounds, turns);
  for (const { child } of turns) child.stop();
  link.stop();
  site.stop();
  const base = turns.findIndex((each) => each.key === "undici-agent");
  const toUndici = (index, key) =>
    base === -1 ? null : ratioOf(answers[index], answers[base], key).median;
  const keys = ["opened", "p50Msecs", "p99Msecs", "totalMsecs", "cpuMsecs"];
  const results = turns.map(({ key, name }, index) => ({
    key,
    name,
    ...Object.fromEntries(keys.map((each) => [each, spreadOf(answers[index], each)])),
    toUndici: Object.fromEntries(keys.map((each) => [each, toUndici(index, each)])),
  }));
  return { results };
}

export function report({ rounds, requests, delay, service }, { results }) {
  return [
    title,
    `${count(requests)} requests in ${overMsecs} ms, ${rounds} rounds, each with a new client; a link of ${delay} ms each way, the origin answers after ${service} ms; ms, and the ratio to undici request (medians of the rounds)`,
    {
      titles: ["client", "sockets", "p50", "min–max", "ratio", "p99", "total", "ratio", "CPU"],
      rows: results.map((each) => [
        each.name,
        count(each.opened.median),
        figure(each.p50Msecs.median, 0),
        range(each.p50Msecs, 0),
        figure(each.toUndici.p50Msecs, 2),
        figure(each.p99Msecs.median, 0),
        figure(each.totalMsecs.median, 0),
        figure(each.toUndici.totalMsecs, 2),
        figure(each.cpuMsecs.median, 0),
      ]),
    },
  ];
}

export const unit = "median time of a request, ms";

export const bars = ({ results }) =>
  results.map(({ key, name, p50Msecs: { median, min, max } }) => ({ key, name, median, min, max }));

export function targets({ results }) {
  const own = results.find((each) => each.key === "keepline");
  if (own === undefined) return [];
  return [
    ...target("cold burst over TLS, sockets", own.opened.median, 120),
    ...target("cold burst over TLS, total, to undici request", own.toUndici.totalMsecs, 0.7),
    ...target("cold burst over TLS, p50, to undici request", own.toUndici.p50Msecs, 0.5),
  ];
}
