// What an idle socket takes of memory, over HTTP and over TLS.

import { someOf, whole } from "../options.mjs";
import { say, startClient } from "../processes.mjs";
import { ratioOf, spreadOf } from "../rounds.mjs";
import { openSite } from "../site.mjs";
import { count, figure, range } from "../table.mjs";
import { target } from "../targets.mjs";

const clients = ["raw", "keepline", "undici-agent", "node-http"];

export const title = "idle sockets";
export const summary = "memory of 3,000 idle sockets, over HTTP and over TLS";
export const options = {
  rounds: whole(1, 100, 1, "rounds, each with new processes"),
  sockets: whole(200, 10_000, 3_000, "sockets of each client"),
  only: someOf(clients),
};
export const examples = [["npm run bench -- idle", "about a minute"]];

export async function measure({ rounds, sockets, only }) {
  const turns = ["HTTP", "HTTPS"].flatMap((kind) =>
    only.map((key) => ({ kind, key, answers: [] })),
  );
  for (let round = 1; round <= rounds; round++) {
    for (const turn of turns) {
      say(`round ${round}/${rounds}: ${turn.key}, ${turn.kind}`);
      turn.answers.push(await once(turn, sockets));
    }
  }
  return {
    results: turns.map(({ kind, key, answers }) => {
      const { answers: base } =
        turns.find((each) => each.kind === kind && each.key === "undici-agent") ?? {};
      const toUndici = (of) => base && ratioOf(answers, base, of).median;
      return {
        kind,
        key,
        name: answers[0].name,
        rss: spreadOf(answers, "rss"),
        heap: spreadOf(answers, "heap"),
        external: spreadOf(answers, "external"),
        toUndici: { rss: toUndici("rss"), heap: toUndici("heap") },
      };
    }),
  };
}

/** A young generation that cannot grow: how far it grew while sockets were opened is no matter of sockets. */
const nodeOptions = [
  "--expose-gc",
  "--max-semi-space-size=1",
  "--disable-warning=KEEPLINE_SATURATED",
];

async function once({ kind, key }, sockets) {
  const site = await openSite({ kind: "lean", isTls: kind === "HTTPS" });
  const child = await startClient(
    new URL("../runners/idle.mjs", import.meta.url),
    { file: new URL(`../clients/${key}.mjs`, import.meta.url).href, url: site.url, sockets },
    site.env,
    nodeOptions,
  );
  const { name, few } = child.ready;
  await site.ask({ holdUntil: few });
  await child.ask({ isFirst: true });
  await site.ask({ holdUntil: sockets });
  const answer = await child.ask({ isFirst: false });
  child.stop();
  site.stop();
  return { name, ...answer };
}

const kib = (bytes) => figure(bytes / 1_024);

export function report({ rounds, sockets }, { results }) {
  return [
    title,
    `${count(sockets)} sockets to one origin, ${rounds === 1 ? "one round" : `${rounds} rounds`}; KiB a socket: resident memory of the process, heap, and buffers outside of it`,
    {
      titles: ["client", "resident", "min–max", "to undici", "heap", "to undici", "outside heap"],
      rows: results.map((each) => [
        `${each.name}, ${each.kind}`,
        kib(each.rss.median),
        range({ min: each.rss.min / 1_024, max: each.rss.max / 1_024 }),
        figure(each.toUndici.rss, 2),
        kib(each.heap.median),
        figure(each.toUndici.heap, 2),
        kib(each.external.median),
      ]),
    },
  ];
}

export const unit = "resident memory a socket, KiB";

export const bars = ({ results }) =>
  results.map(({ kind, key, name, rss }) => ({
    key,
    name: `${name}, ${kind}`,
    median: rss.median / 1_024,
    min: rss.min / 1_024,
    max: rss.max / 1_024,
  }));

export function targets({ results }) {
  return ["HTTP", "HTTPS"].flatMap((kind) => {
    const own = results.find((each) => each.kind === kind && each.key === "keepline");
    const to = (of) => own?.toUndici[of] ?? null;
    return [
      ...target(`idle socket over ${kind}, resident, to undici request`, to("rss"), 0.4),
      ...target(`idle socket over ${kind}, heap, to undici request`, to("heap"), 0.45),
    ];
  });
}
