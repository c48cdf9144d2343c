// The command line of the benchmark, read with what the command line of keepline reads its own with. Each
// scenario has a table of its own, so that an option which it would not heed is refused.

import { UsageError } from "../dist/cli/errors.js";
import { flag, parseOptions, suggestion, wholeNumber } from "../dist/cli/options.js";
import { pairs } from "./table.mjs";

/** An option whose value is a whole number, `usual` where it is not given. */
export const whole = (least, most, usual, doc) => ({
  ...wholeNumber(least, most, `${doc} (${usual.toLocaleString("en-US")})`),
  usual,
});

/** `--only`: which of `clients` take part, `usual` where it is not given. */
export const someOf = (usual, clients = usual) => ({
  value: "CLIENTS",
  doc: `some of ${clients.join(",")}`,
  allowed: `some of ${clients.join(",")}, with commas between them`,
  parse: (text) => {
    const chosen = text.split(",");
    return chosen.every((each) => clients.includes(each)) ? [...new Set(chosen)] : null;
  },
  usual,
});

/** An option whose value is one of `words`. */
export const oneOf = (words, usual, doc) => ({
  value: words.join("|"),
  doc: `${doc} (${usual})`,
  allowed: words.join(" or "),
  parse: (text) => (words.includes(text) ? text : null),
  usual,
});

const common = {
  json: { ...flag("results as JSON"), usual: false },
  "write-docs": {
    ...flag("put the results into docs/performance.md, which keeps those of other scenarios"),
    usual: false,
  },
  draw: {
    ...flag("write docs/performance.md again from its numbers, without a run"),
    usual: false,
  },
  help: { ...flag("show this, after the name of a scenario only what is about it"), usual: false },
};

/** What the options of `table` are where they are not given. */
export const usualOf = (table) =>
  Object.fromEntries(Object.entries(table).map(([option, { usual }]) => [option, usual]));

/** The scenario that `args` name (null: all) and its settings, complete. Throws UsageError. */
export function readOptions(scenarios, args) {
  const known = Object.keys(scenarios);
  const named = args.find((each) => known.includes(each)) ?? null;
  const [first] = args;
  if (named === null && first !== undefined && !first.startsWith("-")) {
    throw new UsageError(`there is no scenario ${first}; ${suggestion(known, first)}`);
  }
  const table = { ...(named === null ? {} : scenarios[named].options), ...common };
  const rest = args.filter((each) => each !== named);
  for (const arg of rest) {
    const option = /^--([^=]+)/.exec(arg)?.[1];
    const isKnown = known.some((each) => Object.hasOwn(scenarios[each].options, option ?? ""));
    if (option === undefined || Object.hasOwn(table, option) || !isKnown) continue;
    const taken = Object.keys(table).map((each) => `--${each}`);
    throw new UsageError(
      `${named ?? "a run of all"} does not use --${option}; it takes ${taken.join(", ")}`,
    );
  }
  const given = parseOptions(table, rest);
  return { name: named, values: { ...usualOf(table), ...given } };
}

/** All scenarios, or one of them (`name` not null) with its options. */
export function help(scenarios, name) {
  const entries = Object.entries(scenarios);
  const shown = name === null ? entries : entries.filter(([each]) => each === name);
  return [
    "npm run bench [-- [SCENARIO] [OPTIONS]]: what keepline costs, beside its peers",
    "",
    "Scenarios",
    ...pairs(shown.map(([each, { summary }]) => [each, summary])),
    ...shown.flatMap(([each, { options }]) => [
      "",
      `Options of ${each}`,
      ...pairs(Object.entries(options).map(optionRow)),
    ]),
    "",
    "Options of all",
    ...pairs(Object.entries(common).map(optionRow)),
    "",
    "Examples",
    ...pairs([
      ["npm run bench", "all of them, about half an hour"],
      ...shown.flatMap(([, { examples }]) => examples),
    ]),
  ].join("\n");
}

const optionRow = ([name, { value, doc }]) => [
  value === null ? `--${name}` : `--${name} ${value}`,
  doc,
];
