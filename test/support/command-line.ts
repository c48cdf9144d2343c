/**
 * The command line as a user runs it: the published program in a process of its own.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import type { Command } from "../../src/cli/command.ts";
import { verdict } from "../../src/cli/errors.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import { root } from "./root.ts";

/** The program that is published. */
export const main = path.join(root, "dist", "cli", "main.js");

/** What is published is run; here it is made sure that it is what the sources say. */
export function buildCommandLine(): void {
  const { status, stderr } = spawnSync(process.execPath, [path.join(root, "scripts", "setup.mjs")]);
  assert.equal(status, 0, String(stderr));
}

/** How a run ended, and what it wrote. */
export interface Result {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command in this process, which is cheaper where nothing of the process itself is tested. What it fails with ends `err`. */
export async function runCommand(command: Command, args: readonly string[]): Promise<Result> {
  const written = { out: "", err: "" };
  const into = (name: "out" | "err") => ({
    write: (piece: string) => {
      written[name] += piece;
    },
  });
  const terminal = new Terminal(into("out"), into("err"), { LANG: "C.UTF-8" });
  try {
    await command.run(args, { terminal, signal: new AbortController().signal });
    return { ...written, code: 0, signal: null };
  } catch (error) {
    const { exitCode, text } = verdict(error);
    return { out: written.out, err: `${written.err}${text}\n`, code: exitCode, signal: null };
  }
}

/** Runs `keepline ...args` to its end. */
export function keepline(...args: readonly string[]): Promise<Result> {
  return finish(start(args));
}

/** Starts `keepline ...args`, in the folder `cwd`. */
export function start(args: readonly string[], cwd = root): ChildProcess {
  const { FORCE_COLOR: _, npm_lifecycle_event: __, ...env } = process.env;
  return spawn(process.execPath, [main, ...args], {
    cwd,
    env: { ...env, NO_COLOR: "1", LC_ALL: "C.UTF-8" },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Waits for the end of what was started. */
export async function finish(child: ChildProcess): Promise<Result> {
  let out = "";
  let err = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal, out, err };
}

/** The last line on stderr. */
export function lastLine(result: Result | undefined): string {
  return result?.err.trimEnd().split("\n").at(-1) ?? "";
}

/** `value` with types in place of its leaves; of an array only its first item. */
export function shapeOf(value: unknown): unknown {
  if (value === null) return "null";
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value !== "object") return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shapeOf(each)]));
}
