/**
 * Errors as programs that use undici test for them: with its names and codes, and true for `instanceof` of its classes.
 * Where keepline has an error of its own for what happened, that one is the `cause`; where undici has none, it is
 * passed as it is.
 */
import {
  BodyTimeoutError,
  ClientClosedError,
  ConnectError,
  ConnectTimeoutError,
  HeadersTimeoutError,
  InvalidRequestError,
  KeeplineError,
  ResponseParseError,
  SocketClosedError,
} from "../../core/errors.ts";

/** Names of undici's errors with their codes. */
const codes = {
  InvalidArgumentError: "UND_ERR_INVALID_ARG",
  NotSupportedError: "UND_ERR_NOT_SUPPORTED",
  ConnectTimeoutError: "UND_ERR_CONNECT_TIMEOUT",
  HeadersTimeoutError: "UND_ERR_HEADERS_TIMEOUT",
  HeadersOverflowError: "UND_ERR_HEADERS_OVERFLOW",
  BodyTimeoutError: "UND_ERR_BODY_TIMEOUT",
  SocketError: "UND_ERR_SOCKET",
  // Its name is that of the DOM, as programs expect.
  AbortError: "UND_ERR_ABORTED",
  ClientDestroyedError: "UND_ERR_DESTROYED",
  ClientClosedError: "UND_ERR_CLOSED",
  RequestContentLengthMismatchError: "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH",
} as const;

/** The name of an error of undici. */
export type UndiciErrorName = keyof typeof codes;

/** By these undici's classes know their instances, whichever copy of undici has made them. */
const mark = { value: true };

/** An error under a name and code of undici. `cause` is keepline's own, if it has one. */
export class DispatchError extends Error {
  override readonly name: string;
  /** A code of undici, or of the system where undici passes on a system's error. */
  readonly code: string;

  /** `name` is undici's; with the code of a system's error it is one that undici passes on, and so none of its own. */
  constructor(name: UndiciErrorName | { readonly code: string }, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    if (typeof name !== "string") {
      this.name = "Error";
      this.code = name.code;
      return;
    }
    this.name = name;
    this.code = codes[name];
    Object.defineProperty(this, Symbol.for("undici.error.UND_ERR"), mark);
    Object.defineProperty(this, Symbol.for(`undici.error.${codes[name]}`), mark);
  }
}

/** An argument is not allowed, in undici's words where programs know them. */
export function invalidArgument(message: string): DispatchError {
  return new DispatchError("InvalidArgumentError", message);
}

/** `error` as a handler gets it. What a program has aborted with stays what it is, whatever it is. */
export function toHandlerError(error: unknown): Error {
  if (!(error instanceof KeeplineError)) return error as Error;
  if (error instanceof HeadersTimeoutError) return under("HeadersTimeoutError", error);
  if (error instanceof BodyTimeoutError) return under("BodyTimeoutError", error);
  if (error instanceof ConnectTimeoutError) return under("ConnectTimeoutError", error);
  if (error instanceof ConnectError || error instanceof SocketClosedError) return ofSystem(error);
  if (error instanceof ClientClosedError) {
    return under(error.requestSent ? "ClientDestroyedError" : "ClientClosedError", error);
  }
  if (error instanceof InvalidRequestError) {
    // A length that the body has not, as opposed to one that is no number.
    const isLength = /content-length (is|of) \d/.test(error.message);
    return under(isLength ? "RequestContentLengthMismatchError" : "InvalidArgumentError", error);
  }
  if (error instanceof ResponseParseError && error.problem.includes("maxHeaderBytes")) {
    return under("HeadersOverflowError", error);
  }
  return error;
}

function under(name: UndiciErrorName, error: KeeplineError): DispatchError {
  return new DispatchError(name, error.message, error);
}

/** undici passes on what the system says, and programs look at its code: ECONNREFUSED, ENOTFOUND, ECONNRESET. */
function ofSystem(error: KeeplineError): DispatchError {
  const { cause } = error;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (typeof code !== "string") return under("SocketError", error);
  const told = new DispatchError({ code }, error.message, error);
  for (const key of ["errno", "syscall", "address", "port", "hostname"]) {
    const value: unknown = Reflect.get(cause as Error, key);
    if (value !== undefined) Object.defineProperty(told, key, { value, enumerable: true });
  }
  return told;
}
