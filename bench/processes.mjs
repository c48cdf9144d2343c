// Processes that a benchmark starts. Each takes its settings as one JSON argument, says once that it is
// ready, answers one question at a time, and ends when its parent does.

import { fork } from "node:child_process";

/**
 * Starts `file` with `settings`, `env` added to the environment and `execArgv` for Node.js itself, and waits
 * until it is ready.
 * Returns its `pid`, what it said then, `ask(question)` for its answers, and `stop()`.
 */
export async function start(file, settings, env = {}, execArgv = []) {
  const child = fork(file, [JSON.stringify(settings)], {
    env: { ...process.env, ...env },
    execArgv: [...process.execArgv, ...execArgv],
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
