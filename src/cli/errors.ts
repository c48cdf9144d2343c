/**
 * The ways in which a command ends early, and the exit code of each.
 */
import { KeeplineError } from "../core/errors.ts";

/** The command line is wrong: exit code 2. */
export class UsageError extends Error {}

/** The command cannot do what it was asked for, and its message says why: exit code 1. */
export class Failure extends Error {}

/** The command has found out what it was asked for, and the answer is bad news: exit code 3. */
export class Finding extends Error {}

/** A signal asked the command to end: exit code 128 and the signal's number. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(signal: "SIGINT" | "SIGTERM" | "SIGHUP") {
    super(signal);
    this.exitCode = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal];
  }
}

/** Nobody reads what the command writes any more, as with `| head`. That is no failure: exit code 0. */
export class OutputClosed extends Error {}

/** What to say on stderr for `error`, and the exit code. The text is empty where nothing is to be said. */
export function verdict(error: unknown): { readonly exitCode: number; readonly text: string } {
  if (error instanceof OutputClosed) return { exitCode: 0, text: "" };
  if (error instanceof Interrupted) return { exitCode: error.exitCode, text: "" };
  if (error instanceof UsageError) return { exitCode: 2, text: oneLine(error.message) };
  if (error instanceof Finding) return { exitCode: 3, text: oneLine(error.message) };
  if (error instanceof Failure || error instanceof KeeplineError || isSystemError(error)) {
    return { exitCode: 1, text: oneLine(`${error.message}${adviceFor(error)}`) };
  }
  const stack = error instanceof Error ? error.stack : String(error);
  return { exitCode: 1, text: `this is a defect of keepline itself, please report it\n${stack}` };
}

const untrustedCodes = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

function adviceFor(error: Error): string {
  const { cause } = error;
  const code = isSystemError(cause) ? cause.code : "";
  return untrustedCodes.has(code) ? " (give its own authority with --ca FILE, or --insecure)" : "";
}

/** Whether an error has a code, as those of Node.js and of keepline have. */
export function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
