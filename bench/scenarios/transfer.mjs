// What a large body costs, down and up, by each way in which a client gives or takes it.

import { someOf, whole } from "../options.mjs";
import { startClient, startOrigin } from "../processes.mjs";
import { ratioOf, spreadOf, takeTurns } from "../rounds.mjs";
import { block, figure, range } from "../table.mjs";
import { target } from "../targets.mjs";

const clients = ["raw", "keepline", "undici", "node-http", "fetch"];
/** What the ratios are to: the way of undici that users take first. */
const baseline = { download: "undici: for await", upload: "undici: Readable" };

export const title = "large bodies";
export const summary =
  "CPU time of a large download and upload, by each way to read and to send one";
export const options = {
  rounds: whole(1, 100, 9, "rounds, after one that warms up"),
  megabytes: whole(1, 10_000, 250, "size of a body in each round"),
  only: someOf(clients),
};
export const examples = [
  ["npm run bench -- transfer", "about two minutes"],
  ["npm run bench -- transfer --megabytes 1000 --rounds 3", "a gigabyte at a time"],
];

export async function measure({ rounds, megabytes, only }) {
  const origin = await startOrigin(new URL("../bulk.mjs", import.meta.url), {});
  const url = `http://127.0.0.1:${origin.ready.port}/`;
  const turns = [];
  for (const key of only) {
    const file = new URL(`../transfers/${key}.mjs`, import.meta.url).href;
    const { name: client, ways } = await import(file);
    for (const direction of ["download", "upload"]) {
      for (const way of ways[direction]) {
        const runner = new URL("../runners/transfer.mjs", import.meta.url);
        const child = await startClient(runner, { file, url, way });
        const name = `${client}: ${way}`;
        turns.push({ direction, name, child, ask: () => child.ask({ bytes: megabytes * 1e6 }) });
      }
    }
  }
  const answers = await takeTurns(rounds, turns);
  for (const { child } of turns) child.stop();
  origin.stop();
  const results = turns.map(({ direction, name }, index) => {
    const base = turns.findIndex(
      (each) => each.direction === direction && each.name === baseline[direction],
    );
    return {
      direction,
      name,
      cpuSeconds: spreadOf(answers[index], "cpuSeconds"),
      wallSeconds: spreadOf(answers[index], "wallSeconds"),
      grownBytes: spreadOf(answers[index], "grownBytes"),
      ratio: base === -1 ? null : ratioOf(answers[index], answers[base], "cpuSeconds"),
    };
  });
  return { results };
}

export function report({ rounds, megabytes }, { results }) {
  return [
    `bodies of ${megabytes} MB`,
    `Bodies of ${megabytes} MB, ${rounds} rounds`,
    "CPU time of the client's process per gigabyte, s, and its ratio (median of the rounds)",
    ...["download", "upload"].flatMap((direction) => [
      block(
        [direction, "CPU s", "min–max", `to ${baseline[direction]}`, "memory grown, MB"],
        results
          .filter((each) => each.direction === direction)
          .map((each) => [
            each.name,
            figure(each.cpuSeconds.median, 2),
            range(each.cpuSeconds, 2),
            figure(each.ratio?.median, 2),
            figure(each.grownBytes.max / 1e6, 0),
          ]),
      ),
    ]),
  ];
}

export const unit = "CPU time a gigabyte, s";

export const bars = ({ results }) =>
  results.map(({ direction, name, cpuSeconds: { median, min, max } }) => ({
    key: name.split(" ")[0].replace(":", ""),
    name: `${name}, ${direction}`,
    median,
    min,
    max,
  }));

export function targets({ results }) {
  const ratio = (direction, name) =>
    results.find((each) => each.direction === direction && each.name === name)?.ratio?.median ??
    null;
  const upload = results.find(
    (each) => each.direction === "upload" && each.name === "keepline: iterable",
  );
  return [
    ...target(
      "download, borrowed chunks, to undici for await",
      ratio("download", "keepline: forEachChunk"),
      0.4,
    ),
    ...target(
      "download, for await, to the same with undici",
      ratio("download", "keepline: for await"),
      0.95,
    ),
    ...target(
      "upload, async iterable, to undici Readable",
      ratio("upload", "keepline: iterable"),
      0.9,
    ),
    ...target(
      "upload, memory grown, MB",
      upload === undefined ? null : upload.grownBytes.max / 1e6,
      32,
    ),
  ];
}
