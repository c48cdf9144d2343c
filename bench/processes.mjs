// Processes that a benchmark starts. Each takes its settings as one JSON argument, says once that it is
// ready, answers one question at a time, and ends when its parent does.

import { fork } from "node:child_process";
import { clientProcessors, originProcessors } from "./processors.mjs";

/** Starts a process of a client, away from origins: see `start`. */
export const startClient = (file, settings, env, execArgv) =>
  start(file, settings, env, execArgv, clientProcessors);

/** Starts a process that serves clients, away from them: see `start`. */
export const startOrigin = (file, settings) => start(file, settings, {}, [], originProcessors);

/**
 * Starts `file` with `settings`, `env` added to the environment and `execArgv` for Node.js itself, on `processors` if these are given, and
 * waits until it is ready.
 * Returns its `pid`, what it said then, `ask(question)` for its answers, and `stop()`.
 */
export async function start(file, settings, env = {}, execArgv = [], processors = null) {
  const node = [...process.execArgv, ...execArgv];
  const program =
    processors === null
      ? { execArgv: node }
      : { execPath: "taskset", execArgv: ["-c", processors, process.execPath, ...node] };
  const child = fork(file, [JSON.stringify(settings)], {
    env: { ...process.env, ...env },
    ...program,
  });
  let waiting = null;
  let ended = null;
  const next = () =>
    new Promise((resolve, reject) => {
      if (ended !== null) reject(ended);
      waiting = { resolve, reject };
    });
  child.on("message", (message) => waiting.resolve(message));
  child.on("exit", (code, signal) => {
    ended = new Error(`a benchmark process ended with ${signal ?? `code ${code}`}`);
    waiting.reject(ended);
  });
  const ready = await next();
  return {
    ready,
    pid: child.pid,
    ask: (question) => {
      const answer = next();
      child.send(question);
      return answer;
    },
    stop: () => child.connected && child.disconnect(),
  };
}

/** In a started process: the settings that it was given. */
export const settings = () => JSON.parse(process.argv[2]);

/** In a started process: says `ready`, answers each question with what `reply` makes of it, and ends. */
export function serve({ ready, reply, stop }) {
  process.on("message", async (question) => process.send(await reply(question)));
  process.on("disconnect", () => {
    stop?.();
    process.exit();
  });
  process.send(ready);
}

/** Shows `text` in place of what it showed before, where somebody looks. */
export const say = (text) => process.stderr.isTTY && process.stderr.write(`\r\x1b[K${text}`);
