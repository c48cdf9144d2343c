/**
 * Starts the demo's servers, watches them, and ends them.
 * Invariant: whatever happens here, their process ends; and its own end is never mistaken for a fault
 * of the client under measurement.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { Failure } from "../errors.ts";
import type { ServerMessage } from "./server-process.ts";

/** Long enough for a machine that is busy with other things. */
const startMsecs = 10_000;
const endMsecs = 1_000;
const keptBytes = 2_000;

/** Servers that run. */
export interface DemoServers {
  readonly httpPort: number;
  readonly httpsPort: number;
  /** The certificate to trust, PEM. */
  readonly cert: string;
  /** Aborts, with a `Failure`, when the servers end by themselves. */
  readonly signal: AbortSignal;
  /** Resolves when they have ended. */
  stop(): Promise<void>;
}

/**
 * Starts the servers.
 *
 * @param script Another program in their place, for tests.
 * Rejects with a `Failure` that says why they did not start, or with the reason of `signal`.
 */
export async function startServers(
  signal: AbortSignal,
  script: URL = new URL(`./server-process${extname(import.meta.url)}`, import.meta.url),
): Promise<DemoServers> {
  signal.throwIfAborted();
  // stdin and stdout are not theirs: stdout may be a pipe that somebody waits to see closed.
  const child = fork(fileURLToPath(script), { stdio: ["ignore", "ignore", "pipe", "ipc"] });
  const failed = new AbortController();
  const errors = lastOutput(child);
  child.on("error", (error) => {
    failed.abort(new Failure(`the demo's servers could not be started: ${error.message}`));
  });
  // "close" and not "exit": all of stderr has been read then.
  child.on("close", (code, name) => {
    const how = name === null ? `exit code ${code}` : name;
    failed.abort(new Failure(`the demo's servers ended unexpectedly (${how})${errors()}`));
  });
  const stop = () => end(child);
  try {
    const ended = AbortSignal.any([signal, failed.signal, AbortSignal.timeout(startMsecs)]);
    const message = await firstMessage(child, ended);
    if (message.kind === "failed") {
      throw new Failure(`the demo's servers could not be started: ${message.problem}`);
    }
    const { httpPort, httpsPort, cert } = message;
    return { httpPort, httpsPort, cert, signal: failed.signal, stop };
  } catch (error) {
    await stop();
    signal.throwIfAborted();
    if (failed.signal.aborted) throw failed.signal.reason;
    if (error instanceof Failure) throw error;
    throw new Failure(`the demo's servers did not start within ${startMsecs / 1_000} s`);
  }
}

async function firstMessage(child: ChildProcess, signal: AbortSignal): Promise<ServerMessage> {
  const [message] = await once(child, "message", { signal });
  return message as ServerMessage;
}

/** Closing the channel asks them to end; those that do not hear it are killed. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  // Not "close": Node emits none after `disconnect`.
  const exit = once(child, "exit");
  if (child.connected) child.disconnect();
  const timer = setTimeout(() => child.kill("SIGKILL"), endMsecs);
  await exit;
  clearTimeout(timer);
}

/** Reads what the child writes to stderr; returns how to get the end of it, on one line. */
function lastOutput(child: ChildProcess): () => string {
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (piece: string) => {
    text = (text + piece).slice(-keptBytes);
  });
  return () => {
    const lines = text.split("\n").map((line) => line.trim());
    // Of an uncaught error Node prints the source, then `Error: message`, then the stack.
    const best =
      lines.find((line) => /^\w*Error\b.*:/.test(line)) ?? lines.findLast((line) => line !== "");
    return best === undefined ? "" : `: ${best}`;
  };
}
