#!/usr/bin/env node
import { version } from "../version.ts";
/**
 * The command line: finds the command, runs it, and turns its end into an exit code.
 * Invariant: a command hears of a signal once and ends by itself, so that what it has started ends, too.
 */
import { allCommands, findCommand } from "./commands.ts";
import { Failure, Interrupted, OutputClosed, UsageError, verdict } from "./errors.ts";
import { helpOf, overview } from "./help.ts";
import { suggestion } from "./options.ts";
import { Terminal } from "./terminal.ts";

/** A command that has been told to end and does not is left behind. */
const mostEndingMsecs = 3_000;

async function dispatch(args: readonly string[], signal: AbortSignal): Promise<void> {
  const [name, ...rest] = args;
  if (name === undefined || isHelp(name)) {
    const text = overview(await allCommands(), terminal);
    signal.throwIfAborted();
    terminal.print(text);
  } else if (name === "--version") {
    terminal.print([version]);
  } else if (name.startsWith("-")) {
    const hint = suggestion(["help", "version"], name.replace(/^-+/, ""), "--");
    throw new UsageError(`there is no option ${name}; ${hint}`);
  } else {
    const command = await findCommand(name);
    signal.throwIfAborted(); // while it was loaded
    place = `keepline ${name}`;
    if (rest.some(isHelp)) terminal.print(helpOf(command, terminal));
    else await command.run(rest, { terminal, signal });
  }
}

function isHelp(argument: string): boolean {
  return argument === "--help" || argument === "-h";
}

/** Says why the process ends, where there is something to say, and with which code. */
function conclude(error: unknown): void {
  const { exitCode, text } = verdict(error);
  process.exitCode = exitCode;
  terminal.clearProgress();
  if (text !== "") terminal.note(`${place}: ${text}`);
}

/** Ends what runs, because of `reason`. Asked a second time, or by a command that hangs, the process ends at once. */
function end(reason: Interrupted | OutputClosed | Failure): void {
  if (ending.signal.aborted) process.exit();
  conclude(reason);
  ending.abort(reason);
  setTimeout(() => process.exit(), mostEndingMsecs).unref();
}

const terminal = new Terminal();
const ending = new AbortController();
let place = "keepline";

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => end(new Interrupted(name)));
}
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (ending.signal.aborted) return;
    const isClosed = error.code === "EPIPE";
    end(isClosed ? new OutputClosed() : new Failure(`cannot write: ${error.message}`));
  });
}

try {
  await dispatch(process.argv.slice(2), ending.signal);
} catch (error) {
  if (!ending.signal.aborted) conclude(error);
}
