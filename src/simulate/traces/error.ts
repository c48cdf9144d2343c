/**
 * What is wrong with a trace, and where.
 */
import { KeeplineError } from "../../core/errors.ts";

/** A trace cannot be read: what is wrong, and in which line. */
export class TraceError extends KeeplineError {
  readonly code = "ERR_KEEPLINE_TRACE";
  /** From 1; null where no line is meant. */
  readonly line: number | null;

  /** `problem` follows "line N of the trace", where there is a line. */
  constructor(line: number | null, problem: string, cause?: unknown) {
    super(line === null ? problem : `line ${line} of the trace ${problem}`, { cause });
    this.line = line;
  }
}
