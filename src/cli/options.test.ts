import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "./errors.ts";
import {
  duration,
  flag,
  many,
  type Operand,
  type Option,
  parseArguments,
  parseOptions,
  suggestion,
  wholeNumber,
} from "./options.ts";

const file: Option<string> = {
  value: "FILE",
  doc: "a file",
  allowed: "the name of a text file",
  parse: (text) => (text.endsWith(".txt") ? text : null),
};
const options = {
  requests: wholeNumber(1, 500, "how many"),
  file,
  json: flag("for programs"),
};

test("options are read by name, with a space or an equals sign, and the last one wins", () => {
  assert.deepEqual(parseOptions(options, []), {});
  assert.deepEqual(parseOptions(options, ["--requests", "7", "--json"]), {
    requests: 7,
    json: true,
  });
  assert.deepEqual(parseOptions(options, ["--requests=1", "--file=a=b.txt", "--requests=500"]), {
    requests: 500,
    file: "a=b.txt",
  });
});

test("an option for many collects what it is given", () => {
  const table = { file: many(file) };
  assert.deepEqual(parseOptions(table, ["--file", "a.txt", "--file=b.txt"]), {
    file: ["a.txt", "b.txt"],
  });
  assert.throws(() => parseOptions(table, ["--file", "a.txt", "--file=b"]), UsageError);
});

test("what is not allowed is refused in one line that names option, value and what is allowed", () => {
  const refusals: [args: string[], message: string][] = [
    [["--requests", "0"], '--requests must be a whole number from 1 to 500, not "0"'],
    [["--requests=501"], '--requests must be a whole number from 1 to 500, not "501"'],
    [["--requests", "-5"], '--requests must be a whole number from 1 to 500, not "-5"'],
    [["--requests", "1e2"], '--requests must be a whole number from 1 to 500, not "1e2"'],
    [["--requests="], '--requests must be a whole number from 1 to 500, not ""'],
    [["--requests"], "--requests needs a value: a whole number from 1 to 500"],
    [["--file", "--json"], '--file must be the name of a text file, not "--json"'],
    [["--json=yes"], '--json takes no value, but was given "yes"'],
    [["--reqests", "5"], "there is no option --reqests; did you mean --requests?"],
    [["-j"], "there is no option -j; known are --requests, --file, --json"],
    [["--toString"], "there is no option --toString; known are --requests, --file, --json"],
    [["--no-json"], "there is no option --no-json; known are --requests, --file, --json"],
    [["here"], 'there is no place for the argument "here"'],
    [["a.txt"], 'there is no place for the argument "a.txt"; did you mean --file a.txt?'],
    [["--", "--json"], 'there is no place for the argument "--json"'],
  ];
  for (const [args, message] of refusals) {
    assert.throws(() => parseOptions(options, args), new UsageError(message), args.join(" "));
  }
});

const place: Operand<number> = {
  value: "PLACE",
  allowed: "a number",
  parse: (text) => (/^\d+$/.test(text) ? Number(text) : null),
};
const more = {
  ...options,
  requests: { ...options.requests, short: "n" },
  tag: { ...file, merge: (before: string, next: string): string => `${before}+${next}` },
  max: duration("10ms", "2m", "how long"),
};

test("one argument that is no option is read wherever it stands, and a letter stands for a name", () => {
  for (const args of [
    ["7", "-n", "5", "--json"],
    ["-n5", "7", "--json"],
    ["--json", "--requests=5", "--", "7"],
  ]) {
    const given = { options: { requests: 5, json: true }, operand: 7 };
    assert.deepEqual(parseArguments(more, place, args), given, args.join(" "));
  }
});

test("an option that may be given again gets all its values", () => {
  const { options: given } = parseArguments(more, place, ["1", "--tag=a.txt", "--tag", "b.txt"]);
  assert.equal(given.tag, "a.txt+b.txt");
});

test("a time has a unit, and is in milliseconds", () => {
  const msecs = (text: string) => parseOptions(more, ["--max", text]).max;
  assert.deepEqual(["10ms", "1.5s", "2m", "90s"].map(msecs), [10, 1_500, 120_000, 90_000]);
  for (const text of ["90", "9ms", "121s", "1h", "-1s", "s", "1 s"]) {
    assert.throws(
      () => parseOptions(more, [`--max=${text}`]),
      new UsageError(
        `--max must be a time from 10ms to 2m, as in 500ms, 30s or 2m, not ${JSON.stringify(text)}`,
      ),
    );
  }
});

test("an argument that is missing, wrong or too many is refused in one line", () => {
  const refusals: [args: string[], message: string][] = [
    [["--json"], "needs PLACE: a number"],
    [["x"], 'PLACE must be a number, not "x"'],
    [["1", "2"], 'takes one PLACE, but was also given "2"'],
    [["1", "-n", "0"], '--requests must be a whole number from 1 to 500, not "0"'],
    [["1", "-n"], "--requests needs a value: a whole number from 1 to 500"],
    [["1", "-x"], "there is no option -x; known are --requests, --file, --json, --tag, --max"],
  ];
  for (const [args, message] of refusals) {
    assert.throws(() => parseArguments(more, place, args), new UsageError(message), args.join(" "));
  }
});

test("a misspelt word gets the nearest known one, any other word all of them", () => {
  assert.equal(suggestion(["simulate", "advise"], "simulat"), "did you mean simulate?");
  assert.equal(suggestion(["simulate", "advise"], "x"), "known are simulate, advise");
});
