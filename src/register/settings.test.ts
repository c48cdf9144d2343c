import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary.ts";
import { InvalidOptionError } from "../core/errors.ts";
import { readSettings } from "./settings.ts";

/** A folder with one config file, or none. */
function folder(t: TestContext, name?: string, text = ""): string {
  const made = temporaryFolder(t);
  if (name !== undefined) writeFileSync(path.join(made, name), text);
  return made;
}

test("without a file and variables nothing is set, so the defaults hold", (t) => {
  const settings = readSettings({ PATH: "/bin" }, folder(t));
  assert.deepEqual(settings, {
    options: {},
    file: null,
    variables: [],
    dashboard: null,
    record: null,
    doubts: [],
  });
});

test("every option that can be changed live has a variable: numbers, Infinity, switches and words", (t) => {
  const variables = {
    KEEPLINE_MAX_SOCKETS: "50",
    KEEPLINE_KEEP_ALIVE_MSECS: "1500.5",
    KEEPLINE_QUEUE_TIMEOUT_MSECS: "Infinity",
    KEEPLINE_KEEP_ALIVE: "false",
    KEEPLINE_SCHEDULING: "fifo",
    KEEPLINE_RESEND: "never",
  };
  const { options, variables: used } = readSettings(variables, folder(t));
  assert.deepEqual(options, {
    maxSockets: 50,
    keepAliveMsecs: 1500.5,
    queueTimeoutMsecs: Number.POSITIVE_INFINITY,
    keepAlive: false,
    scheduling: "fifo",
    resend: "never",
  });
  assert.equal(used.length, 6);
});

test("a variable whose value is not allowed is refused by its name, with what is allowed", (t) => {
  for (const [name, value] of [
    ["KEEPLINE_MAX_SOCKETS", "many"],
    ["KEEPLINE_MAX_SOCKETS", "0"],
    ["KEEPLINE_MAX_SOCKETS", " "],
    ["KEEPLINE_KEEP_ALIVE", "maybe"],
    ["KEEPLINE_SCHEDULING", "random"],
  ] as const) {
    assert.throws(
      () => readSettings({ [name]: value }, folder(t)),
      (error) => error instanceof InvalidOptionError && error.message.includes(`${name} must be`),
      `${name}=${value}`,
    );
  }
});

test("KEEPLINE_DASHBOARD names where a dashboard listens: a port alone means this machine", (t) => {
  const where = folder(t);
  const placeOf = (text: string) => readSettings({ KEEPLINE_DASHBOARD: text }, where).dashboard;
  assert.deepEqual(placeOf("127.0.0.1:4700"), { host: "127.0.0.1", port: 4_700 });
  assert.deepEqual(placeOf("4700"), { host: "127.0.0.1", port: 4_700 });
  assert.deepEqual(placeOf("[::1]:0"), { host: "::1", port: 0 });
  assert.deepEqual(placeOf("0.0.0.0:80"), { host: "0.0.0.0", port: 80 });
  assert.equal(placeOf(""), null);
  for (const text of [
    "yes",
    "127.0.0.1",
    "127.0.0.1:70000",
    ":",
    "::1:80",
    "http://127.0.0.1:80",
  ]) {
    assert.throws(() => placeOf(text), /KEEPLINE_DASHBOARD must be an address and a port/, text);
  }
});

test("KEEPLINE_RECORD names a file, in the working directory unless it says otherwise", (t) => {
  const where = folder(t);
  const fileOf = (text: string) => readSettings({ KEEPLINE_RECORD: text }, where).record;
  assert.equal(fileOf("trace-%p.jsonl"), path.join(where, "trace-%p.jsonl"));
  assert.equal(fileOf("/tmp/trace.jsonl"), path.resolve("/tmp/trace.jsonl"));
  assert.equal(fileOf(""), null);
});

test("a variable of another name is a doubt, with the name that may be meant", (t) => {
  const { doubts } = readSettings(
    { KEEPLINE_MAX_SOCKET: "5", KEEPLINE_COLOUR: "1", OTHER: "1" },
    folder(t),
  );
  assert.deepEqual(doubts, [
    "KEEPLINE_MAX_SOCKET is no variable of keepline/register: did you mean KEEPLINE_MAX_SOCKETS?",
    "KEEPLINE_COLOUR is no variable of keepline/register",
  ]);
});

test("a config file in the working directory is read, whichever kind it is", (t) => {
  const files = {
    "keepline.config.json": '{"maxSockets": 7, "maxTotalSockets": "Infinity"}',
    "keepline.config.cjs": "module.exports = { maxSockets: 7, maxTotalSockets: Infinity };",
    "keepline.config.mjs": "export default { maxSockets: 7, maxTotalSockets: Infinity };",
    "keepline.config.js": "module.exports = { maxSockets: 7, maxTotalSockets: Infinity };",
  };
  for (const [name, text] of Object.entries(files)) {
    const where = folder(t, name, text);
    const { options, file } = readSettings({}, where);
    assert.deepEqual(
      { ...options },
      { maxSockets: 7, maxTotalSockets: Number.POSITIVE_INFINITY },
      name,
    );
    assert.equal(file, path.join(where, name));
  }
});

test("KEEPLINE_CONFIG names another file, and variables win over a file", (t) => {
  const where = folder(t, "pools.json", '{"maxSockets": 7, "maxFreeSockets": 2}');
  const variables = { KEEPLINE_CONFIG: "pools.json", KEEPLINE_MAX_SOCKETS: "9" };
  assert.deepEqual(readSettings(variables, where).options, { maxSockets: 9, maxFreeSockets: 2 });
});

test("a config file that is missing, broken or no object is refused by its path", (t) => {
  const cases = [
    ["absent.json", undefined],
    ["broken.json", "{"],
    ["list.json", "[]"],
    ["throws.cjs", "throw new Error('no')"],
  ] as const;
  for (const [name, text] of cases) {
    const where = text === undefined ? folder(t) : folder(t, name, text);
    assert.throws(
      () => readSettings({ KEEPLINE_CONFIG: name }, where),
      (error) => error instanceof InvalidOptionError && error.message.includes(name),
      name,
    );
  }
});
