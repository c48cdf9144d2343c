// What the scenarios have in common that let clients make small requests over reused sockets: each client in a process
// of its own, in turn, to one origin. Rounds are as long as it takes to be under steady load again: a process that has just been idle has
// a small heap and cold caches, and its first thousands of requests take about a third as much again.

import { oneOf, someOf, whole } from "./options.mjs";
import { startClient } from "./processes.mjs";
import { ratioOf, spreadOf, takeTurns } from "./rounds.mjs";
import { kinds, openSite, usualKind } from "./site.mjs";
import { count, figure, range } from "./table.mjs";

/** The options of such a scenario, with its own usual values and clients. */
export const loadOptions = ({ rounds = 9, requests = 20_000, sockets = 50, clients }) => ({
  rounds: whole(1, 100, rounds, "rounds, after one that warms up"),
  requests: whole(1, 1_000_000, requests, "requests of each client in a round"),
  sockets: whole(1, 2_000, sockets, "sockets of each client, all in use"),
  origin: oneOf(kinds, usualKind(), "who answers: nginx where there is one, or a lean server"),
  only: someOf(clients),
});

/** Lets the clients make requests of `work`. Returns what they cost, and the ratios to each other by round. */
export async function measureLoad(
  { rounds, requests, sockets, origin, only },
  { work = "get", isTls = false, isTimed = false } = {},
) {
  const site = await openSite({ kind: origin, isTls });
  const runners = [];
  for (const key of only) {
    const file = new URL(`clients/${key}.mjs`, import.meta.url).href;
    const child = await startClient(
      new URL("runners/get.mjs", import.meta.url),
      { file, url: site.url, sockets, work },
      site.env,
    );
    runners.push({
      key,
      name: child.ready.name,
      child,
      ask: (round) => child.ask({ requests, isTimed, isWarmUp: round === 0 }),
    });
  }
  const answers = await takeTurns(rounds, runners);
  for (const { child } of runners) child.stop();
  site.stop();
  const ratios = (index, key) =>
    Object.fromEntries(
      runners.map((other, at) => [other.key, ratioOf(answers[index], answers[at], key).median]),
    );
  const results = runners.map(({ key, name }, index) => ({
    key,
    name,
    cpuMicros: spreadOf(answers[index], "cpuMicros"),
    wallMicros: spreadOf(answers[index], "wallMicros"),
    ...(isTimed
      ? {
          p50Micros: spreadOf(answers[index], "p50Micros"),
          p99Micros: spreadOf(answers[index], "p99Micros"),
          latencyRatios: ratios(index, "p50Micros"),
        }
      : {}),
    opened: answers[index].at(-1).opened,
    ratios: ratios(index, "cpuMicros"),
  }));
  return { results };
}

/** A row for each client: what it costs, and what keepline costs beside it. */
export function loadTable({ results }) {
  const own = results.find((each) => each.key === "keepline");
  return {
    titles: ["client", "CPU, µs", "min–max", "keepline takes"],
    rows: results.map(({ key, name, cpuMicros }) => [
      name,
      figure(cpuMicros.median),
      range(cpuMicros),
      own === undefined || key === "keepline" ? "" : `${figure(own.ratios[key], 2)} ×`,
    ]),
  };
}

/** What a table of `loadTable` shows. */
export const loadNote = ({ rounds, requests, sockets, origin }) =>
  `${count(sockets)} ${sockets === 1 ? "socket" : "sockets"}, ${rounds} rounds of ${count(requests)}, origin: ${origin}; CPU time of the client's process per request`;

/**
 * A scenario of small requests. `work` and `isTls` say which, `targets(found)` what keepline holds itself to there.
 */
export function loadScenario({ title, summary, example, usual, work, isTls, targets }) {
  return {
    title,
    summary,
    options: loadOptions(usual),
    examples: [example],
    measure: (settings) => measureLoad(settings, { work, isTls }),
    report: (settings, found) => [title, loadNote(settings), loadTable(found)],
    bars: ({ results }) => barsOf(results),
    targets: targets ?? (() => []),
  };
}

/** A chart's bars: what each client costs. */
export const barsOf = (results) =>
  results.map(({ key, name, cpuMicros: { median, min, max } }) => ({
    key,
    name,
    median,
    min,
    max,
  }));

/** `keepline` against `key`, as a target holds it; null where either was not measured. */
export const ratioTo = ({ results }, key, of = "ratios", own = "keepline") =>
  results.find((each) => each.key === own)?.[of]?.[key] ?? null;
